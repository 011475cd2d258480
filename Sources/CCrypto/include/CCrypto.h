#ifndef CCRYPTO_H
#define CCRYPTO_H

#include <stddef.h>

/* SHA-256 by OpenSSL, which takes the processor's own instructions for it where there are any. */

typedef struct misp_sha256 misp_sha256;

/* NULL where there is no memory. */
misp_sha256 *misp_sha256_new(void);
misp_sha256 *misp_sha256_copy(const misp_sha256 *hash);
void misp_sha256_add(misp_sha256 *hash, const void *bytes, size_t count);
/* The digest of all that was added; nothing may be added afterwards. */
void misp_sha256_finish(misp_sha256 *hash, unsigned char digest[32]);
void misp_sha256_free(misp_sha256 *hash);

#endif
