#define _GNU_SOURCE
#include "CMPI.h"

#ifdef __linux__
#include <sched.h>
int misp_affinity_cores(void) {
    cpu_set_t mask;
    return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
}
#else
int misp_affinity_cores(void) { return 0; }
#endif
