#include "CProduct.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

typedef float float8 __attribute__((ext_vector_type(8)));
typedef float float16 __attribute__((ext_vector_type(16)));

#define PREFIX avx2_
#define TARGET __attribute__((target("avx2,fma")))
#define VECTOR float8
#define LANES 8
#define MULTIPLY_ADD(x, y, sum) __builtin_elementwise_fma(x, y, sum)
#include "tiles.h"

#define PREFIX avx512_
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512bw,avx512dq")))
#define VECTOR float16
#define LANES 16
#define MULTIPLY_ADD(x, y, sum) __builtin_elementwise_fma(x, y, sum)
#include "tiles.h"

/* Words of two bfloat16 numbers each: sum + x₁·y₁, then + x₀·y₀, each rounded once. */
#define PREFIX bfloat16_
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512vl,avx512bw,avx512dq,avx512bf16")))
#define VECTOR float16
#define LANES 16
#define MULTIPLY_ADD(x, y, sum) (VECTOR) _mm512_dpbf16_ps((__m512)(sum), (__m512bh)(x), (__m512bh)(y))
#include "tiles.h"

static const misp_product_kernel kernels[] = {
    {"AVX-512", 12, 32, 16, avx512_strip},
    {"AVX2", 6, 16, 8, avx2_strip},
};
static const misp_product_kernel bfloat16_kernel = {"AVX512-BF16", 12, 32, 16, bfloat16_strip};

static int has(const misp_product_kernel *kernel) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    if (kernel->lanes == 8) return 1;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}

const misp_product_kernel *misp_find_product_kernel(const char *name) {
    for (unsigned i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if ((name == NULL || strcmp(name, kernels[i].name) == 0) && has(&kernels[i])) return &kernels[i];
    return NULL;
}

const misp_product_kernel *misp_find_bfloat16_kernel(void) {
    return has(&bfloat16_kernel) && __builtin_cpu_supports("avx512bf16") ? &bfloat16_kernel : NULL;
}

#define TRANSPOSING __attribute__((target("avx2")))

/* 8 × 8 floats, `from` floats from row to row, into 8 × 8, `to` from row to row. */
static TRANSPOSING void transpose8(const float *source, long from, float *target, long to) {
    float8 r[8], s[8];
    for (int i = 0; i < 8; i++) __builtin_memcpy(&r[i], source + i * from, sizeof r[i]);
    for (int i = 0; i < 8; i += 2) {
        s[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        s[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = __builtin_shufflevector(s[i + j], s[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            r[i + 2 * j + 1] = __builtin_shufflevector(s[i + j], s[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int i = 0; i < 4; i++) {
        s[i] = __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        s[i + 4] = __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (int i = 0; i < 8; i++) __builtin_memcpy(target + i * to, &s[i], sizeof s[i]);
}

static TRANSPOSING void pack_transposed(long inner, long columns, const float *b, long row, float *packed, long width) {
    const long whole = columns / 8 * 8, deep = inner / 8 * 8;
    for (long j = 0; j < whole; j += 8)
        for (long p = 0; p < deep; p += 8) transpose8(b + j * row + p, row, packed + p * width + j, width);
    for (long j = 0; j < columns; j++)
        for (long p = j < whole ? deep : 0; p < inner; p++) packed[p * width + j] = b[j * row + p];
}

#else

const misp_product_kernel *misp_find_product_kernel(const char *name) { return NULL; }
const misp_product_kernel *misp_find_bfloat16_kernel(void) { return NULL; }

static void pack_transposed(long inner, long columns, const float *b, long row, float *packed, long width) {
    for (long j = 0; j < columns; j++)
        for (long p = 0; p < inner; p++) packed[p * width + j] = b[j * row + p];
}

#endif

static long width_of(long columns, long panel, long lanes) { return columns <= lanes ? lanes : panel; }

long misp_packed_size(long inner, long columns, long panel, long lanes) {
    const long whole = columns / panel * panel, rest = columns - whole;
    return inner * (whole + (rest ? width_of(rest, panel, lanes) : 0));
}

void misp_pack(
    long inner, long columns, const float *b, long b_inner, long b_column, float *packed, long panel, long lanes) {
    for (long j = 0; j < columns; j += panel) {
        const long some = columns - j < panel ? columns - j : panel, width = width_of(some, panel, lanes);
        float *target = packed + j * inner;
        if (b_column == 1) {
            for (long p = 0; p < inner; p++) memcpy(target + p * width, b + p * b_inner + j, sizeof(float) * some);
        } else {
            pack_transposed(inner, some, b + j * b_column, b_column, target, width);
        }
        for (long p = 0; p < inner && some < width; p++)
            memset(target + p * width + some, 0, sizeof(float) * (width - some));
    }
}

void misp_transpose(long rows, long columns, const float *a, long a_row, float *at, long at_row) {
    /* Blocks of 64 rows of a, so that both sides stay in the first-level cache. */
    for (long j = 0; j < columns; j += 64) {
        const long some = columns - j < 64 ? columns - j : 64;
        for (long i = 0; i < rows; i += 64)
            pack_transposed(rows - i < 64 ? rows - i : 64, some, a + j * a_row + i, a_row, at + i * at_row + j, at_row);
    }
}

void misp_add_transposed(
    long rows, long columns, const float *a, long a_row, float *c, long c_row, float scale, float keep) {
    for (long i = 0; i < rows; i += 8)
        for (long j = 0; j < columns; j += 8) {
            const long down = rows - i < 8 ? rows - i : 8, across = columns - j < 8 ? columns - j : 8;
            float turned[64];
            pack_transposed(down, across, a + j * a_row + i, a_row, turned, 8);
            for (long p = 0; p < down; p++)
                for (long q = 0; q < across; q++) {
                    float *target = c + (i + p) * c_row + j + q;
                    *target = (keep == 0 ? 0 : keep * *target) + scale * turned[p * 8 + q];
                }
        }
}
