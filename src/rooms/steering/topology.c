#include "rooms/steering/topology.h"

#include <string.h>

enum { PLACE_MAX = TOPOLOGY_PLACES_MAX, PORT = 80 };

static const setting node_settings[] = {
    {.key = "address", .type = SETTING_ADDRESS, .reloadable = true, .help_en = "where it serves HTTP", .help_ko = "HTTP를 제공하는 주소"},
    {.key = "place", .type = SETTING_TEXT, .reloadable = true, .help_en = "the place where it stands", .help_ko = "노드가 있는 장소"},
    {.key = "near", .type = SETTING_PREFIX, .repeated = true, .reloadable = true, .help_en = "client networks that it stands in or beside",
     .help_ko = "노드가 속하거나 바로 곁에 있는 이용자 네트워크"},
    {.key = "capacity", .type = SETTING_RATE, .reloadable = true, .help_en = "what it can send", .help_ko = "보낼 수 있는 속도"},
    {0},
};
static const setting cdn_settings[] = {
    {.key = "host", .type = SETTING_TEXT, .reloadable = true, .help_en = "the name that health checks ask for (Host)", .help_ko = "상태 검사에 쓰는 호스트 이름"},
    {.key = "health", .type = SETTING_TEXT, .fallback = "/", .reloadable = true, .help_en = "the path that health checks ask for",
     .help_ko = "상태 검사에 쓰는 경로"},
    {.key = "preference", .type = SETTING_INT, .fallback = "10", .min = 0, .max = 1000, .reloadable = true,
     .help_en = "of two nodes equally near, the one whose CDN has the smaller number is first",
     .help_ko = "같은 거리의 노드 중에서는 이 수가 작은 CDN이 먼저"},
    {.key = "node", .type = SETTING_BLOCK, .min = 1, .max = 1, .repeated = true, .reloadable = true, .block = node_settings,
     .help_en = "a node, NAME { ... }", .help_ko = "노드, 이름 { ... }"},
    {0},
};
static const setting place_settings[] = {
    {.key = "region", .type = SETTING_TEXT, .reloadable = true, .help_en = "the region around it", .help_ko = "장소가 속한 지역"},
    {.key = "network", .type = SETTING_PREFIX, .repeated = true, .reloadable = true, .help_en = "client networks there", .help_ko = "그곳의 이용자 네트워크"},
    {0},
};

