#include "formats.h"

#include <stdio.h>
#include <string.h>

misp_image_status misp_image_fail(misp_image_status status, const char *text, char *message) {
    snprintf(message, MISP_IMAGE_MESSAGE, "%s", text);
    return status;
}

static misp_image_status dispatch(
    const uint8_t *data, size_t size, misp_image_header *header, int over_white, uint8_t *rgb, char *message) {
    message[0] = 0;
    header->transparent = 0;
    if (size >= 8 && !memcmp(data, "\x89PNG\r\n\x1a\n", 8)) {
        header->format = MISP_IMAGE_PNG;
        return misp_png(data, size, header, over_white, rgb, message);
    }
    if (size >= 3 && !memcmp(data, "\xff\xd8\xff", 3)) {
        header->format = MISP_IMAGE_JPEG;
        return misp_jpeg(data, size, header, rgb, message);
    }
    if (size >= 12 && !memcmp(data, "RIFF", 4) && !memcmp(data + 8, "WEBP", 4)) {
        header->format = MISP_IMAGE_WEBP;
        return misp_webp(data, size, header, over_white, rgb, message);
    }
    return MISP_IMAGE_UNRECOGNIZED;
}

misp_image_status misp_image_read_header(
    const uint8_t *data, size_t size, misp_image_header *header, char message[MISP_IMAGE_MESSAGE]) {
    return dispatch(data, size, header, 0, NULL, message);
}

misp_image_status misp_image_decode(
    const uint8_t *data, size_t size, misp_image_header *header, int over_white, uint8_t *rgb,
    char message[MISP_IMAGE_MESSAGE]) {
    return dispatch(data, size, header, over_white, rgb, message);
}
