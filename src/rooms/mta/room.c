#include "rooms/mta/mta.h"

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/mta/queue.h"
#include "rt/log.h"
#include "rt/worker.h"
#include "talk/control.h"

// ---- TLS --------------------------------------------------------------------------------------------------------------

typedef struct { mta *m; arena *a; const char *path; str text; err e; } pem_file;

static void pem_read(void *arg)
{
    pem_file *f = arg;
    f->e = file_read_all(f->m->w, f->path, f->a, MTA_PEM_BYTES_MAX, &f->text);
}

static bool pem(mta *m, const statement *block, const char *key, arena *a, str *text, str *why)
{
    pem_file f = {.m = m, .a = a, .path = str_to_z(a, config_text(block, mta_settings, key))};
    work(pem_read, &f);
    *text = f.text;
    if (f.e != E_OK)
        *why = str_format(m->room->memory, "mta: cannot read %s \"%s\": %s; check the path and its permissions", key, f.path, err_text(f.e));
    return f.e == E_OK;
}

static const char *const alpn[] = {"smtp", ""};           // who comes for HTTP is refused in the handshake (ALPACA)

static bool tls_start(mta *m, str *why)
{
    str chain, key;
    arena *a = m->room->memory;
    m->tls_client = tls_client_new(m->w, (str){0}, NULL, a, why);
    if (!m->tls_client)
        return false;
    if (!config_text(m->room->settings, mta_settings, "certificate").len)
        return true;
    if (!pem(m, m->room->settings, "certificate", a, &chain, why) || !pem(m, m->room->settings, "key", a, &key, why))
        return false;
    m->tls_smtp = tls_server_new(m->w, "smtp", chain, key, alpn, a, why);
    m->tls_submission = tls_server_new(m->w, "submission", chain, key, alpn, a, why);
    return m->tls_smtp && m->tls_submission;
}

// The certificate and key as they are now; only_try: are they usable?
static bool tls_renew(mta *m, const statement *block, bool only_try, str *why)
{
    str chain, key;
    if (!m->tls_smtp)
        return true;
    arena a = arena_make(4 * MTA_PEM_BYTES_MAX);
    bool good = pem(m, block, "certificate", &a, &chain, why) && pem(m, block, "key", &a, &key, why);
    if (good && only_try) {
        tls_config *t = tls_server_new(m->w, "smtp", chain, key, alpn, m->room->memory, why);
        good = t != NULL;
        tls_free(t);
    } else if (good) {
        good = tls_server_renew(m->w, m->tls_smtp, chain, key, m->room->memory, why) &&
               tls_server_renew(m->w, m->tls_submission, chain, key, m->room->memory, why);
    }
    arena_free(&a);
    return good;
}

// ---- doors ------------------------------------------------------------------------------------------------------------

static err door_at(mta *m, addr at, uint16_t port, str *why)
{
    const statement *block = m->room->settings;
    door_options options = {
        .service = port == 25 ? "smtp" : "submission",
        .at = addr_with_port(at, port),
        .conns_max = (int)config_int(block, mta_settings, "connections"),
        .conns_per_address_max = (int)config_int(block, mta_settings, "connections-per-address"),
        .busy = S("421 4.7.0 Too many connections, try again later\r\n"),
        .tls = port == 465 ? m->tls_submission : NULL,
        .drain = true,
    };
    door *opened;
    err e = door_open(m->room->scope, m->w, options, port == 25 ? mta_converse : mta_converse_submission, m, &opened);
    if (e != E_OK)
        *why = str_format(m->room->memory, "mta: cannot listen on " STR_FMT ": %s", STR_ARG(addr_text(m->room->memory, options.at)), err_text(e));
    return e;
}

static err doors_open(mta *m, str *why)
{
    static const uint16_t ports[] = {25, 587, 465};
    int count;
    const addr *own = world_addresses(m->w, &count);
    addr any[2] = {addr_v4(0, 0), {.family = 6}}, listed[WORLD_ADDRESSES_MAX];
    int listed_count = 0;
    for (const statement *s = mta_statements(m->room->settings, "listen"); s; s = config_next(s, "listen"))
        for (int i = 1; i < s->word_count && listed_count < WORLD_ADDRESSES_MAX; i++)
            listed_count += addr_parse_ip(s->words[i], 0, &listed[listed_count]);
    const addr *at = listed_count ? listed : count ? own : any;
    int n = listed_count ? listed_count : count ? count : 2;
    for (int i = 0; i < n; i++)
        for (size_t p = 0; p < sizeof ports / sizeof *ports; p++) {
            if (ports[p] == 465 && !m->tls_submission)
                continue;
            err e = door_at(m, at[i], ports[p], why);
            if (e != E_OK)
                return e;
        }
    return E_OK;
}

// ---- life -------------------------------------------------------------------------------------------------------------

static void stop(room *r)
{
    mta *m = r->state;
    queue_finish(m->queue, QUEUE_FINISH_NS);
}

static void gone(room *r)
{
    mta *m = r->state;
    if (!m)
        return;
    queue_free(m->queue);
    spool_close(m->spool);
    tls_free(m->tls_smtp);
    tls_free(m->tls_submission);
    tls_free(m->tls_client);
    r->state = NULL;
    memory_free(m);
}

static err start(room *r, str *why)
{
    mta *m = memory_zeroed(1, sizeof *m);
    r->state = m;
    mta_meters_show();
    m->room = r;
    m->w = r->world;
    if (!mta_settings_take(m, r->settings, why))
        return E_PROTOCOL;
    if (!tls_start(m, why))
        return E_TLS;
    err e = spool_open(m->w, room_directory(r), r->memory, &m->spool, why);
    if (e != E_OK)
        return e;
    queue_new(m);
    mta_control(m);
    mta_backup(m);
    control_add_story(r, mta_story, m);
    e = room_offer(r, "mta.submit", mta_converse_submission, m);
    if (e == E_OK)
        e = doors_open(m, why);
    if (e == E_OK)
        log_line("mta", LOG_NOTICE, "ready", F_STR("host_name", m->host), F_INT("waiting", spool_count(m->spool)));
    return e;
}

static err check(room *r, const statement *block, str *why)
{
    mta *m = r->state;
    mta old = *m;
    bool good = mta_settings_take(m, block, why);
    *m = old;
    return good && tls_renew(m, block, true, why) ? E_OK : E_PROTOCOL;
}

static err reload(room *r, const statement *block, str *why)
{
    mta *m = r->state;
    mta old = *m;
    if (mta_settings_take(m, block, why) && tls_renew(m, block, false, why))
        return E_OK;
    *m = old;
    return E_PROTOCOL;
}

const room_kind mta_kind = {.name = "mta", .settings = mta_settings, .start = start, .check = check, .reload = reload, .stop = stop, .gone = gone};
