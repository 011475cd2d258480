#ifndef MISP_CIMAGES_FORMATS_H
#define MISP_CIMAGES_FORMATS_H

#include "CImages.h"

/* A null `rgb` reads the header into `header`; otherwise `header` is what the picture must turn out to be. */
misp_image_status misp_png(
    const uint8_t *data, size_t size, misp_image_header *header, int over_white, uint8_t *rgb, char *message);
misp_image_status misp_jpeg(const uint8_t *data, size_t size, misp_image_header *header, uint8_t *rgb, char *message);
misp_image_status misp_webp(
    const uint8_t *data, size_t size, misp_image_header *header, int over_white, uint8_t *rgb, char *message);

/* A sample over opaque white: Pillow's alpha_composite, in its integers. */
static inline uint8_t misp_over_white(uint8_t sample, uint8_t alpha) {
    uint32_t sum = (sample * (uint32_t)alpha + 255u * (255u - alpha) + 128u) << 7;
    return (uint8_t)((((sum >> 8) + sum) >> 8) >> 7);
}

/* Sets the message and returns `status`. */
misp_image_status misp_image_fail(misp_image_status status, const char *text, char *message);

#endif
