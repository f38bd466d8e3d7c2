#include "base/must.h"
#include "base/heap_memory.h"
#include "rooms/edge/edge_inside.h"
#include "rt/worker.h"

enum { SET_BYTES_MAX = 16 << 20, HTTPS_PORT = 443 };
static const char SYSTEM_ROOTS[] = "/etc/ssl/certs/ca-certificates.crt";

static const setting site_settings[] = {
    {.key = "origin", .type = SETTING_LIST, .min = 1, .max = 1, .repeated = true,
     .help_en = "HOST:PORT that is asked for what is not here, https://HOST:PORT under TLS; several: in this order",
     .help_ko = "없는 것을 물어볼 호스트:포트, TLS로는 https://호스트:포트; 여럿이면 이 순서로"},
    {.key = "host", .type = SETTING_TEXT, .help_en = "the Host that the origin sees (default: the site's name)", .help_ko = "오리진이 보는 Host (기본: 사이트 이름)"},
    {.key = "heuristics", .type = SETTING_BOOL, .fallback = "yes",
     .help_en = "answers without a lifetime are fresh for a tenth of the time since Last-Modified", .help_ko = "수명이 없는 응답은 마지막 수정 이후 시간의 1/10 동안 신선함"},
    {.key = "stale-on-error", .type = SETTING_DURATION, .fallback = "0s", .max = 365ll * 24 * 3600 * NS_PER_S,
     .help_en = "so long a stale answer may be given when the origin fails and the answer does not say", .help_ko = "오리진이 실패하고 응답에 말이 없을 때 오래된 응답을 줄 수 있는 시간"},
    {0},
};

const setting edge_settings[] = {
    {.key = "site", .type = SETTING_BLOCK, .min = 1, .max = SITE_NAMES_MAX, .repeated = true, .reloadable = true, .block = site_settings,
     .help_en = "site NAME [ALIAS ...] { origin HOST:PORT }: a host that is served", .help_ko = "site 이름 [별명 ...] { origin 호스트:포트 }: 제공할 호스트"},
    {.key = "name", .type = SETTING_TEXT, .help_en = "in Cache-Status, Via and CDN-Loop (default: the host's name)",
     .help_ko = "Cache-Status, Via, CDN-Loop에 쓰는 이름 (기본: 호스트 이름)"},
    {.key = "memory", .type = SETTING_SIZE, .fallback = "64MB", .min = 1 << 20, .max = 1ll << 40, .reloadable = true, .help_en = "memory for slices and what is known of objects",
     .help_ko = "조각과 객체 정보에 쓸 메모리"},
    {.key = "disk", .type = SETTING_SIZE, .fallback = "0", .max = 1ll << 45, .help_en = "disk for slices; 0: memory only", .help_ko = "조각에 쓸 디스크; 0: 메모리만"},
    {.key = "slice", .type = SETTING_SIZE, .fallback = "1MiB", .min = 64000, .max = SLICE_BYTES_MAX,
     .help_en = "of a large object; rounded up to a power of two", .help_ko = "큰 객체의 조각 크기; 2의 거듭제곱으로 올림"},
    {.key = "object-max", .type = SETTING_SIZE, .fallback = "16GB", .min = 1, .max = 1ll << 42, .reloadable = true, .help_en = "larger answers are not kept",
     .help_ko = "이보다 큰 응답은 보관하지 않음"},
    {.key = "capacity", .type = SETTING_RATE, .reloadable = true, .help_en = "what this host can send: answers to HEAD say how much of it is used (Endpoint-Load-Metrics)",
     .help_ko = "이 호스트가 보낼 수 있는 속도: HEAD의 답이 그중 얼마를 쓰는지 말함 (Endpoint-Load-Metrics)"},
    {.key = "body-max", .type = SETTING_SIZE, .fallback = "16MB", .max = 1ll << 40, .reloadable = true, .help_en = "of a request", .help_ko = "요청 본문의 최대 크기"},
    {.key = "port", .type = SETTING_INT, .fallback = "80", .max = 65535, .help_en = "HTTP; 0: none", .help_ko = "HTTP 포트; 0: 없음"},
    {.key = "tls-port", .type = SETTING_INT, .fallback = "443", .max = 65535, .help_en = "HTTP under TLS, with a certificate; 0: none",
     .help_ko = "인증서가 있을 때 TLS 포트; 0: 없음"},
    {.key = "certificate", .type = SETTING_TEXT, .reloadable = true, .help_en = "PEM file with the certificate chain", .help_ko = "인증서 체인 PEM 파일"},
    {.key = "key", .type = SETTING_TEXT, .reloadable = true, .help_en = "PEM file with its private key", .help_ko = "개인 키 PEM 파일"},
    {.key = "listen", .type = SETTING_ADDRESS, .repeated = true, .help_en = "address to listen on (default: all of the host's)",
     .help_ko = "들을 주소 (기본: 호스트의 모든 주소)"},
    {.key = "resolver", .type = SETTING_LIST, .repeated = true, .reloadable = true, .help_en = "DNS resolvers for origins that are named", .help_ko = "이름으로 적은 오리진을 물어볼 DNS 서버"},
    {.key = "origin-ca", .type = SETTING_TEXT, .help_en = "PEM file with the certificates that https origins are checked against (default: the system's)",
     .help_ko = "https 오리진을 확인할 인증서 PEM 파일 (기본: 시스템의 것)"},
    {.key = "origin-network", .type = SETTING_PREFIX, .repeated = true, .reloadable = true, .help_en = "networks in which a named origin may be though they are private",
     .help_ko = "이름으로 적은 오리진이 있어도 되는 사설 네트워크"},
    {.key = "connections", .type = SETTING_INT, .fallback = "20000", .min = 1, .max = DOOR_CONNS_MAX, .help_en = "clients' connections at once",
     .help_ko = "동시에 받는 연결 수"},
    {.key = "connections-per-address", .type = SETTING_INT, .fallback = "2000", .min = 1, .max = DOOR_CONNS_MAX, .help_en = "of one address (IPv6: /64)",
     .help_ko = "주소 하나의 동시 연결 수"},
    {.key = "access-log", .type = SETTING_BOOL, .fallback = "no", .help_en = "a line a request in access.log in the edge's directory",
     .help_ko = "요청마다 한 줄을 edge 디렉터리의 access.log에 씀"},
    {0},
};

