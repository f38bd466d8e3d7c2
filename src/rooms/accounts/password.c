#include "rooms/accounts/password.h"

#include <argon2.h>
#include <string.h>

#include "rt/worker.h"

enum { SALT_BYTES = 16, HASH_BYTES = 32, LANES = 1 };
#define COST_OF_A_KIB_NS 1000ll      // in the simulator: about what it takes

bool password_hash(world *w, str password, password_cost cost, char out[PASSWORD_HASH_MAX])
{
    unsigned char salt[SALT_BYTES];
    world_random(w, salt, sizeof salt);
    work_charge(cost.memory_kib * cost.passes * COST_OF_A_KIB_NS);
    return argon2id_hash_encoded(cost.passes, cost.memory_kib, LANES, password.at, (size_t)password.len, salt,
                                 sizeof salt,
                                 HASH_BYTES, out, PASSWORD_HASH_MAX) == ARGON2_OK;
}

bool password_verify(const char *hash, str password)
{
    work_charge(20 * 1000 * COST_OF_A_KIB_NS);
    return argon2id_verify(hash, password.at, (size_t)password.len) == ARGON2_OK;
}

void app_password_make(world *w, char out[APP_PASSWORD_BYTES + 1])
{
    static const char LETTERS[] = "abcdefghijkmnpqrstuvwxyz23456789";      // 32 that no reader confuses
    unsigned char chance[32];
    world_random(w, chance, sizeof chance);
    memcpy(out, "naru-", 5);
    for (size_t i = 0; i < sizeof chance; i++)
        out[5 + i] = LETTERS[chance[i] & 31];
    out[APP_PASSWORD_BYTES] = 0;
}

bool app_password_looks(str password) { return password.len == APP_PASSWORD_BYTES && str_starts(password, S("naru-")); }

password_cost app_password_cost(void) { return (password_cost){.memory_kib = 64, .passes = 1}; }
