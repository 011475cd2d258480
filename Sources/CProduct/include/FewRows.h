#ifndef MISP_FEW_ROWS_H
#define MISP_FEW_ROWS_H

/* Products of four rows of x with four rows of a weight that are read where they stand:
   y[i, r] ← Σ x[i, k] · w[r, k].

   An element is the total of eight sums that take turns over k, as Core's kernel for eight lanes has
   it (Kernels/Vector+FewRows.swift), so that the two give the same bits: here two rows of the weight
   fill a vector of sixteen. */

enum { MISP_ROWS_F32, MISP_ROWS_F16, MISP_ROWS_BF16 };

/* Whether the processor has what the kernel needs (AVX-512). */
int misp_has_four_by_four(void);

/* x: 4 × inner, rows x_row floats apart; w: 4 × inner in the format, rows w_row bytes apart;
   inner a multiple of 8. */
void misp_four_by_four(
    int format, const float *x, long x_row, const void *w, long w_row, long inner, float *y, long y_row);

/* The most that may be used of the processor: all kernels give the same bits. */
typedef enum { MISP_ROWS_PLAIN, MISP_ROWS_AVX2, MISP_ROWS_NATIVE } misp_rows_kernel;

/* y[i, r] ← Σ x[i, k] · w[r, k] of bfloat16 numbers. x: n rows in words of two numbers (Words.h), filled up with
   zeros to a multiple of 16 words, x_row words apart; w: rows × inner, w_row bytes apart. */
void misp_few_rows_bfloat16(
    misp_rows_kernel kernel, long n, const float *x, long x_row, long rows, const void *w, long w_row, long inner,
    float *y, long y_row);

#endif
