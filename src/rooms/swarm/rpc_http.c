// The remote control's door: HTTP, who may ask, and the two ways to it (a port, and the control socket).
#include "rooms/swarm/rpc_inside.h"

#include <string.h>

#include "base/base64.h"
#include "rt/listener.h"
#include "talk/control.h"

enum { ANSWER_BYTES_MAX = 64 << 20, CREDENTIALS_BYTES_MAX = 512 };

// ---- answers ----------------------------------------------------------------------------------------------------------------------

static int json_into(const char *bytes, size_t size, void *out)
{
    return buf_put(out, str_of(bytes, size)) ? 0 : -1;
}

// Takes the object over.
static void answer_json(http_reply *reply, json_t *o)
{
    buf out = buf_make(ANSWER_BYTES_MAX);
    if (json_dump_callback(o, json_into, &out, JSON_COMPACT | JSON_FIXED_FLAGS) == 0)
        http_answer(reply, 200, S("application/json"), buf_str(&out));
    else
        http_answer(reply, 500, S("text/plain"), S("the answer is too large: ask for fewer torrents or fields\n"));
    buf_free(&out);
    json_decref(o);
}

static void answer_text(http_reply *reply, int status, str text)
{
    http_answer(reply, status, S("text/plain; charset=utf-8"), text);
}

// ---- who may ask --------------------------------------------------------------------------------------------------------------------

bool rpc_host_allowed(str host, const str *hosts, int count)
{
    addr at;
    if (addr_parse(host, 80, &at))
        return true;                                     // no name that could be made to point here
    host = str_cut(&host, ':');
    if (host.len && host.at[host.len - 1] == '.')
        host.len--;
    if (str_eq_nocase(host, S("localhost")) || str_ends_nocase(host, S(".localhost")))
        return true;
    for (int i = 0; i < count; i++) {
        str name = hosts[i];
        if (str_eq_nocase(host, name) || str_eq(name, S("*")))
            return true;
        if (str_starts(name, S("*.")) && host.len > name.len - 1 && str_ends_nocase(host, str_from(name, 1)))
            return true;
    }
    return false;
}

static void session_new(rpc *x)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    memcpy(x->session_before, x->session, sizeof x->session);
    for (int i = 0; i < RPC_SESSION_ID_BYTES; i++)
        x->session[i] = letters[world_random_below(x->room->world, sizeof letters - 1)];
    x->session[RPC_SESSION_ID_BYTES] = 0;
    x->session_ns = world_now_ns(x->room->world);
}

static bool session_good(rpc *x, str id)
{
    if (world_now_ns(x->room->world) - x->session_ns > RPC_SESSION_NS)
        session_new(x);
    return id.len == RPC_SESSION_ID_BYTES && (str_eq_secret(id, str_z(x->session)) || str_eq_secret(id, str_z(x->session_before)));
}

static bool credentials_good(const rpc *x, str field)
{
    unsigned char bytes[CREDENTIALS_BYTES_MAX];
    str scheme = str_word(&field), coded = str_trim(field);
    if (!str_eq_nocase(scheme, S("Basic")) || base64_decoded_size_max((size_t)coded.len) > sizeof bytes)
        return false;
    ptrdiff_t n = base64_decode(bytes, coded);
    str password = str_of(bytes, n < 0 ? 0 : (size_t)n), user = str_cut(&password, ':');
    bool user_good = str_eq_secret(user, x->options.user), good = str_eq_secret(password, x->options.password);
    return n >= 0 && user_good && good;
}

// False: refused, and answered.
static bool password_given(rpc *x, const http_request *q, http_reply *reply)
{
    int64_t now_ns = world_now_ns(x->room->world);
    if (!x->options.password.len)
        return true;
    if (x->wrong_passwords >= RPC_PASSWORD_TRIES_MAX && now_ns - x->wrong_ns < seconds(RPC_PASSWORD_PAUSE_S)) {
        answer_text(reply, 403, S("Too many wrong passwords. Wait a minute.\n"));
        return false;
    }
    if (credentials_good(x, http_header_get(q, S("Authorization")))) {
        x->wrong_passwords = 0;
        return true;
    }
    if (http_header_get(q, S("Authorization")).len) {
        x->wrong_passwords++;
        x->wrong_ns = now_ns;
    }
    http_answer_header(reply, S("WWW-Authenticate"), S("Basic realm=\"Transmission\", charset=\"UTF-8\""));
    answer_text(reply, 401, S("A user name and password are needed.\n"));
    return false;
}

