#include <stdio.h>

#include "cmd/small_internet.h"
#include "rt/sim.h"
#include "stage.h"

typedef struct {
    sim            *sim;
    small_internet  internet;
    stage_play     *play;
    void           *arg;
    bool            ok;
} theatre;

uint16_t stage_port(str service)
{
    static const struct { const char *name; uint16_t port;
    } services[] = {
        {"smtp", 25},   {"submission", 587}, {"submissions", 465}, {"pop3", 110},
        {"pop3s", 995}, {"dns", 53},         {"upper", 12000},
    };
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (str_eq(service, str_z(services[i].name)))
            return services[i].port;
    return 0;
}

static bool where(void *arg, str host, str service, addr *out)
{
    theatre *t = arg;
    const small_host *h = small_find(&t->internet, host);
    for (int i = 0; !h && i < t->internet.count; i++)
        if (str_eq_nocase(t->internet.hosts[i].host->mail_domain, host))
            h = &t->internet.hosts[i];
    if (!h || !stage_port(service))
        return false;
    *out = addr_with_port(h->host->here[0], stage_port(service));
    return true;
}

static bool password(void *arg, str who, arena *a, str *out)
{
    theatre *t = arg;
    const small_account *account = small_account_of(&t->internet, who);
    if (account)
        *out = str_copy(a, account->password);
    return account;
}

static world *machine_make(void *arg, str name, const addr *addresses, int count)
{
    return sim_host(((theatre *)arg)->sim, name, addresses, count,
                    (sim_disk){.write_ns = 10000, .sync_ns = millis(1)});
}

static void first(void *arg)
{
    theatre *t = arg;
    small_options options = {.directory = S("data"), .real_addresses = true, .real_ports = true, .make = machine_make,
                             .make_arg = t, .retry_ns = seconds(2), .expire_ns = minutes(10)};
    str why = {0};
    arena a = arena_make(1 << 20);
    t->ok = small_internet_start(&t->internet, options, &why) == E_OK;
    if (!t->ok)
        fprintf(stderr, "naru-talk: the small Internet does not start: " STR_FMT "\n", STR_ARG(why));
    addr own = addr_v4(0x0a6f0001, 0);
    world *visitor = sim_host(t->sim, S("visitor"), &own, 1, (sim_disk){0}), *home = world_here();
    fiber_world(visitor);
    tls_config *tls = tls_client_new(visitor, t->internet.ca.cert_pem, NULL, &a, &why);
    talk_stage stage = {
        .name = "simulator", .world = visitor, .tls = tls, .where = where, .password = password, .arg = t};
    if (t->ok)
        t->play(&stage, t->arg);
    tls_free(tls);
    fiber_world(home);
    small_internet_stop(&t->internet);
    arena_free(&a);
}

bool stage_simulated(uint64_t seed, stage_play *play, void *arg)
{
    static theatre t;
    t = (theatre){.sim = sim_new(seed), .play = play, .arg = arg};
    err e = sim_run(t.sim, first, &t);
    sim_free(t.sim);
    if (e)
        fprintf(stderr, "naru-talk: fibers were left in the simulator\n");
    return t.ok && !e;
}
