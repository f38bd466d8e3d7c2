#include "cmd/lab.h"

#include <string.h>

static str embedded(str name)
{
    for (const embedded_file *f = lab_files; f->name; f++)
        if (str_eq(str_z(f->name), name))
            return f->text;
    return (str){0};
}

// What belongs to a CDN.
static bool video_word(lab_host *h, const statement *s)
{
    str key = s->words[0], value = s->word_count > 1 ? s->words[1] : (str){0};
    if (str_eq(key, S("place")) && s->word_count == 3) {
        h->place = value, h->region = s->words[2];
    } else if (str_eq(key, S("edge")) && value.len) {
        h->edge = value;
    } else if (str_eq(key, S("line")) && value.len) {
        h->line = value;
    } else if (str_eq(key, S("network")) && value.len) {
        h->network = value;
    } else if (str_eq(key, S("beside"))) {
        for (int i = 1; i < s->word_count && h->beside_count < LAB_BESIDE_MAX; i++)
            h->beside[h->beside_count++] = s->words[i];
    } else if (str_eq(key, S("steering")) && value.len) {
        h->steering = value;
    } else if (str_eq(key, S("steered")) && s->word_count > 2) {
        h->steered = value;
        for (int i = 2; i < s->word_count && h->cdn_count < LAB_CDNS_MAX; i++)
            h->cdns[h->cdn_count++] = s->words[i];
    } else if (str_eq(key, S("origin"))) {
        h->origin = true;
    } else if (str_eq(key, S("page"))) {
        h->page = true;
    } else if (str_eq(key, S("console"))) {
        h->console = true;
    } else {
        return false;
    }
    return true;
}

static bool host_word(lab_host *h, const statement *s)
{
    str key = s->words[0], value = s->word_count > 1 ? s->words[1] : (str){0};
    if (str_eq(key, S("address"))) {
        for (int i = 1; i < s->word_count; i++)
            if (h->address_count == LAB_ADDRESSES_MAX || !addr_parse_ip(s->words[i], 0, &h->real[h->address_count++]))
                return false;
    } else if (str_eq(key, S("zone")) && s->word_count == 3 && h->zone_count < LAB_ZONES_MAX) {
        h->zones[h->zone_count++] = (lab_zone){value, s->words[2]};
    } else if (str_eq(key, S("account"))) {
        for (int i = 1; i < s->word_count && h->people_count < LAB_PEOPLE_MAX; i++)
            h->people[h->people_count++] = s->words[i];
    } else if (str_eq(key, S("mail"))) {
        h->mail_domain = value;
    } else if (str_eq(key, S("comment"))) {
        h->comment = value;
    } else if (str_eq(key, S("resolver"))) {
        h->resolver = true;
    } else if (str_eq(key, S("upper"))) {
        h->upper = true;
    } else if (str_eq(key, S("tracker"))) {
        h->tracker = true;
    } else if (str_eq(key, S("swarm"))) {
        h->swarm = true;
        h->seeds = s->word_count > 1 && str_eq(s->words[1], S("seeds"));
    } else {
        return video_word(h, s);
    }
    return true;
}

// Further words about a host that is there, or a new one.
static bool host_read(lab_host *h, const statement *s)
{
    if (!h->name.len)
        *h = (lab_host){.name = s->words[1]};
    for (const statement *c = s->children; c; c = c->next)
        if (!host_word(h, c))
            return false;
    return h->address_count > 0;
}

static str no_such_map(arena *a)
{
    str said = S("there is no such map; there are");
    for (const embedded_file *f = lab_files; f->name; f++) {
        str name = str_z(f->name);
        if (str_ends(name, S(".conf")) && !str_eq(name, S("hosts.conf")))
            said = str_format(a, STR_FMT " " STR_FMT, STR_ARG(said), STR_ARG(str_first(name, name.len - S(".conf").len)));
    }
    return said;
}

static bool map_read(lab *out, str name, arena *a, config_error *error)
{
    statement *root = embedded(name).len ? config_parse(name, embedded(name), a, NULL, NULL, error) : NULL;
    if (!embedded(name).len)
        *error = (config_error){name, 1, 1, no_such_map(a)};
    for (const statement *s = root ? root->children : NULL; s; s = s->next) {
        bool is_host = s->word_count == 2 && str_eq(s->words[0], S("host"));
        const lab_host *known = is_host ? lab_find(out, s->words[1]) : NULL;
        lab_host *h = known ? &out->hosts[known - out->hosts] : &out->hosts[out->count];
        if (!is_host || (!known && out->count == LAB_HOSTS_MAX) || !host_read(h, s)) {
            *error = (config_error){s->file, s->line, s->column, S("not a host of the small Internet")};
            return false;
        }
        out->count += !known;
    }
    return root != NULL;
}

bool lab_read(lab *out, str more, int subnet, arena *a, config_error *error)
{
    memset(out, 0, sizeof *out);
    uint32_t next = 0x7f000002u + ((uint32_t)(subnet < 0 ? 0 : subnet) << 8);
    if (!map_read(out, S("hosts.conf"), a, error) || (more.len && !map_read(out, str_join(a, more, S(".conf")), a, error)))
        return false;
    for (int k = 0; k < out->count; k++)
        for (int i = 0; i < out->hosts[k].address_count; i++)
            out->hosts[k].here[i] = subnet < 0 ? out->hosts[k].real[i] : addr_v4(next++, 0);
    return true;
}

const lab_host *lab_find(const lab *l, str name)
{
    for (int i = 0; i < l->count; i++)
        if (str_eq_nocase(l->hosts[i].name, name))
            return &l->hosts[i];
    return NULL;
}

static bool moved(const lab *l, str word, addr *here)
{
    addr real;
    if (!addr_parse_ip(word, 0, &real))
        return false;
    for (int i = 0; i < l->count; i++)
        for (int k = 0; k < l->hosts[i].address_count; k++)
            if (addr_eq_ip(l->hosts[i].real[k], real)) {
                *here = l->hosts[i].here[k];
                return true;
            }
    return false;
}

str lab_zone_text(const lab *l, str zone_file, arena *a)
{
    str text = embedded(zone_file);
    buf out = buf_make(LAB_BYTES_MAX);
    while (text.len) {
        ptrdiff_t n = 0;
        while (n < text.len && (is_digit(text.at[n]) || text.at[n] == '.'))
            n++;
        addr here;
        if (n && moved(l, str_first(text, n), &here))
            buf_put(&out, addr_ip_text(a, here));
        else
            buf_put(&out, str_first(text, n ? n : 1));
        text = str_from(text, n ? n : 1);
    }
    str result = str_copy(a, buf_str(&out));
    buf_free(&out);
    return result;
}
