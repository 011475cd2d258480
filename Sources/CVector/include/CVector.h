#ifndef MISP_CVECTOR_H
#define MISP_CVECTOR_H

/* Lane operations that Swift's SIMD types do one lane at a time; inlined into Swift as single instructions. */
typedef float misp_f8 __attribute__((ext_vector_type(8)));

static inline misp_f8 misp_sqrt8(misp_f8 x) { return __builtin_elementwise_sqrt(x); }
static inline misp_f8 misp_min8(misp_f8 a, misp_f8 b) { return __builtin_elementwise_min(a, b); }
static inline misp_f8 misp_max8(misp_f8 a, misp_f8 b) { return __builtin_elementwise_max(a, b); }
static inline misp_f8 misp_fma8(misp_f8 a, misp_f8 b, misp_f8 c) { return __builtin_elementwise_fma(a, b, c); }
static inline misp_f8 misp_round8(misp_f8 x) { return __builtin_elementwise_roundeven(x); }

#endif