// "1.2.3.4:80", "[::1]:80", "host:80", "host", and any of them behind "https://".
static bool origin_take(site_set *t, const site *s, origin *o, str text)
{
    o->name = str_copy(&t->memory, text);
    o->tls = str_starts_nocase(text, S("https://"));
    text = str_from(text, o->tls ? S("https://").len : str_starts_nocase(text, S("http://")) ? S("http://").len : 0);
    t->has_tls |= o->tls;
    uint64_t port = o->tls ? HTTPS_PORT : EDGE_PORT;
    list_init(&o->idle);
    o->port = (uint16_t)port;
    o->checked = s->host;                                // of an address the certificate says nothing that one could have meant
    if (addr_parse(text, o->port, &o->at[0])) {
        o->at_count = 1;
        o->port = o->at[0].port;
        return true;
    }
    ptrdiff_t colon = str_rfind(text, ':');
    if (colon >= 0 && (!str_to_u64(str_from(text, colon + 1), &port) || port < 1 || port > 65535))
        return false;
    o->host = o->checked = str_copy(&t->memory, colon >= 0 ? str_first(text, colon) : text);
    o->port = (uint16_t)port;
    o->is_named = true;
    return o->host.len > 0 && o->host.len < 254 && str_find(o->host, '/') < 0;
}

static bool host_is_plain(str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (!is_alnum(s.at[i]) && s.at[i] != '-' && s.at[i] != '.' && s.at[i] != '_' && s.at[i] != ':' && s.at[i] != '[' && s.at[i] != ']')
            return false;
    return s.len > 0 && s.len < 254;
}

// *why in `a`, also below.
static bool site_take(site_set *t, const statement *block, arena *a, str *why)
{
    site *s = &t->sites[t->site_count++];
    for (int i = 1; i < block->word_count; i++) {
        if (!host_is_plain(block->words[i])) {
            *why = str_format(a, "edge: \"" STR_FMT "\" is no host name", STR_ARG(block->words[i]));
            return false;
        }
        s->names[s->name_count++] = str_lower(&t->memory, block->words[i]);
    }
    s->name = s->names[0];
    s->host = config_find(block, "host") ? str_copy(&t->memory, config_text(block, site_settings, "host")) : s->name;
    s->heuristics = config_bool(block, site_settings, "heuristics");
    s->forgiving_s = config_int(block, site_settings, "stale-on-error") / NS_PER_S;
    for (const statement *o = config_first(block, "origin"); o; o = config_next(o, "origin")) {
        if (s->origin_count == ORIGINS_MAX || !origin_take(t, s, &s->origins[s->origin_count++], o->words[1])) {
            *why = str_format(a, "edge: site " STR_FMT ": an origin is HOST:PORT or https://HOST:PORT, at most %d of them", STR_ARG(s->name), ORIGINS_MAX);
            return false;
        }
        if (s->origins[s->origin_count - 1].is_named && !t->resolver_count) {
            *why = str_format(a, "edge: origin " STR_FMT " is a name: say which resolver knows it (resolver ADDRESS)", STR_ARG(o->words[1]));
            return false;
        }
    }
    if (!s->origin_count || !host_is_plain(s->host))
        *why = str_format(a, "edge: site " STR_FMT " has no origin, or its host is no name", STR_ARG(s->name));
    return s->origin_count && host_is_plain(s->host);
}

