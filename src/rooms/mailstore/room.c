#include "base/heap_memory.h"
#include "rooms/mailstore/mailstore.h"
#include "rooms/mailstore/mailstore_inside.h"
#include "rt/log.h"
#include "rt/meter.h"
#include "rt/room_doors.h"
#include "rt/worker.h"

static const setting settings[] = {
    {.key = "host", .type = SETTING_TEXT, .help_en = "the name this server calls itself", .help_ko = "서버가 스스로를 부르는 이름"},
    {.key = "listen", .type = SETTING_HOST, .repeated = true, .choices = "none",
     .help_en = "addresses to listen on (default: the node's); none: only the inside doors", .help_ko = "듣는 주소; none: 안쪽 문만"},
    {.key = "certificate", .type = SETTING_TEXT, .help_en = "PEM file with the certificate chain",
     .help_ko = "인증서 체인 PEM 파일"},
    {.key = "key", .type = SETTING_TEXT, .help_en = "PEM file with the private key", .help_ko = "개인 키 PEM 파일"},
    {.key = "plaintext", .type = SETTING_TEXT, .choices = "loopback|off", .fallback = "off",
     .help_en = "`plaintext loopback`: logging in without TLS is allowed from this machine",
     .help_ko = "`plaintext loopback`: 이 컴퓨터에서는 TLS 없이 로그인 허용"},
    {.key = "size", .type = SETTING_SIZE, .fallback = "64MiB", .min = 1024, .max = BLOB_BYTES_MAX,
     .help_en = "the largest letter stored", .help_ko = "보관하는 편지의 최대 크기"},
    {.key = "delivery-ids", .type = SETTING_DURATION, .fallback = "6d", .min = 60 * NS_PER_S,
     .max = 60ll * 24 * 3600 * NS_PER_S,
     .help_en = "how long ids of deliveries are remembered; longer than any queue keeps a letter",
     .help_ko = "배달 번호를 기억하는 기간"},
    {.key = "login-delay", .type = SETTING_DURATION, .fallback = "0s", .max = 3600 * NS_PER_S,
     .help_en = "least time between two POP3 logins of one account", .help_ko = "한 계정의 POP3 로그인 사이 최소 간격"},
    {.key = "connections", .type = SETTING_INT, .fallback = "10000", .min = 1, .max = DOOR_CONNS_MAX,
     .help_en = "POP3 connections at once, each door", .help_ko = "동시 POP3 연결 수"},
    {.key = "connections-per-address", .type = SETTING_INT, .fallback = "50", .min = 1, .max = DOOR_CONNS_MAX,
     .help_en = "POP3 connections at once from one address", .help_ko = "한 주소에서의 동시 POP3 연결 수"},
    {0},
};

static meter stored = {.name = "naru_mailstore_letters_total", .help = "Letters handed over by LMTP",
                       .type = METER_COUNTER,
                       .label = "result", .values = {"stored", "duplicate"}};
static meter retrieved = {.name = "naru_mailstore_pop3_letters_total", .help = "Letters read by POP3",
                          .type = METER_COUNTER};

void mailstore_count_stored(bool duplicate) { meter_add_at(&stored, duplicate, 1); }
void mailstore_count_retrieved(void) { meter_add(&retrieved, 1); }

// ---- TLS -------------------------------------------------------------------------------------------------------

static const char *const alpn[] = {"pop3", ""};

// ---- doors -----------------------------------------------------------------------------------------------------

static err door_at(mailstore *m, addr at, uint16_t port, str *why)
{
    const statement *block = m->r->settings;
    door_options options = {
        .service = "pop3",
        .at = addr_with_port(at, port),
        .conns_max = (int)config_int(block, settings, "connections"),
        .conns_per_address_max = (int)config_int(block, settings, "connections-per-address"),
        .busy = S("-ERR [SYS/TEMP] too many connections, try again later\r\n"),
        .tls = port == 995 ? m->tls : NULL,
        .drain = true,
    };
    door *opened;
    err e = door_open(m->r->scope, m->w, options, pop3_converse, m, &opened);
    if (e != E_OK)
        *why = str_format(m->r->memory, "mailstore: cannot listen on " STR_FMT ": %s",
                          STR_ARG(addr_text(m->r->memory, options.at)), err_text(e));
    return e;
}

static err doors_open(mailstore *m, str *why)
{
    addr at[WORLD_ADDRESSES_MAX];
    int n = room_addresses(m->r, false, 0, at, WORLD_ADDRESSES_MAX);
    for (int i = 0; i < n; i++) {
        err e = door_at(m, at[i], 110, why);
        if (e == E_OK && m->tls)
            e = door_at(m, at[i], 995, why);
        if (e != E_OK)
            return e;
    }
    return E_OK;
}

// ---- life ------------------------------------------------------------------------------------------------------

static void gone(room *r)
{
    mailstore *m = r->state;
    if (!m)
        return;
    accounts_close(&m->accounts);
    tls_free(m->tls);
    memory_free(m);
    r->state = NULL;
}

static void settings_take(mailstore *m)
{
    const statement *block = m->r->settings;
    m->host = str_copy(m->r->memory, config_text(block, settings, "host"));
    if (!m->host.len)
        m->host = m->r->node->name;
    m->size_bytes_max = config_int(block, settings, "size");
    m->login_delay_ns = config_int(block, settings, "login-delay");
    m->plaintext_loopback = str_eq(config_text(block, settings, "plaintext"), S("loopback"));
    m->accounts = (accounts_open){.w = m->w, .directory = room_directory(m->r),
                                  .by_key = map_make(world_random_u64(m->w), ACCOUNTS_OPEN_MAX),
                                  .delivery_ids_kept_s = config_int(block, settings, "delivery-ids") / NS_PER_S};
}

static err start(room *r, str *why)
{
    mailstore *m = memory_zeroed(1, sizeof *m);
    r->state = m;
    meter_show(&stored);
    meter_show(&retrieved);
    m->r = r;
    m->w = r->world;
    settings_take(m);
    err e = room_tls(r, "pop3", alpn, &m->tls, why);
    if (e != E_OK)
        return e;
    mailstore_backup(m);
    e = room_offer(r, "mailstore.lmtp", lmtp_converse, m);
    if (e == E_OK)
        e = room_offer(r, "mailstore.pop3", pop3_converse, m);
    if (e == E_OK)
        e = doors_open(m, why);
    if (e == E_OK)
        log_line("mailstore", LOG_NOTICE, "ready", F_STR("host_name", m->host));
    return e;
}

static err check(room *r, const statement *block, str *why)
{
    mailstore *m = r->state;
    return room_tls_renew(r, block, &m->tls, 1, true, why);
}

static err reload(room *r, const statement *block, str *why)
{
    mailstore *m = r->state;
    return room_tls_renew(r, block, &m->tls, 1, false, why);
}

const room_kind mailstore_kind = {.name = "mailstore", .settings = settings, .start = start, .check = check, .reload = reload, .gone = gone};
