// The remote control as its settings want it: where its door is, who may pass.
#include "rooms/swarm/rpc_inside.h"

#include "rt/log.h"

enum { DOORS_MAX = WORLD_ADDRESSES_MAX };

// Where the door is: where the settings say, else on this machine alone.
static int addresses_take(room *r, addr out[DOORS_MAX])
{
    int count = 0, own_count;
    const addr *own = world_addresses(r->world, &own_count);
    for (const statement *l = config_first(r->settings, "rpc-listen"); l; l = config_next(l, "rpc-listen"))
        for (int i = 1; i < l->word_count && count < DOORS_MAX; i++)
            count += addr_parse_ip(l->words[i], 0, &out[count]);
    for (int i = 0; i < own_count && !config_first(r->settings, "rpc-listen") && count < DOORS_MAX; i++)
        if (addr_is_loopback(own[i]) || world_is_simulated(r->world))
            out[count++] = own[i];
    if (!count)
        out[count++] = addr_v4(0x7f000001, 0);
    return count;
}

static bool all_loopback(const addr *at, int count)
{
    for (int i = 0; i < count; i++)
        if (!addr_is_loopback(at[i]))
            return false;
    return true;
}

static rpc_options options_take(room *r)
{
    rpc_options o = {.user = config_text(r->settings, swarm_settings, "rpc-user"),
                     .password = config_text(r->settings, swarm_settings, "rpc-password")};
    str *hosts = arena_array(r->memory, str, RPC_HOSTS_MAX);
    o.hosts = hosts;
    for (const statement *l = config_first(r->settings, "rpc-host"); l && hosts; l = config_next(l, "rpc-host"))
        for (int i = 1; i < l->word_count && o.host_count < RPC_HOSTS_MAX; i++)
            hosts[o.host_count++] = l->words[i];
    return o;
}

err rpc_start(swarm *s, room *r, str *why)
{
    addr at[DOORS_MAX];
    rpc_options options = options_take(r);
    uint16_t port = (uint16_t)config_int(r->settings, swarm_settings, "rpc-port");
    int count = port ? addresses_take(r, at) : 0;
    bool open = config_bool(r->settings, swarm_settings, "rpc-open") || world_is_simulated(r->world);
    if (count && !options.password.len && !all_loopback(at, count) && !open) {
        *why = S("swarm: rpc-listen opens the remote control to the network, and it has no password. Add rpc-password WORD, or leave "
                 "rpc-listen out: then it is on this machine alone.");
        return E_ACCESS;
    }
    rpc *x = rpc_make(s, r, &options);
    if (!x) {
        *why = S("swarm: no memory for the remote control");
        return E_LIMIT;
    }
    rpc_control(x);
    for (int i = 0; i < count; i++) {
        err e = rpc_open(x, addr_with_port(at[i], port));
        if (!e)
            continue;
        *why = str_format(r->memory, "swarm cannot open the remote control on " STR_FMT ": %s. Set another port (swarm { rpc-port N }; 0: none), "
                          "or end the program that has it: ss -lntp shows which.",
                          STR_ARG(addr_text(r->memory, addr_with_port(at[i], port))), err_text(e));
        return e;
    }
    return E_OK;
}
