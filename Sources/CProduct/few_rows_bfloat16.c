#include "FewRows.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ((s₀+s₄)+(s₂+s₆))+((s₁+s₅)+(s₃+s₇)) of sᵢ = lanesᵢ + lanesᵢ₊₈ */
static inline float total(const float *lanes) {
    float s[8];
    for (int j = 0; j < 8; j++) s[j] = lanes[j] + lanes[j + 8];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static inline float upper(uint32_t word) {
    float number;
    word &= 0xFFFF0000;
    memcpy(&number, &word, sizeof number);
    return number;
}

/* One element, in the order of the processor's bfloat16 instruction. */
static inline __attribute__((always_inline)) float dot(const float *x, const char *w, long inner) {
    float lanes[16] = {0};
    for (long k = 0; k < inner; k += 32) {
        uint32_t a[16], b[16] = {0};
        memcpy(a, x + k / 2, sizeof a);
        memcpy(b, w + 2 * k, inner - k < 32 ? 2 * (inner - k) : (long)sizeof b);
        for (int j = 0; j < 16; j++) lanes[j] = fmaf(upper(a[j]), upper(b[j]), lanes[j]);
        for (int j = 0; j < 16; j++) lanes[j] = fmaf(upper(a[j] << 16), upper(b[j] << 16), lanes[j]);
    }
    return total(lanes);
}

#define EACH                                              \
    for (long r = 0; r < rows; r++)                       \
        for (long i = 0; i < n; i++) y[i * y_row + r] = dot(x + i * x_row, w + r * w_row, inner)

static void plain(
    long n, const float *x, long x_row, long rows, const char *w, long w_row, long inner, float *y, long y_row) {
    EACH;
}

#if defined(__x86_64__)
#include <immintrin.h>

static __attribute__((target("avx2,fma"))) void avx2(
    long n, const float *x, long x_row, long rows, const char *w, long w_row, long inner, float *y, long y_row) {
    EACH;
}

#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512bw,avx512dq,avx512bf16")))

/* Some rows of x, at most 4, with some of w, at most 4. */
static inline __attribute__((always_inline)) TARGET void tile(
    int some, int few, const float *x, long x_row, const char *w, long w_row, long inner, float *y, long y_row) {
    __m512 sums[4][4];
    for (int p = 0; p < few; p++)
        for (int i = 0; i < some; i++) sums[p][i] = _mm512_setzero_ps();
    for (long k = 0; k < inner; k += 32) {
        const __mmask32 mask = inner - k < 32 ? (1u << (inner - k)) - 1 : ~0u;
        __m512i v[4];
        for (int i = 0; i < some; i++) v[i] = _mm512_loadu_si512(x + i * x_row + k / 2);
        for (int p = 0; p < few; p++) {
            const __m512bh row = (__m512bh)_mm512_maskz_loadu_epi16(mask, w + p * w_row + 2 * k);
            for (int i = 0; i < some; i++) sums[p][i] = _mm512_dpbf16_ps(sums[p][i], (__m512bh)v[i], row);
        }
    }
    for (int p = 0; p < few; p++)
        for (int i = 0; i < some; i++) {
            float lanes[16];
            _mm512_storeu_ps(lanes, sums[p][i]);
            y[i * y_row + p] = total(lanes);
        }
}

static TARGET void bfloat16(
    long n, const float *x, long x_row, long rows, const char *w, long w_row, long inner, float *y, long y_row) {
    long r = 0;
    for (; r + 4 <= rows; r += 4) {
        long i = 0;
        for (; i + 4 <= n; i += 4)
            tile(4, 4, x + i * x_row, x_row, w + r * w_row, w_row, inner, y + i * y_row + r, y_row);
        for (; i < n; i++) tile(1, 4, x + i * x_row, x_row, w + r * w_row, w_row, inner, y + i * y_row + r, y_row);
    }
    for (; r < rows; r++)
        for (long i = 0; i < n; i++)
            tile(1, 1, x + i * x_row, x_row, w + r * w_row, w_row, inner, y + i * y_row + r, y_row);
}
#endif

void misp_few_rows_bfloat16(
    misp_rows_kernel kernel, long n, const float *x, long x_row, long rows, const void *w, long w_row, long inner,
    float *y, long y_row) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (kernel >= MISP_ROWS_NATIVE && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw"))
        return bfloat16(n, x, x_row, rows, w, w_row, inner, y, y_row);
    if (kernel >= MISP_ROWS_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return avx2(n, x, x_row, rows, w, w_row, inner, y, y_row);
#endif
    plain(n, x, x_row, rows, w, w_row, inner, y, y_row);
}
