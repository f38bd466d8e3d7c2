// F1: the course's example of both bounds, and a small race in the simulator that shows that they are right and (nearly) reached.
#include "cmd/play.h"
#include "cmd/race.h"
#include "rt/worker.h"

enum { PEERS = 10, PER_MILLE_SERVER = 1050, PER_MILLE_P2P = 1300 };

typedef struct {
    race_plan plan;
    race_kind kind;
    race_outcome out;
    bool  ok;
    arena memory;
    str   why;
} simulated;

static void simulate(void *arg)                  // in work(): the simulator runs a loop of its own on the worker's thread
{
    simulated *s = arg;
    s->ok = race_simulate(&s->plan, PEERS, s->kind, &s->out, &s->memory, &s->why);
}

static void race_one(play *p, race_kind kind, const char *what, int per_mille_most, int64_t *ms)
{
    simulated s = {.kind = kind, .memory = arena_make(1 << 20)};
    s.plan = (race_plan){.file_bytes = 16 << 20, .piece_bytes = 32768, .server_rate = 1000000, .peer_rates = {1000000}, .peer_rate_count = 1,
                         .mode = CHOKER_DEFAULT, .seed = 1};
    work(simulate, &s);
    *ms = s.out.last_ms;
    if (play_check(p, s.ok, "%s: everybody has the file%s" STR_FMT, what, s.why.len ? ": " : "", STR_ARG(s.why)))
        play_check(p, s.out.last_ms >= s.out.bound_ms * 99 / 100 && s.out.last_ms * 1000 <= s.out.bound_ms * per_mille_most,
                   "the last of %d after %lld.%lld s; the bound is %lld.%lld s", PEERS, (long long)s.out.last_ms / 1000,
                   (long long)s.out.last_ms % 1000 / 100, (long long)s.out.bound_ms / 1000, (long long)s.out.bound_ms % 1000 / 100);
    arena_free(&s.memory);
}

void race_act(play *p)
{
    static const int64_t u[] = {1000000};
    race_lines course = {.file_bytes = 3600000000, .server_rate = 10000000, .down_rate = 10000000, .peer_rates = u, .peer_rate_count = 1};
    play_tell(p, "F/u = 1 hour, u_s = 10u, d_min >= u_s: D_cs = max{N F/u_s, F/d_min}, D_p2p = max{F/u_s, F/d_min, N F/(u_s + sum u_i)}");
    play_check(p, race_client_server_ms(&course, 30, NULL) == 10800000, "N = 30, one server: 3 hours, and another 6 minutes for each peer more");
    play_check(p, race_p2p_ms(&course, 30, NULL) == 2700000, "N = 30, peer to peer: 45 minutes, and never more than an hour");
    play_tell(p, "Is the bound right, and can it be reached? 16 MiB to %d peers, each sends 8 Mbit/s, as does the first source; simulated", PEERS);
    int64_t server_ms, p2p_ms;
    race_one(p, RACE_CLIENT_SERVER, "one server", PER_MILLE_SERVER, &server_ms);
    race_one(p, RACE_P2P, "peer to peer", PER_MILLE_P2P, &p2p_ms);
    play_check(p, p2p_ms > 0 && p2p_ms * 3 < server_ms, "the peers are at least three times as fast as the server alone");
    play_tell(p, "No sum of lines carries more than N F bytes in less time: that is the bound. Pieces keep every line busy: so it is nearly reached");
}
