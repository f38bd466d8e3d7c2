#include <string.h>

#include "base/hex.h"
#include "rooms/tracker/room_inside.h"
#include "rt/log.h"
#include "rt/worker.h"

enum {
    LISTS_BYTES_MAX = 64 << 20, LIST_FILE_BYTES_MAX = 32 << 20,
    INTERVAL_MAX_S = 90 * 60, INTERVAL_MIN_S = 30,
};

const setting tracker_settings[] = {
    {.key = "listen", .type = SETTING_ADDRESS, .repeated = true, .help_en = "address to listen on (default: all of the host's)",
     .help_ko = "들을 주소 (기본: 호스트의 모든 주소)"},
    {.key = "open", .type = SETTING_BOOL, .fallback = "no", .reloadable = true,
     .help_en = "take every torrent, not only those that are allowed", .help_ko = "허용된 것만이 아니라 모든 토렌트를 받음"},
    {.key = "allow", .type = SETTING_LIST, .min = 1, .max = 3, .repeated = true, .reloadable = true,
     .help_en = "allow INFOHASH [managed] [private]: a torrent that is tracked", .help_ko = "allow 정보해시 [managed] [private]: 추적할 토렌트"},
    {.key = "allow-file", .type = SETTING_TEXT, .reloadable = true,
     .help_en = "a file of such lines without the word allow", .help_ko = "allow 없이 같은 줄들을 담은 파일"},
    {.key = "key", .type = SETTING_LIST, .min = 2, .max = 2, .repeated = true, .reloadable = true,
     .help_en = "key NAME SECRET: who announces to /SECRET/announce may use private torrents",
     .help_ko = "key 이름 비밀: /비밀/announce로 알리는 사람은 비공개 토렌트를 쓸 수 있음"},
    {.key = "private", .type = SETTING_BOOL, .fallback = "no", .reloadable = true,
     .help_en = "every torrent is private: a key is needed", .help_ko = "모든 토렌트가 비공개: 키가 필요함"},
    {.key = "managed", .type = SETTING_BOOL, .fallback = "no", .reloadable = true,
     .help_en = "every swarm is managed: peers are handed out as a graph of about equal degree",
     .help_ko = "모든 스웜을 관리: 차수가 고른 그래프로 피어를 나눠 줌"},
    {.key = "degree", .type = SETTING_INT, .fallback = "24", .min = 8, .max = 64, .reloadable = true,
     .help_en = "peers that one asker is told of in a managed swarm", .help_ko = "관리되는 스웜에서 한 번에 알려 줄 피어 수"},
    {.key = "interval", .type = SETTING_DURATION, .fallback = "30m", .min = INTERVAL_MIN_S * NS_PER_S, .max = INTERVAL_MAX_S * NS_PER_S,
     .help_en = "between two announces of a peer; who is silent for twice as long is forgotten",
     .help_ko = "피어가 알리는 간격; 두 배 동안 말이 없으면 잊음"},
    {.key = "interval-min", .type = SETTING_DURATION, .fallback = "5m", .min = NS_PER_S, .max = INTERVAL_MAX_S * NS_PER_S,
     .help_en = "how soon a peer may come again that wants more peers", .help_ko = "피어가 더 필요할 때 다시 올 수 있는 최소 간격"},
    {.key = "peers", .type = SETTING_INT, .fallback = "50", .min = 1, .max = PEER_PICK_MAX, .reloadable = true,
     .help_en = "peers told of when the asker does not say how many", .help_ko = "묻는 쪽이 말하지 않을 때 알려 줄 피어 수"},
    {.key = "peers-max", .type = SETTING_INT, .fallback = "200", .min = 1, .max = PEER_PICK_MAX, .reloadable = true,
     .help_en = "and at most", .help_ko = "최대 피어 수"},
    {.key = "torrents", .type = SETTING_INT, .fallback = "1000000", .min = 1, .max = SWARMS_TORRENTS_MAX,
     .help_en = "torrents held at most", .help_ko = "최대 토렌트 수"},
    {.key = "capacity", .type = SETTING_INT, .fallback = "2000000", .min = 1, .max = SWARMS_PEERS_MAX,
     .help_en = "peers held at most, all torrents together (about 20 bytes each)", .help_ko = "모든 토렌트의 최대 피어 수 (하나에 약 20바이트)"},
    {.key = "new-torrents", .type = SETTING_INT, .fallback = "100", .min = 1, .max = NEWCOMERS_MAX, .reloadable = true,
     .help_en = "torrents that one network (/24, /48) may bring in ten minutes", .help_ko = "한 네트워크(/24, /48)가 10분에 새로 낼 수 있는 토렌트 수"},
    {.key = "new-peers", .type = SETTING_INT, .fallback = "2000", .min = 1, .max = NEWCOMERS_MAX, .reloadable = true,
     .help_en = "peers that one network may bring in ten minutes", .help_ko = "한 네트워크가 10분에 새로 낼 수 있는 피어 수"},
    {.key = "trust", .type = SETTING_PREFIX, .repeated = true, .reloadable = true,
     .help_en = "networks beside loopback whose `ip` parameter is believed and that are not counted",
     .help_ko = "ip 매개변수를 믿고 수를 제한하지 않을 네트워크 (루프백은 늘 그러함)"},
    {.key = "connections", .type = SETTING_INT, .fallback = "10000", .min = 1, .max = DOOR_CONNS_MAX,
     .help_en = "HTTP connections at once, an address", .help_ko = "주소마다 동시에 받는 HTTP 연결 수"},
    {0},
};