const setting topology_settings[] = {
    {.key = "listen", .type = SETTING_ADDRESS, .repeated = true, .help_en = "address to listen on (default: all of the host's)",
     .help_ko = "들을 주소 (기본: 호스트의 모든 주소)"},
    {.key = "port", .type = SETTING_INT, .fallback = "8081", .min = 1, .max = 65535, .help_en = "HTTP port", .help_ko = "HTTP 포트"},
    {.key = "cdn", .type = SETTING_BLOCK, .min = 1, .max = 1, .repeated = true, .reloadable = true, .block = cdn_settings,
     .help_en = "a CDN, NAME { ... }", .help_ko = "CDN, 이름 { ... }"},
    {.key = "place", .type = SETTING_BLOCK, .min = 1, .max = 1, .repeated = true, .reloadable = true, .block = place_settings,
     .help_en = "a place where nodes and clients are, NAME { ... }", .help_ko = "노드와 이용자가 있는 장소, 이름 { ... }"},
    {.key = "name", .type = SETTING_LIST, .min = 2, .max = 1 + TOPOLOGY_CDNS_MAX, .repeated = true, .reloadable = true,
     .help_en = "name NAME CDN...: a name that the name server answers with these CDNs' nodes",
     .help_ko = "name 이름 CDN...: 네임 서버가 이 CDN들의 노드로 답할 이름"},
    {.key = "pathway", .type = SETTING_TEXT, .fallback = "node", .choices = "node|cdn", .reloadable = true,
     .help_en = "what players choose between (serviceLocation): nodes, or CDNs", .help_ko = "재생기가 고르는 단위 (serviceLocation): 노드 또는 CDN"},
    {.key = "ttl", .type = SETTING_DURATION, .fallback = "10s", .min = NS_PER_S, .max = 3600 * NS_PER_S, .reloadable = true,
     .help_en = "for how long an answer holds, to players and in the DNS", .help_ko = "재생기와 DNS에 준 답의 유효 시간"},
    {.key = "answers", .type = SETTING_INT, .fallback = "2", .min = 1, .max = 4, .reloadable = true,
     .help_en = "addresses in a DNS answer: the best, and who stands in", .help_ko = "DNS 답에 담을 주소 수: 가장 좋은 것과 대신할 것"},
    {.key = "check-every", .type = SETTING_DURATION, .fallback = "2s", .min = NS_PER_S / 10, .max = 600 * NS_PER_S, .reloadable = true,
     .help_en = "between two health checks of a node", .help_ko = "노드 상태 검사의 간격"},
    {.key = "check-deadline", .type = SETTING_DURATION, .fallback = "2s", .min = NS_PER_S / 10, .max = 60 * NS_PER_S, .reloadable = true,
     .help_en = "a node that has not answered by then has failed the check", .help_ko = "이 시간 안에 답이 없으면 검사 실패"},
    {.key = "slow", .type = SETTING_DURATION, .fallback = "800ms", .min = NS_PER_S / 1000, .max = 60 * NS_PER_S, .reloadable = true,
     .help_en = "a node whose answers to checks take so much longer than usual is congested",
     .help_ko = "검사에 평소보다 이만큼 더 걸려 답하면 혼잡한 노드"},
    {.key = "fall", .type = SETTING_INT, .fallback = "2", .min = 1, .max = 100, .reloadable = true, .help_en = "failed checks in a row that make a node dead",
     .help_ko = "노드를 죽은 것으로 볼 연속 실패 수"},
    {.key = "rise", .type = SETTING_INT, .fallback = "3", .min = 1, .max = 100, .reloadable = true, .help_en = "good checks in a row that bring it back",
     .help_ko = "노드가 돌아온 것으로 볼 연속 성공 수"},
    {.key = "voters", .type = SETTING_INT, .fallback = "3", .min = 2, .max = 1000, .reloadable = true,
     .help_en = "addresses of one network that must complain of a node before others of it are sent elsewhere",
     .help_ko = "한 네트워크에서 이만큼의 주소가 불평해야 그 네트워크의 다른 이용자도 옮김"},
    {.key = "report-every", .type = SETTING_DURATION, .fallback = "2s", .min = NS_PER_S / 100, .max = 600 * NS_PER_S, .reloadable = true,
     .help_en = "how often one address may report, on average", .help_ko = "한 주소가 보고할 수 있는 평균 간격"},
    {.key = "report-life", .type = SETTING_DURATION, .fallback = "1m", .min = NS_PER_S, .max = 3600 * NS_PER_S, .reloadable = true,
     .help_en = "for how long a report is believed", .help_ko = "보고를 믿는 기간"},
    {.key = "report-slow", .type = SETTING_RATE, .fallback = "300kbit", .reloadable = true,
     .help_en = "a throughput below it is a complaint", .help_ko = "이보다 낮은 속도의 보고는 불평으로 봄"},
    {.key = "look", .type = SETTING_PREFIX, .repeated = true, .reloadable = true,
     .help_en = "who may see /ranking and /metrics (default: this machine)", .help_ko = "/ranking과 /metrics를 볼 수 있는 주소 (기본: 이 컴퓨터)"},
    {0},
};

typedef struct {
    const statement *root;
    topology *t;
    arena *a;
    str   *why;
} reading;

static bool refuse(reading *r, const statement *at, const char *what)
{
    *r->why = str_format(r->a, "steering, line %d: " STR_FMT " " STR_FMT ": %s", at->line, STR_ARG(at->words[0]),
                         STR_ARG(at->word_count > 1 ? at->words[1] : (str){0}), what);
    return false;
}

