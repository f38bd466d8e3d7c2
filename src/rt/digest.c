#include "rt/digest.h"

#include <openssl/evp.h>

#include "base/heap_memory.h"
#include "base/must.h"

struct digest {
    EVP_MD_CTX   *context;
    const EVP_MD *kind;
};

digest *digest_new(digest_kind kind)
{
    digest *d = memory_new(sizeof *d);
    *d = (digest){EVP_MD_CTX_new(), kind == DIGEST_SHA1 ? EVP_sha1() : EVP_sha256()};
    must(d->context && EVP_DigestInit_ex(d->context, d->kind, NULL) == 1);
    return d;
}

void digest_add(digest *d, str data) { must(EVP_DigestUpdate(d->context, data.at, (size_t)data.len) == 1); }

void digest_take(digest *d, unsigned char *out)
{
    must(EVP_DigestFinal_ex(d->context, out, NULL) == 1);
    must(EVP_DigestInit_ex(d->context, d->kind, NULL) == 1);
}

void digest_free(digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->context);
    memory_free(d);
}

void digest_of(digest_kind kind, str data, unsigned char *out)
{
    digest *d = digest_new(kind);
    digest_add(d, data);
    digest_take(d, out);
    digest_free(d);
}
