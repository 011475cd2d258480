#ifndef CCURL_H
#define CCURL_H

#include <stddef.h>

/*
 * POST requests of JSON by libcurl, any number of them at the same time in one thread. Certificates are verified, and
 * proxies are those of the environment. Redirects are not followed: they would take the authorization elsewhere.
 */

typedef struct misp_http misp_http;
typedef struct misp_http_request misp_http_request;

typedef enum misp_http_end {
    /* The server replied, with whatever status. */
    MISP_HTTP_REPLIED,
    /* No whole reply came: no connection, a connection that was cut, or none in time. */
    MISP_HTTP_CUT,
    /* The host's name is not known here. */
    MISP_HTTP_UNKNOWN_HOST,
    /* It would fail again: a certificate that is not trusted, an address that is none. */
    MISP_HTTP_HOPELESS,
    /* The reply is longer than allowed. */
    MISP_HTTP_TOO_LONG,
} misp_http_end;

/* NULL where libcurl cannot start. */
misp_http *misp_http_new(void);
/* After its requests. */
void misp_http_free(misp_http *http);

/*
 * Starts a request; the body is copied. `authorization` is a whole header line or NULL, `limit` the bytes of a reply
 * that are read at most. NULL where libcurl refuses.
 */
misp_http_request *misp_http_post(misp_http *http, const char *url, const char *authorization, const void *body,
                                  size_t count, long milliseconds, size_t limit);

/* Moves bytes, and waits up to so many milliseconds for some to move. NULL, or what went wrong. */
const char *misp_http_run(misp_http *http, int milliseconds);
/* A request that has ended, each once; NULL where there is none. */
misp_http_request *misp_http_next(misp_http *http);

misp_http_end misp_http_request_end(const misp_http_request *request);
/* HTTP's status, of a reply. */
long misp_http_request_status(const misp_http_request *request);
/* Seconds that the server asks to wait; -1 where it asks for nothing. */
long misp_http_request_wait(const misp_http_request *request);
/* Why it failed, in curl's words. */
const char *misp_http_request_reason(const misp_http_request *request);
const void *misp_http_request_bytes(const misp_http_request *request);
size_t misp_http_request_count(const misp_http_request *request);
/* Cancels a request that is under way. */
void misp_http_request_free(misp_http_request *request);

#endif
