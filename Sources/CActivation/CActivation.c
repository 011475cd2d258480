#include "CActivation.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))
#define ALL(value) _mm512_set1_ps(value)

int misp_has_wide_gelu(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") != 0;
}

/* eˣ for x up to 0; 0 below the normal range. */
static inline TARGET __m512 exponential(__m512 x) {
    const __m512 magic = ALL(12582912.0f);
    const __m512 shifted = _mm512_fmadd_ps(x, ALL(1.44269504f), magic);
    const __m512 n = _mm512_sub_ps(shifted, magic);
    __m512 r = _mm512_fmadd_ps(n, ALL(-0.693359375f), x);
    r = _mm512_fmadd_ps(n, ALL(2.12194440e-4f), r);
    __m512 q = _mm512_fmadd_ps(r, ALL(0.001381313311867416f), ALL(0.008369424380362034f));
    q = _mm512_fmadd_ps(q, r, ALL(0.04166845604777336f));
    q = _mm512_fmadd_ps(q, r, ALL(0.16666515171527863f));
    q = _mm512_fmadd_ps(q, r, ALL(0.4999999403953552f));
    const __m512 p = _mm512_add_ps(_mm512_fmadd_ps(q, _mm512_mul_ps(r, r), r), ALL(1));
    const __m512i power = _mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(shifted), 23));
    const __mmask16 is_tiny = _mm512_cmp_ps_mask(x, ALL(-87.33654f), _CMP_LT_OQ);
    return _mm512_mask_mov_ps(_mm512_castsi512_ps(power), is_tiny, _mm512_setzero_ps());
}

/* Φ(x) */
static inline TARGET __m512 distribution(__m512 x) {
    /* The second operand where either is NaN. */
    const __m512 size = _mm512_abs_ps(x), t = _mm512_min_ps(ALL(6), size);
    __m512 y = _mm512_fmadd_ps(t, ALL(1.524355468518479e-07f), ALL(-3.8317780308716465e-06f));
    y = _mm512_fmadd_ps(y, t, ALL(3.795296652242541e-05f));
    y = _mm512_fmadd_ps(y, t, ALL(-0.00015917840937618166f));
    y = _mm512_fmadd_ps(y, t, ALL(-0.000222873073653318f));
    y = _mm512_fmadd_ps(y, t, ALL(0.007185911759734154f));
    y = _mm512_fmadd_ps(y, t, ALL(-0.05258132889866829f));
    y = _mm512_fmadd_ps(y, t, ALL(-0.45918115973472595f));
    y = _mm512_fmadd_ps(y, t, ALL(-1.1511083841323853f));
    y = _mm512_fmadd_ps(y, t, ALL(-0.9999999403953552f));
    const __m512 shifted = _mm512_add_ps(y, ALL(12582912.0f));
    const __m512 f = _mm512_sub_ps(y, _mm512_sub_ps(shifted, ALL(12582912.0f)));
    __m512 p = _mm512_fmadd_ps(f, ALL(0.001327647129073739f), ALL(0.009675540961325169f));
    p = _mm512_fmadd_ps(p, f, ALL(0.05550713092088699f));
    p = _mm512_fmadd_ps(p, f, ALL(0.24022120237350464f));
    p = _mm512_fmadd_ps(p, f, ALL(0.6931469440460205f));
    p = _mm512_fmadd_ps(p, f, ALL(1.0000001192092896f));
    const __mmask16 is_near = _mm512_cmp_ps_mask(ALL(6), size, _CMP_NLT_UQ);
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    const __m512 tail = _mm512_castsi512_ps(_mm512_maskz_add_epi32(is_near, _mm512_castps_si512(p), exponent));
    const __mmask16 is_positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NLT_UQ);
    return _mm512_mask_sub_ps(tail, is_positive, ALL(1), tail);
}

static inline TARGET __mmask16 lanes(long count) { return count >= 16 ? 0xFFFF : (1 << count) - 1; }

TARGET void misp_gelu(const float *x, float *y, long count) {
    for (long i = 0; i < count; i += 16) {
        const __mmask16 part = lanes(count - i);
        const __m512 value = _mm512_maskz_loadu_ps(part, x + i);
        _mm512_mask_storeu_ps(y + i, part, _mm512_mul_ps(value, distribution(value)));
    }
}

TARGET void misp_gelu_backward(const float *dy, const float *x, float *dx, long count) {
    for (long i = 0; i < count; i += 16) {
        const __mmask16 part = lanes(count - i);
        const __m512 value = _mm512_maskz_loadu_ps(part, x + i);
        const __m512 power = exponential(_mm512_mul_ps(_mm512_mul_ps(ALL(-0.5f), value), value));
        const __m512 density = _mm512_mul_ps(ALL(0.398942280401432678f), power);
        const __m512 slope = _mm512_fmadd_ps(value, density, distribution(value));
        _mm512_mask_storeu_ps(dx + i, part, _mm512_mul_ps(_mm512_maskz_loadu_ps(part, dy + i), slope));
    }
}
#else
int misp_has_wide_gelu(void) { return 0; }
void misp_gelu(const float *x, float *y, long count) { (void)x, (void)y, (void)count; }
void misp_gelu_backward(const float *dy, const float *x, float *dx, long count) {
    (void)dy, (void)x, (void)dx, (void)count;
}
#endif
