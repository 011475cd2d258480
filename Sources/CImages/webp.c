#include "formats.h"

#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

static misp_image_status failure(VP8StatusCode code, char *message) {
    switch (code) {
        case VP8_STATUS_OK: return MISP_IMAGE_OK;
        case VP8_STATUS_OUT_OF_MEMORY: return MISP_IMAGE_NO_MEMORY;
        case VP8_STATUS_SUSPENDED:
        case VP8_STATUS_NOT_ENOUGH_DATA: return MISP_IMAGE_TRUNCATED;
        case VP8_STATUS_UNSUPPORTED_FEATURE:
            return misp_image_fail(MISP_IMAGE_CORRUPT, "unsupported feature", message);
        default: return misp_image_fail(MISP_IMAGE_CORRUPT, "bad bitstream", message);
    }
}

/* The frame in `mode` at its place on a canvas of `bytes` to the pixel, the rest of which stays 0. */
static misp_image_status read_frame(
    const WebPIterator *frame, const misp_image_header *header, WEBP_CSP_MODE mode, size_t bytes, uint8_t *canvas,
    char *message) {
    uint32_t x = (uint32_t)frame->x_offset, y = (uint32_t)frame->y_offset;
    uint32_t width = (uint32_t)frame->width, height = (uint32_t)frame->height;
    if (!frame->complete) return MISP_IMAGE_TRUNCATED;
    if (x + width > header->width || y + height > header->height)
        return misp_image_fail(MISP_IMAGE_CORRUPT, "a frame larger than the picture", message);
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) return MISP_IMAGE_NO_MEMORY;
    size_t stride = (size_t)header->width * bytes, first = y * stride + (size_t)x * bytes;
    if (width != header->width || height != header->height) memset(canvas, 0, stride * header->height);
    config.output.colorspace = mode;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = canvas + first;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * header->height - first;
    /* Guards the output against a bitstream whose size is not the container's. */
    VP8StatusCode code = WebPGetFeatures(frame->fragment.bytes, frame->fragment.size, &config.input);
    if (code != VP8_STATUS_OK) return failure(code, message);
    if ((uint32_t)config.input.width != width || (uint32_t)config.input.height != height)
        return misp_image_fail(MISP_IMAGE_CORRUPT, "two different sizes", message);
    return failure(WebPDecode(frame->fragment.bytes, frame->fragment.size, &config), message);
}

static misp_image_status read_over_white(
    const WebPIterator *frame, misp_image_header *header, uint8_t *rgb, char *message) {
    size_t pixels = (size_t)header->width * header->height;
    uint8_t *rgba = malloc(pixels * 4);
    if (!rgba) return MISP_IMAGE_NO_MEMORY;
    misp_image_status status = read_frame(frame, header, MODE_RGBA, 4, rgba, message);
    for (size_t i = 0; status == MISP_IMAGE_OK && i < pixels; i++) {
        uint8_t alpha = rgba[4 * i + 3];
        if (alpha != 255) header->transparent = 1;
        for (int c = 0; c < 3; c++) rgb[3 * i + c] = misp_over_white(rgba[4 * i + c], alpha);
    }
    free(rgba);
    return status;
}

misp_image_status misp_webp(
    const uint8_t *data, size_t size, misp_image_header *header, int over_white, uint8_t *rgb, char *message) {
    WebPBitstreamFeatures features;
    VP8StatusCode code = WebPGetFeatures(data, size, &features);
    if (!rgb) {
        if (code != VP8_STATUS_OK) return failure(code, message);
        header->width = (uint32_t)features.width;
        header->height = (uint32_t)features.height;
        header->transparent = (uint8_t)features.has_alpha;
        return MISP_IMAGE_OK;
    }
    WebPData content = {data, size};
    WebPDemuxState state;
    WebPDemuxer *demuxer = WebPDemuxPartial(&content, &state);
    if (!demuxer || state != WEBP_DEMUX_DONE) {
        WebPDemuxDelete(demuxer);
        if (state != WEBP_DEMUX_PARSE_ERROR) return MISP_IMAGE_TRUNCATED;
        return misp_image_fail(MISP_IMAGE_CORRUPT, "bad container", message);
    }
    misp_image_status status = misp_image_fail(MISP_IMAGE_CORRUPT, "no frame of the announced size", message);
    WebPIterator frame;
    if (WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH) == header->width
        && WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT) == header->height
        && WebPDemuxGetFrame(demuxer, 1, &frame)) {
        status = over_white && code == VP8_STATUS_OK && features.has_alpha
            ? read_over_white(&frame, header, rgb, message)
            : read_frame(&frame, header, MODE_RGB, 3, rgb, message);
        WebPDemuxReleaseIterator(&frame);
    }
    WebPDemuxDelete(demuxer);
    if (status == MISP_IMAGE_OK) message[0] = 0;
    return status;
}
