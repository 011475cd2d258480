#ifndef MISP_CIMAGES_FORMATS_H
#define MISP_CIMAGES_FORMATS_H

#include "CImages.h"

/* A null `rgb` reads the header into `header`; otherwise `header` is what the picture must turn out to be. */
misp_image_status misp_png(const uint8_t *data, size_t size, misp_image_header *header, uint8_t *rgb, char *message);
misp_image_status misp_jpeg(const uint8_t *data, size_t size, misp_image_header *header, uint8_t *rgb, char *message);
misp_image_status misp_webp(const uint8_t *data, size_t size, misp_image_header *header, uint8_t *rgb, char *message);

/* Sets the message and returns `status`. */
misp_image_status misp_image_fail(misp_image_status status, const char *text, char *message);

#endif
