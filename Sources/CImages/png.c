#include "formats.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

typedef struct {
    png_structp png;
    png_infop info;
    const uint8_t *data;
    size_t size, offset;
    jmp_buf escape;
    misp_image_status status; /* what a longjmp to `escape` means */
    char *message;
    uint8_t *rows;
    uint8_t palette[256][3]; /* entries the file leaves out are black */
    int over_white;
    uint8_t alphas[256]; /* of the palette's entries */
    int has_key;         /* one grey or colour is transparent */
    uint8_t key[3];
    uint8_t transparent; /* whether any pixel has turned out to be */
} reader;

static void fail(png_structp png, png_const_charp text) {
    reader *r = png_get_error_ptr(png);
    r->status = misp_image_fail(MISP_IMAGE_CORRUPT, text, r->message);
    longjmp(r->escape, 1);
}

static void ignore(png_structp png, png_const_charp text) {}

static void read_bytes(png_structp png, png_bytep bytes, size_t count) {
    reader *r = png_get_io_ptr(png);
    if (count > r->size - r->offset) {
        r->status = MISP_IMAGE_TRUNCATED;
        longjmp(r->escape, 1);
    }
    memcpy(bytes, r->data + r->offset, count);
    r->offset += count;
}

/* One row of samples as they are stored, 1, 2 and 4 bits widened to a byte each but not scaled. 16-bit samples keep
   their high byte, except grey without alpha: there Pillow saturates instead of scaling. */
static void rgb_from_row(const reader *r, const uint8_t *row, uint32_t width, int type, int depth, uint8_t *rgb) {
    int step = depth == 16 ? 2 : 1;
    if (type & PNG_COLOR_MASK_PALETTE) {
        for (uint32_t x = 0; x < width; x++) memcpy(rgb + 3 * x, r->palette[row[x]], 3);
    } else if (type & PNG_COLOR_MASK_COLOR) {
        int channels = type & PNG_COLOR_MASK_ALPHA ? 4 : 3;
        for (uint32_t x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) rgb[3 * x + c] = row[(channels * x + c) * step];
    } else {
        int stride = (type & PNG_COLOR_MASK_ALPHA ? 2 : 1) * step;
        int scale = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
        int saturates = depth == 16 && type == PNG_COLOR_TYPE_GRAY;
        for (uint32_t x = 0; x < width; x++) {
            const uint8_t *sample = row + (size_t)x * stride;
            int grey = saturates ? (sample[0] ? 255 : sample[1]) : sample[0] * scale;
            memset(rgb + 3 * x, grey, 3);
        }
    }
}

/* The alpha of pixel x, whose colour is `rgb`. Pillow compares a key's low byte with the colour's 8 bits. */
static uint8_t alpha_of(const reader *r, const uint8_t *row, uint32_t x, int type, int depth, const uint8_t *rgb) {
    if (type & PNG_COLOR_MASK_PALETTE) return r->alphas[row[x]];
    if (type & PNG_COLOR_MASK_ALPHA) {
        size_t channels = type & PNG_COLOR_MASK_COLOR ? 4 : 2;
        return row[(channels * x + channels - 1) * (depth == 16 ? 2 : 1)];
    }
    return r->has_key && !memcmp(rgb, r->key, 3) ? 0 : 255;
}

static void lay_over_white(reader *r, const uint8_t *row, uint32_t width, int type, int depth, uint8_t *rgb) {
    for (uint32_t x = 0; x < width; x++, rgb += 3) {
        uint8_t alpha = alpha_of(r, row, x, type, depth, rgb);
        if (alpha == 255) continue;
        r->transparent = 1;
        for (int c = 0; c < 3; c++) rgb[c] = misp_over_white(rgb[c], alpha);
    }
}

/* tRNS: alphas of a palette's first entries, or the one colour that is transparent. */
static void read_transparency(reader *r, int type, int depth) {
    png_bytep alphas;
    png_color_16p color;
    int entries = 0;
    memset(r->alphas, 255, sizeof r->alphas);
    if (!png_get_tRNS(r->png, r->info, &alphas, &entries, &color)) return;
    if (type & PNG_COLOR_MASK_PALETTE) {
        for (int i = 0; i < entries && i < 256; i++) r->alphas[i] = alphas[i];
    } else if (type & PNG_COLOR_MASK_COLOR) {
        r->has_key = 1;
        r->key[0] = (uint8_t)color->red, r->key[1] = (uint8_t)color->green, r->key[2] = (uint8_t)color->blue;
    } else {
        /* Pillow reads one bit as black or white, and leaves two and four bits unscaled. */
        r->has_key = 1;
        memset(r->key, depth == 1 ? (color->gray ? 255 : 0) : (uint8_t)color->gray, 3);
    }
}

