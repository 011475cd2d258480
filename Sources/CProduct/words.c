#include "Words.h"

#include <stdint.h>
#include <string.h>

/* One number as the upper half of a float32. */
static inline uint32_t rounded(const void *x, int wide, long index) {
    uint32_t bits;
    uint16_t upper;
    if (!wide) {
        memcpy(&upper, (const char *)x + 2 * index, sizeof upper);
        return (uint32_t)upper << 16;
    }
    memcpy(&bits, (const float *)x + index, sizeof bits);
    const uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return (bits | 0x00400000) & 0xFFFF0000;
    if (magnitude < 0x00800000) return bits & 0x80000000;
    return (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
}

/* The words of two numbers, at a distance of `next` where they are two. */
static inline void set(misp_words words, uint32_t first, uint32_t second, float *out, long next) {
    const uint32_t pair = first >> 16 | second;
    if (words == MISP_WORDS_OF_TWO) {
        memcpy(out, &pair, sizeof pair);
    } else {
        memcpy(out, &second, sizeof second);
        memcpy(out + next, &first, sizeof first);
    }
}

static inline void along(misp_words words, long columns, const void *x, int wide, float *out) {
    for (long j = 0; j < columns; j += 2) {
        const uint32_t second = j + 1 < columns ? rounded(x, wide, j + 1) : 0;
        set(words, rounded(x, wide, j), second, out + (words == MISP_WORDS_OF_TWO ? j / 2 : j), 1);
    }
}

/* x₂ NULL stands for zeros. */
static inline void across(
    misp_words words, long columns, const void *x1, const void *x2, int wide, float *out, long out_row) {
    for (long j = 0; j < columns; j++)
        set(words, rounded(x1, wide, j), x2 ? rounded(x2, wide, j) : 0, out + j, out_row);
}

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512bw,avx512dq,avx512bf16")))

static int has_bfloat16(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
}

static inline __mmask16 first(long count) { return count >= 16 ? 0xFFFF : count > 0 ? (1 << count) - 1 : 0; }

static TARGET void along_fast(long columns, const float *x, float *out) {
    for (long j = 0; j < columns; j += 32) {
        const long left = columns - j;
        const __m512 low = _mm512_maskz_loadu_ps(first(left), x + j);
        const __m512 high = _mm512_maskz_loadu_ps(first(left - 16), x + j + 16);
        _mm512_mask_storeu_epi32(out + j / 2, first((left + 1) / 2), (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}

static TARGET void across_fast(long columns, const void *x1, const void *x2, int wide, float *out) {
    const __m512i places = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    /* j below, 16 + j above. */
    const __m512i twice = _mm512_or_si512(places, _mm512_slli_epi32(places, 16));
    const __m512i order = _mm512_add_epi32(_mm512_set1_epi32(16 << 16), twice);
    for (long j = 0; j < columns; j += 16) {
        const __mmask16 some = first(columns - j), second = x2 ? some : 0;
        __m512i both;
        if (wide) {
            const __m512 low = _mm512_maskz_loadu_ps(some, (const float *)x1 + j);
            const __m512 high = _mm512_maskz_loadu_ps(second, (const float *)x2 + j);
            both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        } else {
            __m256i low = _mm256_maskz_loadu_epi16(some, (const char *)x1 + 2 * j);
            __m256i high = _mm256_maskz_loadu_epi16(second, (const char *)x2 + 2 * j);
            both = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
        }
        _mm512_mask_storeu_epi32(out + j, some, _mm512_permutexvar_epi16(order, both));
    }
}

#else

static int has_bfloat16(void) { return 0; }
static void along_fast(long columns, const float *x, float *out) { (void)columns, (void)x, (void)out; }
static void across_fast(long columns, const void *x1, const void *x2, int wide, float *out) {
    (void)columns, (void)x1, (void)x2, (void)wide, (void)out;
}

#endif

void misp_words_along(
    misp_words words, long rows, long columns, const void *x, int wide, long x_row, float *out, long out_row) {
    const int fast = words == MISP_WORDS_OF_TWO && has_bfloat16();
    for (long i = 0; i < rows; i++) {
        const char *row = (const char *)x + i * x_row * (wide ? 4 : 2);
        float *target = out + i * out_row;
        if (words == MISP_WORDS_OF_TWO && !wide) {
            memcpy(target, row, 2 * columns);
            if (columns % 2) memset((char *)target + 2 * columns, 0, 2);
        } else if (fast) {
            along_fast(columns, (const float *)row, target);
        } else {
            along(words, columns, row, wide, target);
        }
    }
}

void misp_words_across(
    misp_words words, long rows, long columns, const void *x, int wide, long x_row, float *out, long out_row) {
    const int fast = words == MISP_WORDS_OF_TWO && has_bfloat16();
    const long bytes = x_row * (wide ? 4 : 2);
    for (long i = 0; i < rows; i += 2) {
        const char *first = (const char *)x + i * bytes, *second = i + 1 < rows ? first + bytes : NULL;
        float *target = out + (words == MISP_WORDS_OF_TWO ? i / 2 : i) * out_row;
        if (fast)
            across_fast(columns, first, second, wide, target);
        else
            across(words, columns, first, second, wide, target, out_row);
    }
}
