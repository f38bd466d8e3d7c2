// The console's life: settings, TLS, doors.
#include <string.h>

#include "base/heap_memory.h"
#include "rooms/console/console_inside.h"
#include "rt/listener.h"
#include "rt/log.h"
#include "rt/room_doors.h"

const setting console_settings[] = {
    {.key = "listen", .type = SETTING_LIST, .repeated = true, .help_en = "addresses to listen on (default: this machine alone)",
     .help_ko = "듣는 주소 (기본: 이 컴퓨터만)"},
    {.key = "certificate", .type = SETTING_TEXT, .help_en = "PEM file with the certificate chain: the pages come over TLS",
     .help_ko = "인증서 체인 PEM 파일: 화면을 TLS로 보냄"},
    {.key = "key", .type = SETTING_TEXT, .help_en = "PEM file with the private key", .help_ko = "개인 키 PEM 파일"},
    {.key = "plaintext", .type = SETTING_TEXT, .help_en = "`plaintext loopback`: signing in without TLS is allowed from this machine",
     .help_ko = "`plaintext loopback`: 이 컴퓨터에서는 TLS 없이 로그인 허용"},
    {.key = "title", .type = SETTING_TEXT, .fallback = "naru", .reloadable = true, .help_en = "the name on the pages", .help_ko = "화면에 보이는 이름"},
    {.key = "registration", .type = SETTING_BOOL, .fallback = "no", .help_en = "strangers may register to watch films",
     .help_ko = "누구나 영화를 보기 위해 가입할 수 있음"},
    {.key = "origin", .type = SETTING_TEXT, .help_en = "HOST:PORT of the origin: its catalogue is shown", .help_ko = "오리진의 호스트:포트: 그 목록을 보여 줌"},
    {.key = "video", .type = SETTING_TEXT,
     .help_en = "URL before /FILM/manifest.mpd, as players are to fetch it (default: from the origin, through the console)",
     .help_ko = "플레이어가 받을 /영화/manifest.mpd 앞의 URL (기본: 콘솔을 거쳐 오리진에서)"},
    {.key = "steering", .type = SETTING_TEXT, .help_en = "URL where players report how they fare", .help_ko = "플레이어가 상태를 알리는 URL"},
    {.key = "media", .type = SETTING_LIST, .repeated = true,
     .help_en = "further origins (http://HOST:PORT) that the pages may fetch films from", .help_ko = "화면이 영화를 받을 수 있는 다른 주소 (http://호스트:포트)"},
    {.key = "relay", .type = SETTING_LIST, .repeated = true,
     .help_en = "hosts (*.NAME: all below) that the console fetches from for browsers that cannot reach them: the small Internet's",
     .help_ko = "브라우저가 닿지 못하는 호스트(*.이름: 그 아래 모두)에서 콘솔이 대신 받음: 작은 인터넷"},
    {.key = "resolver", .type = SETTING_ADDRESS, .repeated = true, .help_en = "name server for the hosts of `origin` and `relay`",
     .help_ko = "`origin`과 `relay`의 호스트를 찾을 네임 서버"},
    {.key = "link", .type = SETTING_BOOL, .fallback = "no",
     .help_en = "the player's slider sets the rate of the line between viewer and network (what passes through the console)",
     .help_ko = "플레이어의 슬라이더로 시청자 회선의 속도를 정함 (콘솔을 거치는 것)"},
    {.key = "session-idle", .type = SETTING_DURATION, .fallback = "30m", .min = 60 * NS_PER_S, .max = 24ll * 3600 * NS_PER_S, .reloadable = true,
     .help_en = "a session ends when nothing came for so long", .help_ko = "이 시간 동안 요청이 없으면 로그아웃"},
    {.key = "session-life", .type = SETTING_DURATION, .fallback = "12h", .min = 60 * NS_PER_S, .max = 30ll * 24 * 3600 * NS_PER_S, .reloadable = true,
     .help_en = "a session ends after so long in any case", .help_ko = "어떤 경우에도 이 시간이 지나면 로그아웃"},
    {0},
};