static uint32_t number(const statement *block, const char *key) { return (uint32_t)config_int(block, tracker_settings, key); }

static void rules_take(tracker_room *t, const statement *block)
{
    announce_rules *r = &t->core.rules;
    r->wanted = (int)number(block, "peers");
    r->wanted_max = (int)number(block, "peers-max");
    r->degree = (int)number(block, "degree");
    r->new_peers_max = number(block, "new-peers");
    r->new_torrents_max = number(block, "new-torrents");
    r->trust_count = 0;
    for (const statement *p = config_first(block, "trust"); p; p = config_next(p, "trust"))
        for (int i = 1; i < p->word_count && r->trust_count < ANNOUNCE_TRUST_MAX; i++)
            r->trust_count += prefix_parse(p->words[i], &r->trust[r->trust_count].prefix, &r->trust[r->trust_count].bits);
    t->core.access.open = config_bool(block, tracker_settings, "open");
    t->core.access.all_private = config_bool(block, tracker_settings, "private");
    t->core.access.all_managed = config_bool(block, tracker_settings, "managed");
}

// ---- the allow list ---------------------------------------------------------------------------------------------------------

typedef struct { uint8_t hash[TRACKER_HASH_BYTES]; bool managed, private; } listed;
typedef struct { listed *items; int count, max; } listing;

// "INFOHASH [managed] [private]". False with a literal.
static bool listed_read(str line, listed *out, const char **why)
{
    str hash = str_word(&line), word;
    *out = (listed){0};
    *why = "an info hash is 40 hexadecimal digits";
    if (hash.len != 2 * TRACKER_HASH_BYTES || !hex_decode(out->hash, hash))
        return false;
    *why = "after the info hash stand managed, private, or nothing";
    while ((word = str_word(&line)).len) {
        bool managed = str_eq(word, S("managed")), private = str_eq(word, S("private"));
        if (!managed && !private)
            return false;
        out->managed |= managed, out->private |= private;
    }
    return true;
}

static bool listing_add(tracker_room *t, listing *l, str line, str where, str *why)
{
    listed x;
    const char *reason;
    if (!listed_read(line, &x, &reason)) {
        *why = str_format(t->room->memory, "tracker: " STR_FMT ": %s", STR_ARG(where), reason);
        return false;
    }
    if (l->count == l->max) {
        *why = str_format(t->room->memory, "tracker: more torrents are allowed than it holds (torrents %d)", l->max);
        return false;
    }
    l->items[l->count++] = x;
    return true;
}

typedef struct { world *w; char *path; arena *a; str text; err e; } file_wish;

static void file_blocking(void *arg)
{
    file_wish *wish = arg;
    wish->e = file_read_all(wish->w, wish->path, wish->a, LIST_FILE_BYTES_MAX, &wish->text);
}

