#include "CProcessor.h"

#include <stdio.h>
#include <stdlib.h>

/* Built without -march, so that it runs where the rest cannot. The manifest defines MISP_X86_64_V3 where it asks for
   x86-64-v3. */
const char *misp_missing_instructions(void) {
#if defined(MISP_X86_64_V3)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2")) return "AVX2";
    if (!__builtin_cpu_supports("fma")) return "FMA";
    if (!__builtin_cpu_supports("bmi2")) return "BMI2";
    if (!__builtin_cpu_supports("f16c")) return "F16C";
#endif
    return NULL;
}

__attribute__((constructor)) static void require_instructions(void) {
    const char *missing = misp_missing_instructions();
    if (missing == NULL) return;
    fprintf(
        stderr,
        "misp: this processor lacks %s, and this build needs x86-64-v3 (AVX2, FMA); "
        "`MISP_CPU=baseline swift build` builds for any x86-64 processor\n",
        missing);
    _Exit(2);
}
