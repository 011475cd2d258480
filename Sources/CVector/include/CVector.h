#ifndef MISP_CVECTOR_H
#define MISP_CVECTOR_H

/* Lane operations that Swift's SIMD types do one lane at a time; inlined into Swift as a few vector instructions. */
typedef float misp_f8 __attribute__((ext_vector_type(8)));
typedef double misp_d8 __attribute__((ext_vector_type(8)));
typedef int misp_i8 __attribute__((ext_vector_type(8)));
typedef unsigned misp_u8 __attribute__((ext_vector_type(8)));
typedef unsigned short misp_h8 __attribute__((ext_vector_type(8)));

static inline misp_f8 misp_sqrt8(misp_f8 x) { return __builtin_elementwise_sqrt(x); }
static inline misp_f8 misp_abs8(misp_f8 x) { return __builtin_elementwise_abs(x); }

/* The second argument where either is NaN, like the x86 instruction. */
static inline misp_f8 misp_min8(misp_f8 a, misp_f8 b) { return a < b ? a : b; }
static inline misp_f8 misp_max8(misp_f8 a, misp_f8 b) { return a > b ? a : b; }

/* `yes` where a < b (a <= b), `no` elsewhere and where either is NaN. */
static inline misp_f8 misp_less8(misp_f8 a, misp_f8 b, misp_f8 yes, misp_f8 no) { return a < b ? yes : no; }
static inline misp_f8 misp_most8(misp_f8 a, misp_f8 b, misp_f8 yes, misp_f8 no) { return a <= b ? yes : no; }

/* a·b + c, in one rounding where the processor can: without the instruction, fma would be a library call per lane. */
static inline misp_f8 misp_fma8(misp_f8 a, misp_f8 b, misp_f8 c) {
#if defined(__FMA__) || defined(__aarch64__)
    return __builtin_elementwise_fma(a, b, c);
#else
    return a * b + c;
#endif
}

/* The nearest bfloat16 numbers, ties to even; below the least normal one 0, as the processor's own rounding has it. */
static inline misp_f8 misp_round_bfloat8(misp_f8 x) {
    misp_u8 bits = (misp_u8)x, magnitude = bits & 0x7FFFFFFFu;
    misp_u8 nearest = (bits + 0x7FFFu + (bits >> 16 & 1u)) & 0xFFFF0000u;
    nearest = magnitude < 0x00800000u ? (bits & 0x80000000u) : nearest;
    return (misp_f8)(magnitude > 0x7F800000u ? (bits | 0x00400000u) : nearest);
}

/* `yes` in the first n lanes, `no` in the others. */
static inline misp_f8 misp_first8(int n, misp_f8 yes, misp_f8 no) {
    misp_i8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return lane < n ? yes : no;
}

/* The first n floats at an address, n below 8, touching no others; zeros in the other lanes. */
static inline misp_f8 misp_load8(const float *source, int n) {
#if defined(__AVX__)
    typedef float f8 __attribute__((vector_size(32)));
    typedef int i8 __attribute__((vector_size(32)));
    misp_i8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (misp_f8)__builtin_ia32_maskloadps256((const f8 *)source, (i8)(lane < n));
#else
    misp_f8 x = 0;
    for (int i = 0; i < n; i++) x[i] = source[i];
    return x;
#endif
}

static inline void misp_store8(misp_f8 x, float *target, int n) {
#if defined(__AVX__)
    typedef float f8 __attribute__((vector_size(32)));
    typedef int i8 __attribute__((vector_size(32)));
    misp_i8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
    __builtin_ia32_maskstoreps256((f8 *)target, (i8)(lane < n), (f8)x);
#else
    for (int i = 0; i < n; i++) target[i] = x[i];
#endif
}

static inline misp_d8 misp_double8(misp_f8 x) { return __builtin_convertvector(x, misp_d8); }

/* Eight bfloat16 from any address: a Float's upper half. */
static inline misp_f8 misp_bfloat8(const void *source) {
    misp_h8 bits;
    __builtin_memcpy(&bits, source, sizeof bits);
    return (misp_f8)(__builtin_convertvector(bits, misp_u8) << 16);
}

/* Eight IEEE halves from any address. */
static inline misp_f8 misp_half8(const void *source) {
#if defined(__F16C__) || defined(__aarch64__)
    typedef _Float16 half8 __attribute__((ext_vector_type(8)));
    half8 halves;
    __builtin_memcpy(&halves, source, sizeof halves);
    return __builtin_convertvector(halves, misp_f8);
#else
    misp_h8 bits;
    __builtin_memcpy(&bits, source, sizeof bits);
    misp_u8 wide = __builtin_convertvector(bits, misp_u8);
    /* Exponent and fraction in their new places; the product corrects the bias, subnormals included. */
    misp_u8 magnitude = (misp_u8)((misp_f8)((wide & 0x7FFF) << 13) * 0x1p112f);
    misp_u8 special = (misp_u8)((wide & 0x7C00) == 0x7C00) & 0x7F800000; /* infinities and NaN */
    return (misp_f8)(magnitude | special | (wide & 0x8000) << 16);
#endif
}

#endif