static int lines_in(str text)
{
    int lines = 1;
    for (ptrdiff_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    return lines;
}

static bool file_take(tracker_room *t, const statement *block, arena *a, str *text, str *why)
{
    str path = config_text(block, tracker_settings, "allow-file");
    file_wish wish = {.w = t->room->world, .path = str_to_z(a, path), .a = a};
    if (path.len)
        work(file_blocking, &wish);
    *text = wish.text;
    if (wish.e != E_OK)
        *why = str_format(t->room->memory, "tracker: cannot read the allow-file " STR_FMT ": %s", STR_ARG(path), err_text(wish.e));
    return wish.e == E_OK;
}

static bool listing_read(tracker_room *t, const statement *block, arena *a, listing *l, str *why)
{
    str text;
    int named = 0, line = 0;
    if (!file_take(t, block, a, &text, why))
        return false;
    for (const statement *s = config_first(block, "allow"); s; s = config_next(s, "allow"))
        named++;
    l->max = (int)swarms_figures_now(t->core.store).torrents_max;
    l->max = named + lines_in(text) < l->max ? named + lines_in(text) : l->max;
    l->items = arena_array(a, listed, l->max);
    for (const statement *s = config_first(block, "allow"); s && l->items; s = config_next(s, "allow")) {
        str whole = s->words[1];
        for (int i = 2; i < s->word_count; i++)
            whole = str_format(a, STR_FMT " " STR_FMT, STR_ARG(whole), STR_ARG(s->words[i]));
        if (!listing_add(t, l, whole, str_format(a, "line %d", s->line), why))
            return false;
    }
    while (text.len && l->items) {
        str one = str_cut(&text, '\n');
        one = str_trim(str_cut(&one, '#'));
        line++;
        if (one.len && !listing_add(t, l, one, str_format(a, "allow-file, line %d", line), why))
            return false;
    }
    if (a->full)
        *why = S("tracker: the allow list is too long");
    return !a->full;
}

static void listing_apply(tracker_room *t, const listing *l)
{
    swarms *s = t->core.store;
    for (uint32_t i = 0; i < swarms_figures_now(s).torrents; i++) {
        torrent *x = swarms_torrent(s, i);
        x->listed = x->managed = x->private = 0;
    }
    for (int i = 0; i < l->count; i++) {
        torrent *x = swarms_make(s, l->items[i].hash);
        if (!x)
            continue;
        x->listed = 1, x->managed = l->items[i].managed, x->private = l->items[i].private;
    }
}

// ---- pass keys --------------------------------------------------------------------------------------------------------------

static bool keys_read(tracker_room *t, const statement *block, arena *a, access *into, str *why)
{
    into->keys = NULL, into->key_count = 0;
    for (const statement *s = config_first(block, "key"); s; s = config_next(s, "key")) {
        str key = str_copy(a, s->words[2]);
        const char *reason = !access_key_usable(key) ? "a key is 16 to 64 letters, digits, '-' or '_'"
                           : access_key_find(into, key) >= 0 ? "two people have the same key"
                           : !access_key_add(into, a, str_copy(a, s->words[1]), key) ? "there are too many keys" : NULL;
        if (reason) {
            *why = str_format(t->room->memory, "tracker: line %d, key " STR_FMT ": %s", s->line, STR_ARG(s->words[1]), reason);
            return false;
        }
    }
    return true;
}

// ---- all --------------------------------------------------------------------------------------------------------------------

err tracker_settings_take_lists(tracker_room *t, const statement *block, str *why)
{
    arena *a = &t->lists[!t->lists_now];
    listing l = {0};
    access next = t->core.access;
    if (!listing_read(t, block, a, &l, why) || !keys_read(t, block, a, &next, why)) {
        arena_reset(a);
        return E_PROTOCOL;
    }
    t->core.access = next;
    rules_take(t, block);
    listing_apply(t, &l);
    arena_reset(&t->lists[t->lists_now]);
    t->lists_now = !t->lists_now;
    return E_OK;
}

err tracker_settings_take(tracker_room *t, str *why)
{
    const statement *block = t->room->settings;
    uint8_t secret[KEEPER_SECRET_BYTES];
    err e = keeper_secret(t->room, secret, why);
    if (e != E_OK)
        return e;
    tracker *c = &t->core;
    c->tags = siphash_key_of(secret);
    c->ids = siphash_key_of(secret + SIPHASH_KEY_BYTES);
    siphash_key table = siphash_key_of(secret + 2 * SIPHASH_KEY_BYTES);
    c->access.secret = c->new_peers.secret = c->new_torrents.secret = table;
    c->chance.state = world_random_u64(t->room->world);
    c->store = swarms_new(number(block, "torrents"), number(block, "capacity"), table);
    c->rules.interval_s = (uint32_t)(config_int(block, tracker_settings, "interval") / NS_PER_S);
    c->rules.interval_min_s = (uint32_t)(config_int(block, tracker_settings, "interval-min") / NS_PER_S);
    if (c->rules.interval_min_s > c->rules.interval_s)
        c->rules.interval_min_s = c->rules.interval_s;
    t->expire_minutes = (int)(c->rules.interval_s * 2 / 60) + 5;
    for (int i = 0; i < 2; i++)
        t->lists[i] = arena_make(LISTS_BYTES_MAX);
    return tracker_settings_take_lists(t, block, why);
}
