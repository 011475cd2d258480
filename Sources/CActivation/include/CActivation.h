#ifndef MISP_CACTIVATION_H
#define MISP_CACTIVATION_H

/* The exact GELU, x·Φ(x) with the normal distribution Φ, sixteen numbers at a time. Bit for bit what Core computes
   eight at a time (Core/Kernels/Float8+Functions.swift, where the formula is explained). */

/* Whether this processor has the instructions (AVX-512 F); without them the others must not be called. */
int misp_has_wide_gelu(void);

/* y ← x·Φ(x). */
void misp_gelu(const float *x, float *y, long count);

/* dx ← dy·(Φ(x) + x·φ(x)), φ = Φ′. */
void misp_gelu_backward(const float *dy, const float *x, float *dx, long count);

#endif