static bool networks_take(site_set *t, const statement *block, str *why)
{
    for (const statement *r = config_first(block, "resolver"); r; r = config_next(r, "resolver"))
        for (int i = 1; i < r->word_count; i++)
            if (t->resolver_count == EDGE_RESOLVERS_MAX || !addr_parse(r->words[i], 53, &t->resolvers[t->resolver_count++])) {
                *why = S("edge: resolver wants at most 4 addresses such as 127.0.0.1 or 127.0.0.1:53");
                return false;
            }
    for (const statement *n = config_first(block, "origin-network"); n; n = config_next(n, "origin-network"))
        for (int i = 1; i < n->word_count; i++, t->network_count++)
            if (t->network_count == EDGE_NETWORKS_MAX ||
                !prefix_parse(n->words[i], &t->networks[t->network_count].prefix, &t->networks[t->network_count].bits)) {
                *why = S("edge: origin-network wants at most 16 networks such as 10.0.0.0/8");
                return false;
            }
    return true;
}

static void site_set_free(site_set *t)
{
    if (t)
        arena_free(&t->memory);
    memory_free(t);
}

static site_set *site_set_read(const statement *block, arena *a, str *why)
{
    int sites = 0;
    for (const statement *s = config_first(block, "site"); s; s = config_next(s, "site"))
        sites++;
    if (sites > SITES_MAX) {
        *why = str_format(a, "edge: at most %d sites", SITES_MAX);
        return NULL;
    }
    site_set *t = memory_zeroed(1, sizeof *t);
    t->memory = arena_make(SET_BYTES_MAX);
    t->sites = arena_array(&t->memory, site, sites + 1);
    bool good = t->sites && networks_take(t, block, why);
    for (const statement *s = config_first(block, "site"); s && good; s = config_next(s, "site"))
        good = site_take(t, s, a, why);
    if (good)
        return t;
    site_set_free(t);
    return NULL;
}

void site_sets_free(edge *e)
{
    for (site_set *t = e->set, *before; t; t = before) {
        before = t->before;
        site_set_free(t);
    }
    e->set = NULL;
}

// A member of Cache-Status is a token or a string (RFC 9211 section 2); CDN-Loop's is a host name or a token.
static bool name_take(edge *e, const statement *block, str *why)
{
    enum { NAME_BYTES_MAX = 128 };
    arena *a = e->room->memory;
    str name = config_find(block, "name") ? config_text(block, edge_settings, "name") : e->room->node->name;
    e->name = str_copy(a, str_first(name, NAME_BYTES_MAX));
    if (!http_is_token(e->name)) {
        *why = str_format(a, "edge: name \"" STR_FMT "\" is not one word of letters, digits, dots and dashes", STR_ARG(name));
        return false;
    }
    e->status_name = is_alpha(e->name.at[0]) ? e->name : str_format(a, "\"" STR_FMT "\"", STR_ARG(e->name));
    return true;
}

// ---- origins under TLS --------------------------------------------------------------------------------------------------------------

typedef struct { world *w; char *path; arena *a; str text; err e; } roots_file;

static void roots_read(void *arg)
{
    roots_file *f = arg;
    f->e = file_read_all(f->w, f->path, f->a, ORIGIN_ROOTS_BYTES_MAX, &f->text);
}

// Who is trusted is read once, at the start; certificates are always checked.
static bool origin_tls_open(edge *e, str *why)
{
    static const char *const alpn[] = {"http/1.1", ""};
    const statement *named = config_find(e->room->settings, "origin-ca");
    arena a = arena_make(2 * ORIGIN_ROOTS_BYTES_MAX);
    roots_file f = {.w = e->w, .a = &a, .path = str_to_z(&a, named ? named->words[1] : str_z(SYSTEM_ROOTS))};
    work(roots_read, &f);
    if (f.e != E_OK || !f.text.len)
        *why = str_format(e->room->memory, "edge: cannot read \"%s\", against which https origins are checked: %s; name a PEM file with origin-ca", f.path,
                          err_text(f.e));
    else
        e->origin_tls = tls_client_new(e->w, f.text, alpn, e->room->memory, why);
    arena_free(&a);
    return e->origin_tls != NULL;
}

