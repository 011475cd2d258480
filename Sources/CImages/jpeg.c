#include "formats.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

/* A progressive file may hold any number of scans, each costing a pass over the whole picture. */
enum { MAXIMUM_SCANS = 200 };

typedef struct {
    struct jpeg_decompress_struct decoder;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    struct jpeg_source_mgr source;
    jmp_buf escape;
    misp_image_status status; /* what a longjmp to `escape` means */
    char *message;
    uint8_t *row; /* of CMYK pictures */
} reader;

static void error_exit(j_common_ptr decoder) {
    reader *r = decoder->client_data;
    char text[JMSG_LENGTH_MAX];
    decoder->err->format_message(decoder, text);
    r->status = misp_image_fail(MISP_IMAGE_CORRUPT, text, r->message);
    longjmp(r->escape, 1);
}

/* Warnings (stray bytes between markers and the like) are common in the wild and tolerated by every viewer. */
static void emit_message(j_common_ptr decoder, int level) {}
static void output_message(j_common_ptr decoder) {}

static void truncated(reader *r) {
    r->status = MISP_IMAGE_TRUNCATED;
    longjmp(r->escape, 1);
}

static void start_source(j_decompress_ptr decoder) {}

/* All data are there from the beginning: wanting more is the end. */
static boolean fill_input_buffer(j_decompress_ptr decoder) {
    truncated(decoder->client_data);
    return FALSE;
}

static void skip_input_data(j_decompress_ptr decoder, long count) {
    if (count <= 0) return;
    if ((size_t)count > decoder->src->bytes_in_buffer) truncated(decoder->client_data);
    decoder->src->next_input_byte += count;
    decoder->src->bytes_in_buffer -= (size_t)count;
}

static void limit_scans(j_common_ptr decoder) {
    reader *r = decoder->client_data;
    if (r->decoder.input_scan_number > MAXIMUM_SCANS) {
        r->status = misp_image_fail(MISP_IMAGE_CORRUPT, "too many scans", r->message);
        longjmp(r->escape, 1);
    }
}

/* Stored inverted, as Adobe's programs do: c, m, y and k here are 255 minus the amount of ink. */
static void rgb_from_cmyk(const uint8_t *cmyk, uint32_t width, uint8_t *rgb) {
    for (uint32_t x = 0; x < width; x++) {
        int light = cmyk[4 * x + 3];
        for (int channel = 0; channel < 3; channel++) {
            int product = (255 - cmyk[4 * x + channel]) * light + 128;
            rgb[3 * x + channel] = (uint8_t)(light - (((product >> 8) + product) >> 8));
        }
    }
}

static void start(reader *r, const uint8_t *data, size_t size) {
    r->decoder.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = error_exit;
    r->errors.emit_message = emit_message;
    r->errors.output_message = output_message;
    r->decoder.client_data = r;
    jpeg_create_decompress(&r->decoder);
    r->progress.progress_monitor = limit_scans;
    r->decoder.progress = &r->progress;
    r->source.next_input_byte = data;
    r->source.bytes_in_buffer = size;
    r->source.init_source = start_source;
    r->source.fill_input_buffer = fill_input_buffer;
    r->source.skip_input_data = skip_input_data;
    r->source.resync_to_restart = jpeg_resync_to_restart;
    r->source.term_source = start_source;
    r->decoder.src = &r->source;
    jpeg_read_header(&r->decoder, TRUE);
}

static misp_image_status read_rows(reader *r, const misp_image_header *header, uint8_t *rgb) {
    struct jpeg_decompress_struct *decoder = &r->decoder;
    if (decoder->image_width != header->width || decoder->image_height != header->height)
        return misp_image_fail(MISP_IMAGE_CORRUPT, "two different sizes", r->message);
    int components = decoder->num_components;
    if (components != 1 && components != 3 && components != 4)
        return misp_image_fail(MISP_IMAGE_CORRUPT, "neither grey, colour nor CMYK", r->message);
    decoder->out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
    if (components == 4 && !(r->row = malloc((size_t)header->width * 4))) return MISP_IMAGE_NO_MEMORY;
    jpeg_start_decompress(decoder);
    while (decoder->output_scanline < decoder->output_height) {
        uint8_t *line = rgb + (size_t)decoder->output_scanline * header->width * 3;
        JSAMPROW target = components == 4 ? r->row : line;
        jpeg_read_scanlines(decoder, &target, 1);
        if (components == 4) rgb_from_cmyk(r->row, header->width, line);
    }
    return MISP_IMAGE_OK;
}

static misp_image_status read_picture(
    reader *r, const uint8_t *data, size_t size, misp_image_header *header, uint8_t *rgb) {
    if (setjmp(r->escape)) return r->status;
    start(r, data, size);
    if (rgb) return read_rows(r, header, rgb);
    header->width = r->decoder.image_width;
    header->height = r->decoder.image_height;
    return MISP_IMAGE_OK;
}

misp_image_status misp_jpeg(const uint8_t *data, size_t size, misp_image_header *header, uint8_t *rgb, char *message) {
    reader *r = calloc(1, sizeof(reader));
    if (!r) return MISP_IMAGE_NO_MEMORY;
    r->message = message;
    misp_image_status status = read_picture(r, data, size, header, rgb);
    jpeg_destroy_decompress(&r->decoder);
    free(r->row);
    free(r);
    return status;
}
