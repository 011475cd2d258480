#ifndef MISP_COPENBLAS_H
#define MISP_COPENBLAS_H

#if __has_include(<cblas.h>)
#include <cblas.h>
#elif __has_include(<openblas/cblas.h>)
#include <openblas/cblas.h>
#else
#include <cblas-openblas.h>
#endif

/* Declared here because only OpenBLAS's own cblas.h does, and distributions may serve another one. */
void openblas_set_num_threads(int threads);
int openblas_get_num_threads(void);
char *openblas_get_config(void);
char *openblas_get_corename(void);

#endif
