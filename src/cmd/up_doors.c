// What the supervisor makes before its services run: directories, and the sockets that it keeps for them.
#include <string.h>

#include "cmd/up_inside.h"
#include "rt/inherit.h"
#include "rt/own_dir.h"

// Services that are users of their own must get through every directory above theirs. Empty: they do.
str up_closed_parent(uping *u, arena *a)
{
    str closed = {0};
    world *w = world_linux_new(S("naru"), NULL, 0);
    for (ptrdiff_t i = 1; i < u->plan.directory.len && own_user() == 0 && !closed.len; i++) {
        file_stat st;
        str parent = str_first(u->plan.directory, i);
        if (u->plan.directory.at[i] == '/' && path_stat(w, str_to_z(a, parent), &st) == E_OK && (st.mode & 0001) == 0)
            closed = parent;
    }
    world_linux_free(w);
    return closed;
}

bool up_directories_make(uping *u, arena *a)
{
    bool root = own_user() == 0, good = true;
    world *w = world_linux_new(S("naru"), NULL, 0);
    good = dir_make(w, str_to_z(a, u->plan.directory), 0700) == E_OK;
    good = good && dir_give(str_to_z(a, u->plan.directory), root ? 0711 : 0700, 0, 0) &&
           dir_give(up_path(&u->plan, a, "run"), root ? 0711 : 0700, 0, 0);
    for (int i = 0; i < UP_POLICIES && good; i++)
        if (u->plan.services[i].wanted && u->plan.services[i].policy->writes)
            good = dir_give(up_path(&u->plan, a, "%s", up_name(u, i)), 0700, u->plan.services[i].user, UP_GROUP_ALL);
    world_linux_free(w);
    return good;
}

static inherit_peers peers_of(const up_plan *plan, const char *name)
{
    inherit_peers peers = {0};
    for (int i = 0; i < UP_POLICIES && own_user() == 0; i++)
        for (int k = 0; k < UP_INSIDE_MAX && plan->services[i].policy->peers[k]; k++)
            if (strcmp(plan->services[i].policy->peers[k], name) == 0)
                peers.users[peers.count++] = plan->services[i].user;
    return peers;
}

static unsigned inside_group(void) { return own_user() == 0 ? UP_GROUP_ALL : 0; }

static bool no_ipv6_here(addr at, err e)
{
    return at.family == 6 && addr_is_any(at) && (e == E_UNSUPPORTED || e == E_UNREACHABLE);
}

static bool door_bind(const up_plan *plan, int row, const up_door *d, arena *a, str *why)
{
    addr at[UP_ADDRESSES_MAX];
    const up_service *s = &plan->services[row];
    int count = up_door_addresses(plan, s, d, at, a);
    world *w = up_world(plan, plan->host);
    err e = E_OK;
    for (int i = 0; i < count && !e; i++) {
        if (d->protocols & UP_TCP)
            e = inherit_listen(w, row, at[i], s->loops);
        if (!e && d->protocols & UP_UDP)
            e = inherit_datagram(w, row, at[i], s->loops);
        addr real = addr_with_port(at[i], world_port(w, at[i].port));
        if (no_ipv6_here(at[i], e))
            e = E_OK;
        if (e)
            *why = str_format(a, "%s cannot listen on " STR_FMT ": %s. %s", s->policy->name, STR_ARG(addr_text(a, real)), err_text(e),
                              e == E_ACCESS ? "Start as root, or move the ports: ports { dns 5300; smtp 2525; pop3 2110 ... }"
                                            : "Another program, or another service of this one, has the port (ss -lntup shows which): "
                                              "end it, or give the service an address of its own (listen ADDRESS)");
    }
    world_linux_free(w);
    return e == E_OK;
}

bool up_doors_bind(const up_plan *plan, int row, arena *a, str *why)
{
    const up_service *s = &plan->services[row];
    bool good = true;
    for (int i = 0; i < UP_DOORS_MAX && s->policy->doors[i].port && good; i++)
        if (up_door_open(s, &s->policy->doors[i], a))
            good = door_bind(plan, row, &s->policy->doors[i], a, why);
    return good;
}

bool up_inside_bind(const up_plan *plan, int row, arena *a, str *why)
{
    const up_policy *p = plan->services[row].policy;
    inherit_peers peers = peers_of(plan, p->name), nobody = {0}, control = {0};
    if (own_user() == 0)
        control = (inherit_peers){.users = {plan->services[UP_CONTROL].user}, .count = 1};
    err e = E_OK;
    for (int i = 0; i < UP_INSIDE_MAX && p->inside[i] && !e; i++)
        e = inherit_unix(row, up_path(plan, a, "run/%s.sock", p->inside[i]), inside_group(), &peers);
    for (int i = 0; i < plan->services[row].loops && p->kind && !e; i++)
        e = inherit_unix(row, up_control_path(plan, row, i, a), inside_group(), &control);
    if (!e && !p->kind)
        e = inherit_unix(row, up_path(plan, a, "control.sock"), 0, &nobody);
    if (e)
        *why = str_format(a, "cannot open the inside doors of %s in " STR_FMT "/run: %s", p->name, STR_ARG(plan->directory), err_text(e));
    return e == E_OK;
}

