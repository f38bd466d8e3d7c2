// What a plan as a whole may not be, or had better not be.
#include "cmd/up_plan.h"

typedef struct { const up_service *service; addr at; unsigned protocols; } wish;

enum { WISHES_MAX = UP_SERVICES_MAX * UP_DOORS_MAX * UP_ADDRESSES_MAX, CHECK_MEMORY_BYTES_MAX = 16 << 20 };

// ---- doors ----------------------------------------------------------------------------------------------------------------------

static int wishes_of(const up_plan *plan, const up_service *s, wish *out, int max, arena *a)
{
    int count = 0;
    addr at[UP_ADDRESSES_MAX];
    world *w = up_world(plan, plan->host);
    for (int d = 0; d < UP_DOORS_MAX && s->policy->doors[d].port; d++) {
        if (!up_door_open(s, &s->policy->doors[d], a))
            continue;
        int addresses = up_door_addresses(plan, s, &s->policy->doors[d], at, a);
        for (int i = 0; i < addresses && count < max; i++)
            out[count++] = (wish){s, addr_with_port(at[i], world_port(w, at[i].port)), s->policy->doors[d].protocols};
    }
    world_linux_free(w);
    return count;
}

static bool meet(const wish *x, const wish *y)
{
    bool same_place = x->at.family == y->at.family && (addr_eq_ip(x->at, y->at) || addr_is_any(x->at) || addr_is_any(y->at));
    return x->service != y->service && same_place && x->at.port == y->at.port && (x->protocols & y->protocols) != 0;
}

// Where the file says that the service listens there.
static const statement *place_of(const up_service *s)
{
    const statement *listen = s->block ? config_first(s->block, "listen") : NULL;
    return listen ? listen : s->reason;
}

static str place_text(const up_plan *plan, const up_service *s, arena *a)
{
    const statement *at = place_of(s);
    return at ? str_format(a, "%s (" STR_FMT ":%d)", s->policy->name, STR_ARG(at->file), at->line)
              : str_format(a, "%s (" STR_FMT ", which runs it by itself)", s->policy->name, STR_ARG(plan->file.len ? plan->file : S("no file")));
}

static void refuse(up_plan *plan, const wish *x, const wish *y, config_error *error)
{
    arena *a = &plan->memory;
    const statement *at = place_of(y->service) ? place_of(y->service) : place_of(x->service);
    str where = addr_text(a, addr_is_any(x->at) ? y->at : x->at);
    *error = (config_error){at ? at->file : plan->file, at ? at->line : 1, at ? at->column : 1,
                            str_format(a, STR_FMT " and " STR_FMT " both want " STR_FMT ": give one of them an address of its own (listen ADDRESS)",
                                       STR_ARG(place_text(plan, x->service, a)), STR_ARG(place_text(plan, y->service, a)), STR_ARG(where))};
}

bool up_doors_apart(up_plan *plan, config_error *error)
{
    arena a = arena_make(CHECK_MEMORY_BYTES_MAX);
    wish *all = arena_array(&a, wish, WISHES_MAX);
    int count = 0;
    bool apart = all != NULL;
    for (int i = 0; i < UP_POLICIES && all; i++)
        if (plan->services[i].wanted && plan->services[i].policy->kind)
            count += wishes_of(plan, &plan->services[i], all + count, WISHES_MAX - count, &a);
    for (int y = 1; y < count && apart; y++)
        for (int x = 0; x < y && apart; x++)
            if (meet(&all[x], &all[y])) {
                refuse(plan, &all[x], &all[y], error);
                apart = false;
            }
    arena_free(&a);
    return apart;
}

// ---- warnings ---------------------------------------------------------------------------------------------------------------------

// The private key that both would hold; empty: none.
static str shared_key(const up_service *x, const up_service *y, arena *a)
{
    enum { KEY = UP_FILES_MAX - 1 };
    str of_x[UP_FILES_MAX], of_y[UP_FILES_MAX];
    bool both = up_files(x, of_x, a) == UP_FILES_MAX && up_files(y, of_y, a) == UP_FILES_MAX;
    return both && str_eq(of_x[KEY], of_y[KEY]) ? of_x[KEY] : (str){0};
}

int up_warnings(const up_plan *plan, str out[UP_WARNINGS_MAX], arena *a)
{
    int count = 0;
    for (int y = 1; y < UP_POLICIES; y++)
        for (int x = 0; x < y && count < UP_WARNINGS_MAX; x++) {
            const up_service *one = &plan->services[x], *other = &plan->services[y];
            str key = one->wanted && other->wanted ? shared_key(one, other, a) : (str){0};
            if (key.len)
                out[count++] = str_format(a, "%s and %s share the private key " STR_FMT ": who breaks into one has the other's too. Give each a key of "
                                          "its own; certificates for one name may have different keys", one->policy->name, other->policy->name,
                                          STR_ARG(key));
        }
    return count;
}
