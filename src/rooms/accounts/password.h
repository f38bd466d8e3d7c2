// Password hashes: argon2id (RFC 9106) in its text form, which carries its own costs and salt. Slow on purpose:
// everything here runs inside work().
#pragma once
#include "base/text.h"
#include "rt/world.h"

enum {
    PASSWORD_HASH_MAX = 160,         // bytes of "$argon2id$v=19$m=...", with its NUL
    PASSWORD_BYTES_MIN = 8,
    PASSWORD_BYTES_MAX = 255,        // as SASL carries it (RFC 4616)
    APP_PASSWORD_BYTES = 37,         // "naru-" and 32 letters of 5 bits: 160 bits of chance
};

typedef struct { uint32_t memory_kib, passes; } password_cost;

// False when the machine has no memory for it.
bool password_hash(world *w, str password, password_cost cost, char out[PASSWORD_HASH_MAX]);
bool password_verify(const char *hash, str password);
// A generated app password cannot be guessed, so its hash may be cheap.
void app_password_make(world *w, char out[APP_PASSWORD_BYTES + 1]);
bool app_password_looks(str password);
password_cost app_password_cost(void);