enum { POLICY_BYTES_MAX = 8 * 1024 };

// ---- TLS ------------------------------------------------------------------------------------------------------------------------

static const char *const alpn[] = {"http/1.1", ""};

// ---- settings -------------------------------------------------------------------------------------------------------------------

// "http://host:80/x" to "http://host:80", for the policy; empty: no such URL.
static str site_of(str url)
{
    str rest = str_starts(url, S("http://")) ? str_from(url, 7) : str_starts(url, S("https://")) ? str_from(url, 8) : (str){0};
    str host, authority = rest;
    uint16_t port;
    authority = str_cut(&authority, '/');
    if (!rest.len || !relay_authority(authority, &host, &port))
        return (str){0};
    return str_first(url, url.len - rest.len + authority.len);
}

// What the pages may do: run what we send, fetch from us and the named sites, show pictures of ours, play what a script puts together.
static bool policy_make(console *c, str *why)
{
    const statement *block = c->r->settings;
    buf out = buf_make(POLICY_BYTES_MAX);
    bool good = true;
    buf_put(&out, S("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
                    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; connect-src 'self'"));
    str named[2] = {c->video, c->steering};
    for (int i = 0; i < 2; i++)
        if (named[i].len && site_of(named[i]).len)
            buf_format(&out, " " STR_FMT, STR_ARG(site_of(named[i])));
        else
            good &= !named[i].len;
    for (const statement *s = config_first(block, "media"); s; s = config_next(s, "media"))
        for (int i = 1; i < s->word_count; i++) {
            good &= site_of(s->words[i]).len == s->words[i].len;
            if (good)
                buf_format(&out, " " STR_FMT, STR_ARG(s->words[i]));
        }
    c->policy = str_copy(c->r->memory, buf_str(&out));
    if (!good || out.full)
        *why = S("console: video, steering and media take URLs such as http://video.example.kr:8080; media without a path");
    good &= !out.full;
    buf_free(&out);
    return good;
}

static void relays_take(console *c)
{
    str *names = arena_array(c->r->memory, str, CONSOLE_RELAYS_MAX);
    c->relays = names;
    for (const statement *s = config_first(c->r->settings, "relay"); s && names; s = config_next(s, "relay"))
        for (int i = 1; i < s->word_count && c->relay_count < CONSOLE_RELAYS_MAX; i++)
            names[c->relay_count++] = s->words[i];
    for (const statement *s = config_first(c->r->settings, "resolver"); s; s = config_next(s, "resolver"))
        for (int i = 1; i < s->word_count && c->resolver_count < CONSOLE_RESOLVERS_MAX; i++)
            c->resolver_count += addr_parse(s->words[i], 53, &c->resolvers[c->resolver_count]);
}

static void reloadable_take(console *c, const statement *block)
{
    c->title = str_copy(c->r->memory, config_text(block, console_settings, "title"));
    c->life_s = config_int(block, console_settings, "session-life") / NS_PER_S;
    if (c->sessions)
        sessions_lives(c->sessions, config_int(block, console_settings, "session-idle"), c->life_s * NS_PER_S);
}

static bool settings_take(console *c, str *why)
{
    const statement *block = c->r->settings;
    str host;
    uint16_t port;
    c->registration = config_bool(block, console_settings, "registration");
    c->plaintext_loopback = str_eq(config_text(block, console_settings, "plaintext"), S("loopback"));
    c->origin = config_text(block, console_settings, "origin");
    c->video = config_text(block, console_settings, "video");
    c->steering = config_text(block, console_settings, "steering");
    c->link = config_bool(block, console_settings, "link");
    c->newcomers.secret = world_random_u64(c->w);
    c->relaying.free = CONSOLE_RELAYS_AT_ONCE_MAX;
    relays_take(c);
    reloadable_take(c, block);
    if (c->origin.len && !relay_authority(c->origin, &host, &port)) {
        *why = S("console: origin is HOST:PORT, such as 127.0.0.1:8080");
        return false;
    }
    return policy_make(c, why);
}

// ---- doors ----------------------------------------------------------------------------------------------------------------------

static void converse(conn *to, void *arg)
{
    fiber_set_trace(0);
    http_serve(to, (http_limits){.body_bytes_max = CONSOLE_BODY_BYTES_MAX}, console_handle, arg);
}

static int addresses_take(console *c, addr out[WORLD_ADDRESSES_MAX])
{
    int count = 0, own_count;
    const addr *own = world_addresses(c->w, &own_count);
    for (const statement *l = config_first(c->r->settings, "listen"); l; l = config_next(l, "listen"))
        for (int i = 1; i < l->word_count && count < WORLD_ADDRESSES_MAX; i++)
            count += addr_parse_ip(l->words[i], 0, &out[count]);
    for (int i = 0; i < own_count && !config_first(c->r->settings, "listen") && count < WORLD_ADDRESSES_MAX; i++)
        if (addr_is_loopback(own[i]) || world_is_simulated(c->w))
            out[count++] = own[i];
    if (!count)
        out[count++] = addr_v4(0x7f000001, 0);
    return count;
}

static err doors_open(console *c, str *why)
{
    addr at[WORLD_ADDRESSES_MAX];
    int count = addresses_take(c, at);
    for (int i = 0; i < count; i++) {
        door *opened;
        door_options options = {
            .service = "console", .at = addr_with_port(at[i], CONSOLE_PORT), .conns_max = CONSOLE_CONNS_MAX, .tls = c->tls, .drain = true,
            .conns_per_address_max = CONSOLE_CONNS_PER_ADDRESS_MAX,
            .busy = S("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        };
        err e = door_open(c->r->scope, c->w, options, converse, c, &opened);
        if (!e)
            continue;
        *why = str_format(c->r->memory, "console cannot listen on " STR_FMT ": %s. Move it (ports { console N }), or end the program that has it: "
                          "ss -lntp shows which.", STR_ARG(addr_text(c->r->memory, options.at)), err_text(e));
        return e;
    }
    return E_OK;
}

// ---- life -----------------------------------------------------------------------------------------------------------------------

static void gone(room *r)
{
    console *c = r->state;
    if (!c)
        return;
    sessions_free(c->sessions);
    viewings_close(c->viewings);
    json_decref(c->films);
    tls_free(c->tls);
    memory_free(c);
    r->state = NULL;
}

static err start(room *r, str *why)
{
    console *c = memory_zeroed(1, sizeof *c);
    r->state = c;
    c->r = r;
    c->w = r->world;
    console_meters_show();
    c->sessions = sessions_new(c->w, seconds(60), seconds(60));
    if (!settings_take(c, why))
        return E_PROTOCOL;
    err e = room_tls(r, "console", alpn, &c->tls, why);
    if (e)
        return e;
    assets_make(c);
    e = viewings_open(c->w, room_directory(r), r->memory, &c->viewings, why);
    if (e)
        return e;
    console_control(c);
    console_backup(c);
    e = doors_open(c, why);
    if (!e)
        log_line("console", LOG_NOTICE, "ready", F_INT("viewings", viewings_count(c->viewings)), F_STR("tls", c->tls ? S("yes") : S("no")));
    return e;
}

static err tls_renew(console *c, const statement *block, bool only_try, str *why)
{
    return room_tls_renew(c->r, block, &c->tls, 1, only_try, why);
}

static err check(room *r, const statement *block, str *why) { return tls_renew(r->state, block, true, why); }

static err reload(room *r, const statement *block, str *why)
{
    err e = tls_renew(r->state, block, false, why);
    if (!e) {
        reloadable_take(r->state, block);
        r->settings = block;
    }
    return e;
}

const room_kind console_kind = {.name = "console", .settings = console_settings, .start = start, .check = check, .reload = reload, .gone = gone};
