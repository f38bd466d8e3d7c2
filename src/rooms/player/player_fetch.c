// One GET after another, over connections that are kept: origins, their names and addresses, redirects.
#include "base/must.h"
#include "rooms/player/player_inside.h"
#include "talk/dns_ask.h"

// ---- origins ------------------------------------------------------------------------------------------------------

static player_place *place_of(player *p, const media_url *u)
{
    for (int i = 0; i < p->place_count; i++)
        if (p->places[i].tls == u->tls && str_eq_nocase(p->places[i].authority, u->authority))
            return &p->places[i];
    if (p->place_count == PLAYER_PLACES_MAX)
        return NULL;
    player_place *place = &p->places[p->place_count++];
    *place = (player_place){.authority = str_copy(&p->memory, u->authority), .port = u->port, .tls = u->tls};
    place->host = str_copy(&p->memory, u->host);
    return place;
}

static bool has_address(const player_place *place, addr at)
{
    for (int i = 0; i < place->address_count; i++)
        if (addr_eq_ip(place->addresses[i], at))
            return true;
    return false;
}

// The origin's addresses, asked again when their time is over. What was known stays when the resolver is in
// trouble.
static err place_resolve(player *p, player_place *place)
{
    world *w = p->world;
    addr found[PLAYER_ADDRESSES_MAX];
    int count = 0;
    if (addr_parse_ip(place->host, place->port, &found[0])) {
        place->addresses[0] = found[0];
        place->address_count = 1;
        return E_OK;
    }
    if (place->address_count > 0 && world_now_ns(w) < place->expires_ns)
        return E_OK;
    arena a = arena_make(PLAYER_DOWNLOAD_MEMORY_BYTES);
    dns_answer answer = dns_ask_addresses(w, p->options.resolvers, p->options.resolver_count, place->host, found, PLAYER_ADDRESSES_MAX, &count,
                                          seconds(PLAYER_RESOLVE_S), &a);
    uint32_t ttl_s = answer.ttl_s < PLAYER_NAME_TTL_S_MIN ? PLAYER_NAME_TTL_S_MIN : answer.ttl_s;
    arena_free(&a);
    if (count > 0) {
        for (int i = 0; i < count; i++)
            place->addresses[i] = addr_with_port(found[i], place->port);
        place->address_count = count;
        place->expires_ns = world_now_ns(w) + seconds(ttl_s);
    }
    if (place->address_count > 0)
        return E_OK;
    return answer.error ? answer.error : E_NO_ENTRY;
}

// Another node may answer for the name by now: what is kept is given up when it is not among the addresses any
// more.
static void place_freshen(player *p, player_place *place)
{
    if (place_resolve(p, place) == E_OK && place->conn && !place->busy && place->conn->peer.family && !has_address(place, place->conn->peer)) {
        conn_close(place->conn);
        place->conn = NULL;
    }
}

static err connect_new(player *p, player_place *place, conn **out)
{
    err e = place_resolve(p, place);
    *out = NULL;
    if (!e && place->tls && !p->options.tls)
        e = E_TLS;
    for (int i = 0; !e && i < place->address_count && !*out; i++) {
        bool last = i + 1 == place->address_count;
        if (p->from_outside && addr_is_private(place->addresses[i])) {               // a stranger's manifest, and our own network
            e = last ? E_ACCESS : E_OK;
            continue;
        }
        conn *c = conn_open(p->world, addr_with_port(place->addresses[i], place->port), seconds(PLAYER_CONNECT_S));
        conn_deadline(c, seconds(PLAYER_CONNECT_S));
        if (!c->error && place->tls)
            conn_tls_connect(c, p->options.tls, place->host);
        if (!c->error) {
            *out = c;
            p->from_outside = p->from_outside || (!p->film && !addr_is_private(place->addresses[i]));
            break;
        }
        e = last || c->error == E_CANCELED ? c->error : E_OK;
        conn_abort(c);
    }
    if (e)
        place->expires_ns = 0;               // its name may lead elsewhere by now: asked again before the next try
    return e;
}

static void conn_drop(player_place *place, conn *c, bool kept)
{
    if (place->conn == c) {
        place->conn = NULL;
        place->busy = false;
    }
    if (kept)
        conn_close(c);
    else
        conn_abort(c);
}

void player_hang_up(player *p, bool in_order)
{
    for (int i = 0; i < p->place_count; i++) {
        if (in_order)
            conn_close(p->places[i].conn);
        else
            conn_abort(p->places[i].conn);
        p->places[i].conn = NULL;
    }
}

// ---- one GET ------------------------------------------------------------------------------------------------------

player_download player_download_new(uint64_t bytes_max)
{
    return (player_download){.bytes_max = bytes_max, .body = buf_make(bytes_max), .memory = arena_make(PLAYER_DOWNLOAD_MEMORY_BYTES)};
}

void player_download_free(player_download *d)
{
    buf_free(&d->body);
    arena_free(&d->memory);
}

typedef struct { player *p; player_download *d; } taking;