static void answer_conflict(rpc *x, http_reply *reply)
{
    http_answer_header(reply, S("X-Transmission-Session-Id"), str_z(x->session));
    http_answer(reply, 409, S("text/html; charset=utf-8"),
                S("<h1>409: Conflict</h1>\n<p>Say the request again with the header X-Transmission-Session-Id of this answer: "
                  "this shows that no foreign page sent it.</p>\n"));
}

// ---- requests -----------------------------------------------------------------------------------------------------------------------

static void answer_request(rpc *x, const http_request *q, http_reply *reply, arena *msg)
{
    const char *why;
    json_t *request = rpc_read(q->body, &why);
    if (!request) {
        answer_text(reply, 400, str_format(msg, "The request is %s.\n", why));
        return;
    }
    answer_json(reply, rpc_answer(x, request, msg));
    json_decref(request);
}

static void handle(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    rpc *x = arg;
    bool is_rpc = str_eq(q->path, S("/transmission/rpc")) || str_eq(q->path, S("/transmission/rpc/"));
    if (!rpc_host_allowed(http_header_get(q, S("Host")), x->options.hosts, x->options.host_count)) {
        answer_text(reply, 421, S("This name is not served here. Use an IP address, or add the name to the configuration: swarm { rpc-host NAME }\n"));
        return;
    }
    if (!password_given(x, q, reply))
        return;
    if (!is_rpc)
        rpc_page(x, q, reply, msg);
    else if (!session_good(x, http_header_get(q, S("X-Transmission-Session-Id"))))
        answer_conflict(x, reply);
    else if (!str_eq(q->method, S("POST")))
        answer_text(reply, 405, S("POST a request.\n"));
    else
        answer_request(x, q, reply, msg);
}

static void converse(conn *c, void *arg)
{
    http_serve(c, (http_limits){.body_bytes_max = RPC_BODY_BYTES_MAX}, handle, arg);
}

err rpc_open(rpc *x, addr at)
{
    door *d;
    door_options options = {
        .service = "rpc", .at = at, .conns_max = RPC_CONNS_MAX, .conns_per_address_max = RPC_CONNS_PER_ADDRESS_MAX, .drain = true,
        .busy = S("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    };
    return door_open(x->room->scope, x->room->world, options, converse, x, &d);
}

static void rpc_end(void *arg)
{
    rpc *x = arg;
    map_free(&x->by_hash);
}

rpc *rpc_make(swarm *s, room *r, const rpc_options *options)
{
    rpc *x = arena_new(r->memory, rpc);
    if (!x)
        return NULL;
    *x = (rpc){.swarm = s, .room = r, .options = *options, .limit_up = 100000, .limit_down = 100000};
    x->by_hash = map_make(world_random_u64(r->world), SWARM_TORRENTS_MAX);
    scope_at_end(r->scope, &x->end, rpc_end, x);
    session_new(x);
    session_new(x);
    return x;
}

// ---- the control socket: the owner's, no session id is needed ---------------------------------------------------------------------

static void control_rpc(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    if (str_eq(q->method, S("POST")))
        answer_request(arg, q, reply, msg);
    else
        control_error(reply, 405, S("POST a request"), msg);
}

static void control_live(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    (void)q, (void)msg;
    answer_json(reply, rpc_live_torrents(arg));
}

static torrent *torrent_of_path(rpc *x, str path)
{
    uint8_t hash[INFO_HASH_BYTES];
    str hex = str_from(path, str_rfind(path, '/') + 1);
    return hex.len == 2 * INFO_HASH_BYTES && hex_decode(hash, hex) ? swarm_find(x->swarm, hash) : NULL;
}

static void control_live_one(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    torrent *t = torrent_of_path(arg, q->path);
    if (t)
        answer_json(reply, rpc_live_torrent(arg, t));
    else
        control_error(reply, 404, S("no torrent of this hash"), msg);
}

static void control_why(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    torrent *t = torrent_of_path(arg, q->path);
    bool json = str_eq(http_query_get(q, S("format"), msg), S("json"));
    if (!t) {
        control_error(reply, 404, S("no torrent of this hash"), msg);
        return;
    }
    buf out = buf_make(ANSWER_BYTES_MAX);
    torrent_why(t, &out, json);
    http_answer(reply, 200, json ? S("application/json") : S("text/plain; charset=utf-8"), buf_str(&out));
    buf_free(&out);
}

void rpc_control(rpc *x)
{
    const control_route routes[] = {
        {"/rpc", control_rpc, x}, {"/torrents", control_live, x}, {"/torrent/", control_live_one, x}, {"/why/", control_why, x},
    };
    enum { ROUTES = sizeof routes / sizeof *routes };
    control_route *kept = arena_array(x->room->memory, control_route, ROUTES);
    if (kept) {
        memcpy(kept, routes, sizeof routes);
        control_add(x->room, kept, ROUTES);
    }
}
