#ifndef MISP_CIMAGES_H
#define MISP_CIMAGES_H

#include <stddef.h>
#include <stdint.h>

/* Still pictures to 8-bit RGB, byte for byte what Pillow's Image.open(...).convert("RGB") holds: no EXIF rotation,
   gamma or colour profile; the first frame of an animation. Alpha is dropped, or the picture laid over white as
   Pillow's alpha_composite does. The libraries' errors (longjmp included) end here and come back as a status. */

typedef enum {
    MISP_IMAGE_OK = 0,
    MISP_IMAGE_UNRECOGNIZED = 1, /* none of the three formats */
    MISP_IMAGE_TRUNCATED = 2,    /* the data end too early */
    MISP_IMAGE_CORRUPT = 3,      /* the message says how */
    MISP_IMAGE_NO_MEMORY = 4
} misp_image_status;

typedef enum { MISP_IMAGE_PNG = 0, MISP_IMAGE_JPEG = 1, MISP_IMAGE_WEBP = 2 } misp_image_format;

typedef struct {
    misp_image_format format;
    uint32_t width, height;
    /* From the header: whether pixels may be transparent. After decoding over white: whether any is. */
    uint8_t transparent;
} misp_image_header;

enum { MISP_IMAGE_MESSAGE = 256 };

/* Reads as much of the data as the header needs; allocates nothing that grows with the picture. */
misp_image_status misp_image_read_header(
    const uint8_t *data, size_t size, misp_image_header *header, char message[MISP_IMAGE_MESSAGE]);

/* Writes height * width * 3 bytes to `rgb`; `header` is what misp_image_read_header gave for the same data. */
misp_image_status misp_image_decode(
    const uint8_t *data, size_t size, misp_image_header *header, int over_white, uint8_t *rgb,
    char message[MISP_IMAGE_MESSAGE]);

/* Encodes 8-bit RGB as PNG into `*png`, to be released with free. */
misp_image_status misp_png_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, uint8_t **png, size_t *size,
    char message[MISP_IMAGE_MESSAGE]);

/* Encodes 8-bit RGB as baseline JPEG of `quality` 1 to 100 into `*jpeg`, to be released with free. */
misp_image_status misp_jpeg_encode(
    const uint8_t *rgb, uint32_t width, uint32_t height, int quality, uint8_t **jpeg, size_t *size,
    char message[MISP_IMAGE_MESSAGE]);

#endif
