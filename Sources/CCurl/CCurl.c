#include "CCurl.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

/* How long a host may take to accept a connection, in milliseconds. */
enum { CONNECT_MILLISECONDS = 30000 };

struct misp_http_request {
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    CURLcode code;
    char reason[CURL_ERROR_SIZE];
    unsigned char *bytes;
    size_t count, room, limit;
};

misp_http *misp_http_new(void) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return NULL;
    return (misp_http *)curl_multi_init();
}

void misp_http_free(misp_http *http) { curl_multi_cleanup((CURLM *)http); }

/* Anything but the number of bytes ends the request with CURLE_WRITE_ERROR. */
static size_t take(char *bytes, size_t size, size_t members, void *user) {
    misp_http_request *request = user;
    size_t count = size * members;
    if (count > request->limit - request->count) return 0;
    if (request->count + count > request->room) {
        size_t room = 2 * request->room + count;
        unsigned char *grown = realloc(request->bytes, room);
        if (!grown) return 0;
        request->bytes = grown;
        request->room = room;
    }
    memcpy(request->bytes + request->count, bytes, count);
    request->count += count;
    return count;
}

static int add_header(misp_http_request *request, const char *line) {
    struct curl_slist *longer = curl_slist_append(request->headers, line);
    if (!longer) return 0;
    request->headers = longer;
    return 1;
}

static void allow_http_alone(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static int set(misp_http_request *request, const char *url, const void *body, size_t count, long milliseconds) {
    CURL *easy = request->easy;
    long connect = milliseconds < CONNECT_MILLISECONDS ? milliseconds : CONNECT_MILLISECONDS;
    allow_http_alone(easy);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "misp");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->reason);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK
        && curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body) == CURLE_OK;
}

misp_http_request *misp_http_post(misp_http *http, const char *url, const char *authorization, const void *body,
                                  size_t count, long milliseconds, size_t limit) {
    misp_http_request *request = calloc(1, sizeof *request);
    if (!request) return NULL;
    request->limit = limit;
    request->easy = curl_easy_init();
    /* Without the empty Expect curl asks first whether it may send a picture, and waits for the answer. */
    if (request->easy && add_header(request, "Content-Type: application/json") && add_header(request, "Expect:")
        && (!authorization || add_header(request, authorization)) && set(request, url, body, count, milliseconds)
        && curl_multi_add_handle((CURLM *)http, request->easy) == CURLM_OK) {
        request->multi = (CURLM *)http;
        return request;
    }
    misp_http_request_free(request);
    return NULL;
}

const char *misp_http_run(misp_http *http, int milliseconds) {
    int running = 0;
    CURLMcode code = curl_multi_perform((CURLM *)http, &running);
    if (code == CURLM_OK) code = curl_multi_poll((CURLM *)http, NULL, 0, milliseconds, NULL);
    if (code == CURLM_OK) code = curl_multi_perform((CURLM *)http, &running);
    return code == CURLM_OK ? NULL : curl_multi_strerror(code);
}

misp_http_request *misp_http_next(misp_http *http) {
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read((CURLM *)http, &left));) {
        if (message->msg != CURLMSG_DONE) continue;
        char *user = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
        misp_http_request *request = (misp_http_request *)user;
        request->code = code;
        return request;
    }
    return NULL;
}

misp_http_end misp_http_request_end(const misp_http_request *request) {
    switch (request->code) {
        case CURLE_OK: return MISP_HTTP_REPLIED;
        case CURLE_WRITE_ERROR: return MISP_HTTP_TOO_LONG;
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY: return MISP_HTTP_UNKNOWN_HOST;
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
        case CURLE_NOT_BUILT_IN:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_ENGINE_NOTFOUND: return MISP_HTTP_HOPELESS;
        default: return MISP_HTTP_CUT;
    }
}

long misp_http_request_status(const misp_http_request *request) {
    long status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

long misp_http_request_wait(const misp_http_request *request) {
    curl_off_t seconds = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &seconds);
    return seconds > 0 ? (long)seconds : -1;
}

const char *misp_http_request_reason(const misp_http_request *request) {
    return request->reason[0] ? request->reason : curl_easy_strerror(request->code);
}

const void *misp_http_request_bytes(const misp_http_request *request) { return request->bytes; }

size_t misp_http_request_count(const misp_http_request *request) { return request->count; }

void misp_http_request_free(misp_http_request *request) {
    if (!request) return;
    if (request->multi) curl_multi_remove_handle(request->multi, request->easy);
    curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->headers);
    free(request->bytes);
    free(request);
}
