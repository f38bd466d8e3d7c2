// The mail server under measurement: one node with accounts, mta and, with --store, the mailstore; without it letters are handed
// over to a door that discards them (as Postfix's discard transport does), so that acceptance alone is measured.
//     bench-mail_server DIRECTORY PORT [--store]      prints "ready", ends on SIGTERM
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rooms/accounts/accounts.h"
#include "rooms/mailstore/mailstore.h"
#include "rooms/mta/mta.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"
#include "wire/mail/dot.h"

typedef struct {
    const char *directory;
    uint16_t    port;
    bool        store;
    world      *w;
    FILE       *log;
} serving;

static void log_to_file(void *arg, str line)
{
    serving *s = arg;
    fwrite(line.at, 1, (size_t)line.len, s->log);
    fputc('\n', s->log);
}

// ---- a mailstore that forgets -----------------------------------------------------------------------------------------------

static bool data_discard(conn *c)
{
    dot_reader dots = {.size_bytes_max = 1 << 30};
    buf out = buf_make(1 << 20);
    dot_verdict verdict = DOT_MORE;
    conn_put(c, S("354 go on\r\n"));
    while (verdict == DOT_MORE) {
        str chunk = conn_some(c), rest = chunk;
        if (!chunk.len)
            break;
        verdict = dot_read(&dots, &rest, &out);
        conn_used(c, (size_t)(chunk.len - rest.len));
        buf_clear(&out);
    }
    buf_free(&out);
    return verdict == DOT_DONE;
}

static void lmtp_discard(conn *c, void *arg)
{
    (void)arg;
    arena msg = arena_make(16384);
    int recipients = 0;
    conn_put(c, S("220 forgets\r\n"));
    while (!c->error) {
        arena_reset(&msg);
        str line = conn_line(c, &msg, 4096);
        if (str_starts_nocase(line, S("LHLO"))) {
            conn_put(c, S("250-forgets\r\n250-PIPELINING\r\n250 8BITMIME\r\n"));
        } else if (str_starts_nocase(line, S("DATA"))) {
            for (data_discard(c); recipients > 0; recipients--)
                conn_put(c, S("250 2.0.0 forgotten\r\n"));
        } else {
            recipients += str_starts_nocase(line, S("RCPT"));
            conn_put(c, S("250 2.0.0 ok\r\n"));
        }
    }
    arena_free(&msg);
}

static err forgetful_start(room *r, str *why)
{
    (void)why;
    return room_offer(r, "mailstore.lmtp", lmtp_discard, NULL);
}

static const setting no_settings[] = {{0}};
static const room_kind forgetful_kind = {.name = "forgetful", .settings = no_settings, .start = forgetful_start};

// ---- the node -----------------------------------------------------------------------------------------------------------------

static bool add(node *n, const room_kind *kind, const char *settings)
{
    config_error error = {0};
    str why = {0};
    statement *block = config_parse(str_z(kind->name), str_z(settings), &n->memory, NULL, NULL, &error);
    if (block && config_check(block, kind->settings, &n->memory, &error) && node_add(n, kind, block, NULL, &why) == E_OK)
        return true;
    fprintf(stderr, "bench-mail_server: %s: " STR_FMT STR_FMT "\n", kind->name, STR_ARG(error.text), STR_ARG(why));
    return false;
}

static void serve(void *arg)
{
    serving *s = arg;
    node n;
    node_start(&n, s->w, S("bench.example"), str_z(s->directory));
    bool ok = add(&n, &accounts_kind, "") && (s->store ? add(&n, &mailstore_kind, "plaintext loopback") : add(&n, &forgetful_kind, "")) &&
              add(&n, &mta_kind, "domain bench.example; plaintext loopback; concurrency 16; connections-per-address 1000");
    if (ok && accounts_put(node_room(&n, "accounts"), S("bob@bench.example"), S("ketchup-and-pickles")) == E_OK) {
        printf("ready\n");
        fflush(stdout);
        signal_wait();
    }
    node_stop(&n);
}

int main(int argc, char **argv)
{
    uint64_t port = 0;
    if (argc < 3 || !str_to_u64(str_z(argv[2]), &port)) {
        fprintf(stderr, "usage: bench-mail_server DIRECTORY PORT [--store]\n");
        return 2;
    }
    addr home = addr_v4(0x7f000001, 0);
    serving s = {.directory = argv[1], .port = (uint16_t)port, .store = argc > 3 && strcmp(argv[3], "--store") == 0,
                 .w = world_linux_new(S("bench.example"), &home, 1)};
    char path[4096];
    snprintf(path, sizeof path, "%s.log", argv[1]);
    s.log = fopen(path, "we");
    if (!s.log)
        return perror(path), 1;
    setvbuf(s.log, NULL, _IOLBF, 0);                     // a line is written when it is logged, as in production
    static const uint16_t ports[] = {25, 587, 465, 110, 995};
    for (int i = 0; i < 5; i++)
        world_map_port(s.w, ports[i], (uint16_t)(s.port + i));
    signals_block();
    log_setup(LOG_LOGFMT, LOG_INFO, log_to_file, &s);
    workers_start(2);
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, s.w, serve, &s);
    driver_linux_free(driver);
    workers_stop();
    world_linux_free(s.w);
    fclose(s.log);
    return e != E_OK;
}
