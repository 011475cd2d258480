#include "CCrypto.h"

#include <openssl/evp.h>

static EVP_MD_CTX *context(const misp_sha256 *hash) { return (EVP_MD_CTX *)hash; }

misp_sha256 *misp_sha256_new(void) {
    EVP_MD_CTX *new = EVP_MD_CTX_new();
    if (new && EVP_DigestInit_ex(new, EVP_sha256(), NULL) == 1) return (misp_sha256 *)new;
    EVP_MD_CTX_free(new);
    return NULL;
}

misp_sha256 *misp_sha256_copy(const misp_sha256 *hash) {
    EVP_MD_CTX *new = EVP_MD_CTX_new();
    if (new && EVP_MD_CTX_copy_ex(new, context(hash)) == 1) return (misp_sha256 *)new;
    EVP_MD_CTX_free(new);
    return NULL;
}

void misp_sha256_add(misp_sha256 *hash, const void *bytes, size_t count) {
    if (count) EVP_DigestUpdate(context(hash), bytes, count);
}

void misp_sha256_finish(misp_sha256 *hash, unsigned char digest[32]) {
    EVP_DigestFinal_ex(context(hash), digest, NULL);
}

void misp_sha256_free(misp_sha256 *hash) { EVP_MD_CTX_free(context(hash)); }
