// SHA-1 and SHA-256 by OpenSSL, which uses what the processor has. A computation: long ones belong into work() (worker.h).
#pragma once
#include "base/text.h"

typedef enum { DIGEST_SHA1, DIGEST_SHA256 } digest_kind;
enum { DIGEST_SHA1_BYTES = 20, DIGEST_SHA256_BYTES = 32 };

typedef struct digest digest;

digest *digest_new(digest_kind kind);                // ready to add; free with digest_free
void    digest_add(digest *d, str data);
void    digest_take(digest *d, unsigned char *out);  // 20 or 32 bytes of all that was added; then it is as new
void    digest_free(digest *d);                      // NULL is fine

void    digest_of(digest_kind kind, str data, unsigned char *out);       // of one text
