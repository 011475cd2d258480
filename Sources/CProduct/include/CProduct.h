#ifndef MISP_CPRODUCT_H
#define MISP_CPRODUCT_H

#include "FewRows.h"
#include "Words.h"

/* What float32 matrix products need of the processor; blocking and order are Core's (Tensor/FloatProduct.swift).

   Every element of a product is one chain of fused multiply-adds over the inner index, whatever the instruction set,
   the place in the matrix and the size of the rest. So the bits do not depend on any of these. */

/* c ← scale · a · b + keep · c for a few rows: a is rows × inner, b inner × columns, c rows × columns.

   Element (i, p) of a stands at a[i * a_row + p * a_inner]. b stands in panels of the kernel's columns, the last one of
   as many as are left, rounded up to whole vectors: element (p, j) of a panel at b[p * b_inner + j], where b_inner 0
   means a panel's own width (b was packed), and panels b_panel apart. c is not read where keep is 0. */
typedef struct {
    long rows, columns, inner;
    const float *a;
    long a_row, a_inner;
    const float *b;
    long b_inner, b_panel;
    float *c;
    long c_row;
    float scale, keep;
    /* Rows of a that come next, to be fetched meanwhile; only where a_inner is 1. */
    long next;
} misp_strip;

typedef struct {
    const char *name;
    /* Rows of a strip at most, and columns of a panel. */
    long rows, columns, lanes;
    void (*strip)(const misp_strip *);
} misp_product_kernel;

/* The kernel of that name, "AVX-512" or "AVX2", or for NULL the fastest; NULL where the processor lacks it. */
const misp_product_kernel *misp_find_product_kernel(const char *name);

/* The kernel of products of bfloat16 numbers, NULL where the processor lacks it. An element of its a and b, and so a
   step of `inner`, is a word of two numbers (Words.h). */
const misp_product_kernel *misp_find_bfloat16_kernel(void);

/* Floats of a packed block. */
long misp_packed_size(long inner, long columns, long panel, long lanes);

/* Packs element (p, j) of b, at b[p * b_inner + j * b_column], one of the two strides being 1, into panels. Columns
   that fill up a last panel are zero. */
void misp_pack(
    long inner, long columns, const float *b, long b_inner, long b_column, float *packed, long panel, long lanes);

/* at ← aᵀ; at is rows × columns. */
void misp_transpose(long rows, long columns, const float *a, long a_row, float *at, long at_row);

/* c ← scale · aᵀ + keep · c; c is rows × columns. */
void misp_add_transposed(
    long rows, long columns, const float *a, long a_row, float *c, long c_row, float scale, float keep);

#endif
