// The plan as text: what one program hands to the next that takes its place (up_upgrade.c).
#include "cmd/up_plan.h"

enum { TEXT_MEMORY_BYTES_MAX = 64 << 20 };

void up_plan_write(const up_plan *plan, buf *out)
{
    char address[ADDR_TEXT_MAX];
    buf_format(out, "file " STR_FMT "\nhost " STR_FMT "\ndirectory " STR_FMT "\nwatch %lld\n", STR_ARG(plan->file), STR_ARG(plan->host),
               STR_ARG(plan->directory), (long long)plan->watch_ns);
    for (int i = 0; i < plan->address_count; i++) {
        addr_print(address, addr_with_port(plan->addresses[i], 1));
        buf_format(out, "address %s\n", address);
    }
    for (int i = 0; i < plan->port_count; i++)
        buf_format(out, "port %u %u\n", plan->ports[i].well_known, plan->ports[i].real);
    for (int i = 0; i < UP_POLICIES; i++) {
        const up_service *s = &plan->services[i];
        buf_format(out, "service %s %d %td %td %d %u\n", s->policy->name, s->wanted, s->settings.len, s->fixed.len, s->loops,
                   s->user);
        buf_put(out, s->settings);
        buf_put(out, s->fixed);
    }
}

static int64_t number(str *line, int64_t max, bool *good)
{
    int64_t value = 0;
    *good = *good && str_to_i64(str_word(line), &value) && value >= 0 && value <= max;
    return *good ? value : 0;
}

static str piece(str *text, int64_t length, bool *good)
{
    *good = *good && length <= text->len;
    str taken = str_first(*text, *good ? length : 0);
    *text = str_from(*text, taken.len);
    return taken;
}

// A service that we do not know must not have been wanted.
static bool service_read(up_plan *plan, str line, str *text)
{
    bool good = true;
    str name = str_word(&line);
    bool wanted = number(&line, 1, &good) != 0;
    int64_t settings = number(&line, text->len, &good), fixed = number(&line, text->len, &good);
    int loops = (int)number(&line, UP_LOOPS_MAX, &good);
    unsigned user = (unsigned)number(&line, INT32_MAX, &good);
    str both[2] = {piece(text, settings, &good), {0}};
    both[1] = piece(text, fixed, &good);
    for (int i = 0; i < UP_POLICIES; i++)
        if (str_eq(name, str_z(up_policies[i].name))) {
            plan->services[i].wanted = wanted;
            plan->services[i].loops = loops;
            plan->services[i].user = user;
            plan->services[i].settings = str_copy(&plan->memory, both[0]);
            plan->services[i].fixed = str_copy(&plan->memory, both[1]);
            return good;
        }
    return good && !wanted;
}

static bool line_read(up_plan *plan, str line, str *text)
{
    bool good = true;
    str word = str_word(&line), rest = str_trim(line);
    if (str_eq(word, S("file"))) {
        plan->file = str_copy(&plan->memory, rest);
    } else if (str_eq(word, S("host"))) {
        plan->host = str_copy(&plan->memory, rest);
    } else if (str_eq(word, S("directory"))) {
        plan->directory = str_copy(&plan->memory, rest);
    } else if (str_eq(word, S("watch"))) {
        plan->watch_ns = number(&rest, INT64_MAX, &good);
    } else if (str_eq(word, S("address"))) {
        good = plan->address_count < UP_ADDRESSES_MAX && addr_parse(rest, 0, &plan->addresses[plan->address_count]);
        if (good)
            plan->addresses[plan->address_count++].port = 0;
    } else if (str_eq(word, S("port"))) {
        good = plan->port_count < UP_PORTS_MAX;
        uint16_t known = (uint16_t)number(&rest, 65535, &good), real = (uint16_t)number(&rest, 65535, &good);
        if (good) {
            plan->ports[plan->port_count].well_known = known;
            plan->ports[plan->port_count++].real = real;
        }
    } else if (str_eq(word, S("service"))) {
        good = service_read(plan, rest, text);
    }
    return good;                                 // a word that is not known says what an older program need not know
}

bool up_plan_take(up_plan *plan, str text)
{
    *plan = (up_plan){.memory = arena_make(TEXT_MEMORY_BYTES_MAX)};
    for (int i = 0; i < UP_POLICIES; i++)
        plan->services[i].policy = &up_policies[i];
    bool good = text.len > 0;
    while (text.len && good) {
        str line = str_cut(&text, '\n');
        good = line_read(plan, line, &text);
    }
    return good && plan->directory.len > 0;
}
