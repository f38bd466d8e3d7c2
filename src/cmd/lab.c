#include "cmd/lab.h"

static str embedded(str name)
{
    for (const embedded_file *f = lab_files; f->name; f++)
        if (str_eq(str_z(f->name), name))
            return f->text;
    return (str){0};
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
        return false;
    }
    return true;
}

static bool host_read(lab_host *h, const statement *s)
{
    if (s->word_count != 2 || !str_eq(s->words[0], S("host")))
        return false;
    *h = (lab_host){.name = s->words[1]};
    for (const statement *c = s->children; c; c = c->next)
        if (!host_word(h, c))
            return false;
    return h->address_count > 0;
}

bool lab_read(lab *out, int subnet, arena *a, config_error *error)
{
    *out = (lab){0};
    uint32_t next = 0x7f000002u + ((uint32_t)(subnet < 0 ? 0 : subnet) << 8);
    statement *root = config_parse(S("hosts.conf"), embedded(S("hosts.conf")), a, NULL, NULL, error);
    for (const statement *s = root ? root->children : NULL; s; s = s->next) {
        lab_host *h = &out->hosts[out->count];
        if (out->count == LAB_HOSTS_MAX || !host_read(h, s)) {
            *error = (config_error){s->file, s->line, s->column, S("not a host of the small Internet")};
            return false;
        }
        for (int i = 0; i < h->address_count; i++)
            h->here[i] = subnet < 0 ? h->real[i] : addr_v4(next++, 0);
        out->count++;
    }
    return root != NULL;
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
