// OpenSSL's randomness in the simulator: keys, nonces, session ids and ticket names come from the world's seed, so that the
// same seed gives the same bytes on the (simulated) wire. In the real world OpenSSL's own generator stays in place.
#include "rt/tls_inside.h"

#include <limits.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "rt/fiber.h"

// RAND_set_rand_method is deprecated in favour of providers, but it is the one switch that every part of OpenSSL 3.0 honours.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static _Thread_local world *chance_world;

static world *simulated_here(void)
{
    if (chance_world)
        return chance_world;
    return fiber_running() && world_is_simulated(world_here()) ? world_here() : NULL;
}

static int chance_bytes(unsigned char *out, int n)
{
    world *w = simulated_here();
    if (!w)
        return RAND_OpenSSL()->bytes(out, n);
    world_random(w, out, (size_t)n);
    return 1;
}

static int chance_seed(const void *bytes, int n)
{
    return simulated_here() ? 1 : RAND_OpenSSL()->seed(bytes, n);
}

static int chance_add(const void *bytes, int n, double entropy)
{
    return simulated_here() ? 1 : RAND_OpenSSL()->add(bytes, n, entropy);
}

static int chance_status(void) { return simulated_here() ? 1 : RAND_OpenSSL()->status(); }

static void chance_install(void)
{
    static const RAND_METHOD method = {
        .seed = chance_seed, .bytes = chance_bytes, .add = chance_add,
        .pseudorand = chance_bytes, .status = chance_status,
    };
    RAND_set_rand_method(&method);
}

world *tls_chance_from(world *w)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    world *before = chance_world;
    if (world_is_simulated(w)) {
        pthread_once(&once, chance_install);
        chance_world = w;
    }
    return before;
}

void tls_chance_back(world *before) { chance_world = before; }