// ---- taking them --------------------------------------------------------------------------------------------------------------------

static void ports_note(edge *e)
{
    for (int i = 0; i < e->set->site_count; i++)
        for (int k = 0; k < e->set->sites[i].origin_count; k++)
            e->ports[e->port_count++] = e->set->sites[i].origins[k].port;
}

static void sizes_take(edge *e, const statement *block)
{
    e->memory_max = config_int(block, edge_settings, "memory");
    e->objects_max = edge_objects_max(e);
    e->object_bytes_max = config_int(block, edge_settings, "object-max");
    e->capacity_bps = config_find(block, "capacity") ? config_int(block, edge_settings, "capacity") : 0;
    e->body_bytes_max = config_int(block, edge_settings, "body-max");
}

bool edge_settings_take(edge *e, str *why)
{
    const statement *block = e->room->settings;
    int64_t slice_bytes = config_int(block, edge_settings, "slice");
    for (e->slice_bytes = SLICE_BYTES_MIN; e->slice_bytes < slice_bytes; )
        e->slice_bytes *= 2;
    sizes_take(e, block);
    e->access_wanted = config_bool(block, edge_settings, "access-log");
    if (!name_take(e, block, why) || !(e->set = site_set_read(block, e->room->memory, why)))
        return false;
    ports_note(e);
    return !e->set->has_tls || origin_tls_open(e, why);
}

// ---- a reload -----------------------------------------------------------------------------------------------------------------------

static bool statements_same(const statement *a, const statement *b)
{
    for (; a && b; a = a->next, b = b->next) {
        bool same = a->word_count == b->word_count && statements_same(a->children, b->children);
        for (int i = 0; i < a->word_count && same; i++)
            same = str_eq(a->words[i], b->words[i]);
        if (!same)
            return false;
    }
    return !a && !b;
}

// What the guard was not told at the start cannot be dialed now.
static bool may_be_dialed(const edge *e, const site_set *t, str *why)
{
    for (int i = 0; i < t->site_count; i++)
        for (int k = 0; k < t->sites[i].origin_count; k++) {
            const origin *o = &t->sites[i].origins[k];
            bool there = world_is_simulated(e->w);
            for (int n = 0; n < e->port_count && !there; n++)
                there = e->ports[n] == o->port;
            if (!there || (o->tls && !e->origin_tls)) {
                *why = str_format(e->room->memory, "edge: origin " STR_FMT ": %s takes a new start of the edge", STR_ARG(o->name),
                                  there ? "the first origin under TLS" : "a port that no origin had");
                return false;
            }
        }
    return true;
}

static void counts_keep(const site_set *from, site_set *to)
{
    for (int i = 0; i < to->site_count; i++)
        for (int k = 0; k < from->site_count; k++)
            if (str_eq(to->sites[i].name, from->sites[k].name)) {
                to->sites[i].requests = from->sites[k].requests;
                to->sites[i].hits = from->sites[k].hits;
            }
}

bool edge_settings_renew(edge *e, const statement *block, bool only_try, str *why)
{
    if (statements_same(block->children, e->room->settings->children))
        return true;
    if (e->reloads == RELOADS_MAX) {
        *why = S("edge: its sites have changed too often; a new start of the edge is due");
        return false;
    }
    site_set *t = site_set_read(block, e->room->memory, why);
    if (!t || only_try || !may_be_dialed(e, t, why)) {
        bool good = t && (!only_try || may_be_dialed(e, t, why));
        site_set_free(t);
        return good && only_try;
    }
    counts_keep(e->set, t);
    origins_close(e);                                    // idle connections; who asks just now goes on
    t->before = e->set;
    e->set = t;
    e->reloads++;
    sizes_take(e, block);
    return true;
}

// Host may carry a port (any: the door decides), and a dot at its end.
site *site_find(edge *e, str host)
{
    ptrdiff_t colon = str_rfind(host, ':');
    if (colon >= 0 && !str_ends(host, S("]"))) {
        for (ptrdiff_t i = colon + 1; i < host.len; i++)
            if (!is_digit(host.at[i]))
                return NULL;
        host = str_first(host, colon);
    }
    if (host.len > 1 && str_ends(host, S(".")))
        host.len--;
    for (int i = 0; i < e->set->site_count; i++)
        for (int k = 0; k < e->set->sites[i].name_count; k++)
            if (str_eq_nocase(e->set->sites[i].names[k], host))
                return &e->set->sites[i];
    return NULL;
}
