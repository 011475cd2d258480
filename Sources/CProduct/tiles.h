/* Tiles of one instruction set. Defined before: PREFIX, TARGET, VECTOR, LANES, and MULTIPLY_ADD(x, y, sum). */
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define UNROLL _Pragma("clang loop unroll(full)")

static inline TARGET VECTOR JOIN(PREFIX, load)(const float *p) {
    VECTOR v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

/* R rows of N vectors, whose sums stay in registers: for 12 × 2 (AVX-512) or 6 × 2 (AVX2) two multiply-adds can start
   in every cycle, and the loads hide behind them. */
#define TILE(R, N)                                                                                                  \
    static TARGET void JOIN(PREFIX, R##x##N)(                                                                       \
        const misp_strip *s, const float *restrict a, const float *restrict b, long step,                           \
        float *restrict c, long row) {                                                                              \
        VECTOR sum[R][N];                                                                                           \
        const long down = s->a_row, along = s->a_inner;                                                             \
        UNROLL for (int i = 0; i < R; i++) UNROLL for (int j = 0; j < N; j++) sum[i][j] = (VECTOR)(0.0f);           \
        for (long p = s->inner; p > 0; p--, a += along, b += step) {                                                \
            VECTOR v[N];                                                                                            \
            UNROLL for (int j = 0; j < N; j++) v[j] = JOIN(PREFIX, load)(b + j * LANES);                            \
            UNROLL for (int i = 0; i < R; i++) {                                                                    \
                VECTOR x = (VECTOR)(a[i * down]);                                                                   \
                UNROLL for (int j = 0; j < N; j++) sum[i][j] = MULTIPLY_ADD(x, v[j], sum[i][j]);                    \
            }                                                                                                       \
        }                                                                                                           \
        UNROLL for (int i = 0; i < R; i++) UNROLL for (int j = 0; j < N; j++) {                                     \
            float *target = c + i * row + j * LANES;                                                                \
            VECTOR y = sum[i][j] * s->scale;                                                                        \
            if (s->keep != 0) y = __builtin_elementwise_fma((VECTOR)(s->keep), JOIN(PREFIX, load)(target), y);      \
            __builtin_memcpy(target, &y, sizeof y);                                                                 \
        }                                                                                                           \
    }
#if LANES == 16
TILE(12, 1)
TILE(12, 2)
TILE(8, 1)
TILE(8, 2)
#else
TILE(6, 1)
TILE(6, 2)
#endif
TILE(4, 1)
TILE(4, 2)
TILE(2, 1)
TILE(2, 2)
TILE(1, 1)
TILE(1, 2)

typedef void (*JOIN(PREFIX, tile))(const misp_strip *, const float *, const float *, long, float *, long);

static const struct {
    int rows;
    JOIN(PREFIX, tile) one, two;
} JOIN(PREFIX, tiles)[] = {
#if LANES == 16
    {12, JOIN(PREFIX, 12x1), JOIN(PREFIX, 12x2)},
    {8, JOIN(PREFIX, 8x1), JOIN(PREFIX, 8x2)},
#else
    {6, JOIN(PREFIX, 6x1), JOIN(PREFIX, 6x2)},
#endif
    {4, JOIN(PREFIX, 4x1), JOIN(PREFIX, 4x2)},
    {2, JOIN(PREFIX, 2x1), JOIN(PREFIX, 2x2)},
    {1, JOIN(PREFIX, 1x1), JOIN(PREFIX, 1x2)},
};

/* One panel's columns of a strip; the tail, fewer than whole vectors, by way of a buffer. */
static TARGET void JOIN(PREFIX, panel)(const misp_strip *s, const float *b, long step, float *c, long columns) {
    const long width = columns <= LANES ? LANES : 2 * LANES;
    for (long i = 0, k = 0; i < s->rows; i += JOIN(PREFIX, tiles)[k].rows) {
        while (JOIN(PREFIX, tiles)[k].rows > s->rows - i) k++;
        const long rows = JOIN(PREFIX, tiles)[k].rows;
        const JOIN(PREFIX, tile) tile = width == LANES ? JOIN(PREFIX, tiles)[k].one : JOIN(PREFIX, tiles)[k].two;
        const float *a = s->a + i * s->a_row;
        float *target = c + i * s->c_row;
        if (columns == width) {
            tile(s, a, b, step, target, s->c_row);
            continue;
        }
        float buffer[12 * 2 * LANES];
        if (s->keep != 0)
            for (long r = 0; r < rows; r++)
                for (long j = 0; j < width; j++) buffer[r * width + j] = j < columns ? target[r * s->c_row + j] : 0;
        tile(s, a, b, step, buffer, width);
        for (long r = 0; r < rows; r++)
            for (long j = 0; j < columns; j++) target[r * s->c_row + j] = buffer[r * width + j];
    }
}

static TARGET void JOIN(PREFIX, strip)(const misp_strip *s) {
    const long panels = (s->columns + 2 * LANES - 1) / (2 * LANES);
    const long lines = (s->inner + 15) / 16, share = (lines + panels - 1) / panels;
    for (long panel = 0; panel < panels; panel++) {
        const long first = panel * share, last = first + share < lines ? first + share : lines;
        for (long i = s->rows; i < s->rows + s->next; i++)
            for (long line = first; line < last; line++) __builtin_prefetch(s->a + i * s->a_row + line * 16);
        const long left = s->columns - panel * 2 * LANES, columns = left < 2 * LANES ? left : 2 * LANES;
        const long step = s->b_inner ? s->b_inner : columns <= LANES ? LANES : 2 * LANES;
        JOIN(PREFIX, panel)(s, s->b + panel * s->b_panel, step, s->c + panel * 2 * LANES, columns);
    }
}

#undef TILE
#undef JOIN_
#undef JOIN
#undef UNROLL
#undef PREFIX
#undef TARGET
#undef VECTOR
#undef LANES
#undef MULTIPLY_ADD
