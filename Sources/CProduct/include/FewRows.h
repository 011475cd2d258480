#ifndef MISP_FEW_ROWS_H
#define MISP_FEW_ROWS_H

/* Products of four rows of x with four rows of a weight that are read where they stand: y[i, r] ← Σ x[i, k] · w[r, k].

   An element is the total of eight sums that take turns over k, as Core's kernel for eight lanes has
   it (Kernels/Fast+FewRows.swift), so that the two give the same bits: here two rows of the weight
   fill a vector of sixteen. */

enum { MISP_ROWS_F32, MISP_ROWS_F16, MISP_ROWS_BF16 };

/* Whether the processor has what the kernel needs (AVX-512). */
int misp_has_four_by_four(void);

/* x: 4 × inner, rows x_row floats apart; w: 4 × inner in the format, rows w_row bytes apart; inner a multiple of 8. */
void misp_four_by_four(
    int format, const float *x, long x_row, const void *w, long w_row, long inner, float *y, long y_row);

#endif