static const statement *place_find(const statement *root, str name)
{
    for (const statement *p = config_first(root, "place"); p; p = config_next(p, "place"))
        if (str_eq(p->words[1], name))
            return p;
    return NULL;
}

static str region_of(const statement *place) { return config_text(place, place_settings, "region"); }

// ---- client networks ------------------------------------------------------------------------------------------------------------

static bool network_add(reading *r, const statement *at, ranking_network n, str place, str region)
{
    topology *t = r->t;
    for (int i = 0; i < t->network_count; i++) {
        topology_network *k = &t->networks[i];
        if (k->network.bits != n.bits || !addr_eq_ip(k->network.prefix, n.prefix))
            continue;
        if (place.len && k->place.len && !str_eq(place, k->place))
            return refuse(r, at, "a network is in two places");
        k->place = place.len ? place : k->place;
        k->region = place.len ? region : k->region;
        return true;
    }
    if (t->network_count == TOPOLOGY_NETWORKS_MAX)
        return refuse(r, at, "too many client networks, at most 1024");
    t->networks[t->network_count++] = (topology_network){n, place, region};
    return true;
}

static bool place_read(reading *r, const statement *p)
{
    for (const statement *s = config_first(p, "network"); s; s = config_next(s, "network"))
        for (int i = 1; i < s->word_count; i++) {
            ranking_network n;
            if (!prefix_parse(s->words[i], &n.prefix, &n.bits))
                return refuse(r, s, "a network is written 192.0.2.0/24");
            if (!network_add(r, s, n, p->words[1], region_of(p)))
                return false;
        }
    return true;
}

// A network that only a node is near to lies in the place of the wider network around it.
static void places_inherit(topology *t)
{
    for (int i = 0; i < t->network_count; i++) {
        topology_network *n = &t->networks[i], *around = NULL;
        for (int k = 0; k < t->network_count && !n->place.len; k++) {
            topology_network *w = &t->networks[k];
            if (w->place.len && w->network.bits < n->network.bits && addr_in_prefix(n->network.prefix, w->network.prefix, w->network.bits) &&
                (!around || w->network.bits > around->network.bits))
                around = w;
        }
        if (around)
            n->place = around->place, n->region = around->region;
    }
}

// ---- nodes ----------------------------------------------------------------------------------------------------------------------

static bool near_read(reading *r, const statement *node, ranking_node *n)
{
    for (const statement *s = config_first(node, "near"); s; s = config_next(s, "near"))
        for (int i = 1; i < s->word_count; i++) {
            ranking_network *to = &n->near[n->near_count];
            if (n->near_count == RANKING_NEAR_MAX)
                return refuse(r, s, "near to at most 16 networks");
            if (!prefix_parse(s->words[i], &to->prefix, &to->bits))
                return refuse(r, s, "a network is written 192.0.2.0/24");
            n->near_count++;
            if (!network_add(r, s, *to, (str){0}, (str){0}))
                return false;
        }
    return true;
}

static bool node_read(reading *r, const statement *s, int cdn)
{
    topology *t = r->t;
    if (t->node_count == RANKING_NODES_MAX)
        return refuse(r, s, "too many nodes, at most 64");
    if (topology_node_find(t, s->words[1]) >= 0)
        return refuse(r, s, "two nodes have this name");
    topology_node *n = &t->nodes[t->node_count];
    ranking_node *k = &t->ranks[t->node_count];
    *n = (topology_node){.cdn = cdn};
    *k = (ranking_node){.name = s->words[1], .preference = t->cdns[cdn].preference};
    if (!config_address(s, node_settings, "address", PORT, &n->at) || addr_is_any(n->at))
        return refuse(r, s, "a node needs the address where it serves, such as `address 192.0.2.1`");
    k->place = config_text(s, node_settings, "place");
    const statement *place = k->place.len ? place_find(r->root, k->place) : NULL;
    if (k->place.len && !place)
        return refuse(r, s, "its place is none of the `place NAME { }`");
    k->region = place ? region_of(place) : (str){0};
    k->capacity_bps = config_find(s, "capacity") ? config_int(s, node_settings, "capacity") : 0;
    t->node_count++;
    return near_read(r, s, k);
}

