#include "formats.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

typedef struct {
    struct jpeg_compress_struct encoder;
    struct jpeg_error_mgr errors;
    jmp_buf escape;
    char *message;
    unsigned char *bytes; /* grown by the library, lost to nobody when it fails */
    unsigned long size;
} writer;

static void error_exit(j_common_ptr encoder) {
    writer *w = encoder->client_data;
    char text[JMSG_LENGTH_MAX];
    encoder->err->format_message(encoder, text);
    misp_image_fail(MISP_IMAGE_CORRUPT, text, w->message);
    longjmp(w->escape, 1);
}

static void output_message(j_common_ptr encoder) {}

misp_image_status misp_jpeg_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, uint8_t **jpeg, size_t *size,
    char message[MISP_IMAGE_MESSAGE]) {
    writer *w = calloc(1, sizeof *w);
    message[0] = 0;
    if (!w) return MISP_IMAGE_NO_MEMORY;
    w->message = message;
    w->encoder.err = jpeg_std_error(&w->errors);
    w->encoder.client_data = w;
    w->errors.error_exit = error_exit;
    w->errors.output_message = output_message;
    misp_image_status status = MISP_IMAGE_CORRUPT;
    if (setjmp(w->escape) == 0) {
        jpeg_create_compress(&w->encoder);
        jpeg_mem_dest(&w->encoder, &w->bytes, &w->size);
        w->encoder.image_width = width;
        w->encoder.image_height = height;
        w->encoder.input_components = 3;
        w->encoder.in_color_space = JCS_RGB;
        jpeg_set_defaults(&w->encoder);
        jpeg_set_quality(&w->encoder, quality, TRUE);
        jpeg_start_compress(&w->encoder, TRUE);
        while (w->encoder.next_scanline < height) {
            JSAMPROW row = (JSAMPROW)(rgb + (size_t)w->encoder.next_scanline * width * 3);
            jpeg_write_scanlines(&w->encoder, &row, 1);
        }
        jpeg_finish_compress(&w->encoder);
        *jpeg = w->bytes;
        *size = w->size;
        w->bytes = NULL;
        status = MISP_IMAGE_OK;
    }
    jpeg_destroy_compress(&w->encoder);
    free(w->bytes);
    free(w);
    return status;
}