static void start(reader *r) {
    png_set_read_fn(r->png, r, read_bytes);
    png_set_user_limits(r->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    /* Profiles, texts and the like change no pixel here and can only fail. */
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_read_info(r->png, r->info);
}

static misp_image_status read_rows(reader *r, const misp_image_header *header, uint8_t *rgb) {
    uint32_t width = png_get_image_width(r->png, r->info), height = png_get_image_height(r->png, r->info);
    if (width != header->width || height != header->height)
        return misp_image_fail(MISP_IMAGE_CORRUPT, "two different sizes", r->message);
    int type = png_get_color_type(r->png, r->info), depth = png_get_bit_depth(r->png, r->info);
    png_colorp palette;
    int entries = 0;
    if (png_get_PLTE(r->png, r->info, &palette, &entries))
        for (int i = 0; i < entries && i < 256; i++)
            memcpy(r->palette[i], (uint8_t[]){palette[i].red, palette[i].green, palette[i].blue}, 3);
    if (r->over_white) read_transparency(r, type, depth);
    int may_be_transparent = type & PNG_COLOR_MASK_ALPHA || png_get_valid(r->png, r->info, PNG_INFO_tRNS);
    png_set_packing(r->png);
    int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    size_t bytes = png_get_rowbytes(r->png, r->info);
    /* Rows of an interlaced picture are completed pass by pass; those of any other one need no more than one. */
    if (!(r->rows = calloc(passes > 1 ? height : 1, bytes))) return MISP_IMAGE_NO_MEMORY;
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < height; y++) {
            uint8_t *row = r->rows + (passes > 1 ? y * bytes : 0);
            png_read_row(r->png, row, NULL);
            if (pass < passes - 1) continue;
            uint8_t *line = rgb + (size_t)y * width * 3;
            rgb_from_row(r, row, width, type, depth, line);
            if (r->over_white && may_be_transparent) lay_over_white(r, row, width, type, depth, line);
        }
    png_read_end(r->png, NULL);
    return MISP_IMAGE_OK;
}

static misp_image_status read_picture(reader *r, misp_image_header *header, uint8_t *rgb) {
    if (setjmp(r->escape)) return r->status;
    start(r);
    if (rgb) return read_rows(r, header, rgb);
    header->width = png_get_image_width(r->png, r->info);
    header->height = png_get_image_height(r->png, r->info);
    header->transparent = png_get_color_type(r->png, r->info) & PNG_COLOR_MASK_ALPHA
        || png_get_valid(r->png, r->info, PNG_INFO_tRNS);
    return MISP_IMAGE_OK;
}

misp_image_status misp_png(
    const uint8_t *data, size_t size, misp_image_header *header, int over_white, uint8_t *rgb, char *message) {
    reader *r = calloc(1, sizeof(reader));
    if (!r) return MISP_IMAGE_NO_MEMORY;
    r->data = data;
    r->size = size;
    r->message = message;
    r->over_white = over_white;
    misp_image_status status = MISP_IMAGE_NO_MEMORY;
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, fail, ignore);
    if (r->png && (r->info = png_create_info_struct(r->png))) status = read_picture(r, header, rgb);
    if (rgb) header->transparent = r->transparent;
    png_destroy_read_struct(&r->png, &r->info, NULL);
    free(r->rows);
    free(r);
    return status;
}

misp_image_status misp_png_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t **png, size_t *size,
    char message[MISP_IMAGE_MESSAGE]) {
    png_image image = {.version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGB};
    message[0] = 0;
    *size = PNG_IMAGE_PNG_SIZE_MAX(image);
    if (!(*png = malloc(*size))) return MISP_IMAGE_NO_MEMORY;
    if (png_image_write_to_memory(&image, *png, size, 0, rgb, 0, NULL)) return MISP_IMAGE_OK;
    free(*png);
    *png = NULL;
    return misp_image_fail(MISP_IMAGE_CORRUPT, image.message, message);
}