static bool cdn_read(reading *r, const statement *s)
{
    topology *t = r->t;
    if (t->cdn_count == TOPOLOGY_CDNS_MAX)
        return refuse(r, s, "too many CDNs, at most 8");
    int number = t->cdn_count++;
    t->cdns[number] = (topology_cdn){s->words[1], config_text(s, cdn_settings, "host"), config_text(s, cdn_settings, "health"),
                                     (int)config_int(s, cdn_settings, "preference")};
    if (t->cdns[number].health.len == 0 || t->cdns[number].health.at[0] != '/')
        return refuse(r, s, "the health path begins with /");
    for (const statement *n = config_first(s, "node"); n; n = config_next(n, "node"))
        if (!node_read(r, n, number))
            return false;
    return true;
}

static bool name_read(reading *r, const statement *s)
{
    topology *t = r->t;
    if (t->name_count == TOPOLOGY_NAMES_MAX)
        return refuse(r, s, "too many names, at most 16");
    topology_name *n = &t->names[t->name_count++];
    str name = s->words[1];
    *n = (topology_name){.name = str_ends(name, S(".")) ? str_first(name, name.len - 1) : name};
    for (int i = 2; i < s->word_count; i++) {
        uint64_t found = 0;
        for (int k = 0; k < t->node_count; k++)
            found |= str_eq(t->cdns[t->nodes[k].cdn].name, s->words[i]) ? UINT64_C(1) << k : 0;
        if (!found)
            return refuse(r, s, "it names a CDN that is not there or has no node");
        n->nodes |= found;
    }
    return true;
}

// ---- the whole --------------------------------------------------------------------------------------------------------------------

bool topology_read(const statement *settings, topology *out, arena *a, str *why)
{
    reading r = {settings, out, a, why};
    memset(out, 0, sizeof *out);
    out->networks[TOPOLOGY_ANY_IPV4].network.prefix.family = 4;
    out->networks[TOPOLOGY_ANY_IPV6].network.prefix.family = 6;
    out->network_count = 2;
    out->pathway_is_cdn = str_eq(config_text(settings, topology_settings, "pathway"), S("cdn"));
    for (const statement *s = config_first(settings, "place"); s; s = config_next(s, "place"))
        if (!place_read(&r, s))
            return false;
    for (const statement *s = config_first(settings, "cdn"); s; s = config_next(s, "cdn"))
        if (!cdn_read(&r, s))
            return false;
    for (const statement *s = config_first(settings, "name"); s; s = config_next(s, "name"))
        if (!name_read(&r, s))
            return false;
    places_inherit(out);
    return true;
}

int topology_network_of(const topology *t, addr client)
{
    int best = client.family == 6 ? TOPOLOGY_ANY_IPV6 : TOPOLOGY_ANY_IPV4;
    for (int i = 0; i < t->network_count; i++) {
        const ranking_network *n = &t->networks[i].network;
        if (n->bits > t->networks[best].network.bits && addr_in_prefix(client, n->prefix, n->bits))
            best = i;
    }
    return best;
}

int topology_node_find(const topology *t, str name)
{
    for (int i = 0; i < t->node_count; i++)
        if (str_eq(t->ranks[i].name, name))
            return i;
    return -1;
}

int topology_name_find(const topology *t, str name)
{
    name = str_ends(name, S(".")) ? str_first(name, name.len - 1) : name;
    for (int i = 0; i < t->name_count; i++)
        if (str_eq_nocase(t->names[i].name, name))
            return i;
    return -1;
}

str topology_pathway(const topology *t, int node)
{
    return t->pathway_is_cdn ? t->cdns[t->nodes[node].cdn].name : t->ranks[node].name;
}
