#include "FewRows.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512vl,avx512bw,avx512dq")))
#define INLINE static inline __attribute__((always_inline)) TARGET

int misp_has_four_by_four(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

/* Eight elements of one row below eight of the next. */
INLINE __m512 load(int format, const char *row, long next) {
    if (format == MISP_ROWS_F32) {
        __m256 low = _mm256_loadu_ps((const float *)row), high = _mm256_loadu_ps((const float *)(row + next));
        return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
    }
    __m128i low = _mm_loadu_si128((const __m128i *)row), high = _mm_loadu_si128((const __m128i *)(row + next));
    __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    if (format == MISP_ROWS_F16) return _mm512_cvtph_ps(both);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(both), 16));
}

/* ((s₀+s₄)+(s₂+s₆))+((s₁+s₅)+(s₃+s₇)) */
INLINE float total(__m256 sums) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE void four_by_four(
    int format, const float *x, long x_row, const char *w, long w_row, long inner, float *y, long y_row) {
    const int bytes = format == MISP_ROWS_F32 ? 4 : 2;
    __m512 sums[2][4];
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < 4; i++) sums[p][i] = _mm512_setzero_ps();
    for (long k = 0; k < inner; k += 8) {
        __m512 upper = load(format, w + k * bytes, w_row), lower = load(format, w + 2 * w_row + k * bytes, w_row);
        for (int i = 0; i < 4; i++) {
            __m512 v = _mm512_broadcast_f32x8(_mm256_loadu_ps(x + i * x_row + k));
            sums[0][i] = _mm512_fmadd_ps(upper, v, sums[0][i]);
            sums[1][i] = _mm512_fmadd_ps(lower, v, sums[1][i]);
        }
    }
    for (int p = 0; p < 2; p++) {
        for (int i = 0; i < 4; i++) {
            y[i * y_row + 2 * p] = total(_mm512_castps512_ps256(sums[p][i]));
            y[i * y_row + 2 * p + 1] = total(_mm512_extractf32x8_ps(sums[p][i], 1));
        }
    }
}

TARGET void misp_four_by_four(
    int format, const float *x, long x_row, const void *w, long w_row, long inner, float *y, long y_row) {
    if (format == MISP_ROWS_F32) four_by_four(MISP_ROWS_F32, x, x_row, w, w_row, inner, y, y_row);
    if (format == MISP_ROWS_F16) four_by_four(MISP_ROWS_F16, x, x_row, w, w_row, inner, y, y_row);
    if (format == MISP_ROWS_BF16) four_by_four(MISP_ROWS_BF16, x, x_row, w, w_row, inner, y, y_row);
}

#else

int misp_has_four_by_four(void) { return 0; }

void misp_four_by_four(
    int format, const float *x, long x_row, const void *w, long w_row, long inner, float *y, long y_row) {
    (void)format, (void)x, (void)x_row, (void)w, (void)w_row, (void)inner, (void)y, (void)y_row;
}

#endif