static bool head_take(void *arg, const http_result *r, int64_t body_bytes)
{
    taking *t = arg;
    t->d->status = r->status;
    t->d->told = body_bytes > 0 ? (uint64_t)body_bytes : 0;
    return true;
}

static bool body_take(void *arg, str piece)
{
    taking *t = arg;
    player_download *d = t->d;
    bool good = d->status == 200 || d->status == 206;
    d->last_ns = world_now_ns(t->p->world);
    if (d->got == 0)
        d->first_ns = d->last_ns;
    d->got += (uint64_t)piece.len;
    return !good || buf_put(&d->body, piece);            // what an error page says is read past
}

static http_result ask(player *p, player_download *d, conn *c, const media_url *u)
{
    taking t = {p, d};
    int n = 0;
    http_header headers[3] = {{S("User-Agent"), S("naru/" NARU_VERSION)}, {S("Accept-Encoding"), S("identity")}, {{0}, {0}}};
    n = 2;
    if (d->bytes > 0)
        headers[n++] = (http_header){S("Range"), str_format(&d->memory, "bytes=%llu-%llu", (unsigned long long)d->offset,
                                                            (unsigned long long)(d->offset + d->bytes - 1))};
    conn_deadline(c, d->timeout_ns);
    conn_rate_min(c, 1, seconds(PLAYER_SILENT_S));
    return http_fetch_pieces(c, S("GET"), u->authority, u->target, headers, n, (str){0}, (http_taker){head_take, body_take, &t},
                             d->bytes_max, &d->memory);
}

// A connection that was kept may have been closed meanwhile: once more over a new one.
static http_result ask_kept(player *p, player_download *d, player_place *place, const media_url *u)
{
    http_result r = {.error = E_RESET};
    place_freshen(p, place);
    conn *c = place->busy ? NULL : place->conn;
    bool kept = c != NULL;
    for (int n = 0; n < (kept ? 2 : 1); n++) {
        if (!c && (r.error = connect_new(p, place, &c)))
            return r;
        if (!place->conn)
            place->conn = c;
        if (place->conn == c)
            place->busy = true;
        r = ask(p, d, c, u);
        bool again = n == 0 && kept && d->got == 0 && (r.error == E_EOF || r.error == E_RESET);
        if (r.error || !r.keep_alive || place->conn != c)
            conn_drop(place, c, !r.error);
        else
            place->busy = false;
        if (!again)
            break;
        c = NULL;
    }
    return r;
}

static bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

// A body that is not what was asked for: another range, a whole where a part was wanted.
static err body_check(const player_download *d)
{
    if (d->status != 200 && d->status != 206)
        return E_PROTOCOL;
    if (d->bytes == 0)
        return d->status == 200 ? E_OK : E_PROTOCOL;
    return d->status == 206 && d->body.len == d->bytes ? E_OK : E_PROTOCOL;
}

// A server that knows no ranges sends the whole: the part is cut out of it.
static void range_cut(player_download *d)
{
    if (d->status != 200 || d->bytes == 0 || d->body.len < d->offset + d->bytes)
        return;
    buf_drop_front(&d->body, (size_t)d->offset);
    d->body.len = (size_t)d->bytes;
    d->status = 206;
}

void player_get(player *p, player_download *d)
{
    d->asked_ns = world_now_ns(p->world);
    d->location = d->url;
    d->error = E_PROTOCOL;
    for (int n = 0; n <= PLAYER_REDIRECTS_MAX; n++) {
        media_url u;
        player_place *place = media_url_split(d->location, &u, &d->memory) ? place_of(p, &u) : NULL;
        if (!place)
            break;
        d->status = 0;
        http_result r = ask_kept(p, d, place, &u);
        d->error = r.error;
        str to = r.error ? (str){0} : http_result_header(&r, S("Location"));
        if (r.error || !is_redirect(d->status) || to.len == 0)
            break;
        str next = media_url_resolve(d->location, to, &d->memory);
        bool downgraded = u.tls && !str_starts_nocase(next, S("https:"));
        d->error = E_PROTOCOL;
        if (next.len == 0 || downgraded)
            break;
        d->location = next;
        d->got = 0;
    }
    range_cut(d);
    if (!d->error)
        d->error = body_check(d);
    d->ended_ns = world_now_ns(p->world);
    p->counts.bytes += d->got;
}

int player_post(player *p, str url, str json)
{
    media_url u;
    conn *c = NULL;
    arena a = arena_make(PLAYER_DOWNLOAD_MEMORY_BYTES);
    player_place *place = media_url_split(url, &u, &a) ? place_of(p, &u) : NULL;
    int status = 0;
    if (place && connect_new(p, place, &c) == E_OK) {
        http_header type = {S("Content-Type"), S("application/json")};
        conn_deadline(c, seconds(PLAYER_LOAD_S));
        http_result r = http_fetch(c, S("POST"), u.authority, u.target, &type, 1, json, 64 * 1024, &a);
        status = r.error ? 0 : r.status;
        conn_close(c);
    }
    arena_free(&a);
    return status;
}
