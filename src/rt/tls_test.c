#include "rt/tls.h"

#include "base/heap_memory.h"
#include "rt/conn_play_test.h"
#include "rt/tls_inside.h"

#include <openssl/ssl.h>

typedef struct { conn *c; tls_config *config; bool ok; } accepting;

static void accept_tls(void *arg)
{
    accepting *a = arg;
    a->ok = conn_tls_accept(a->c, a->config);
}

// Both sides shake hands over a socket; says what each of them made of it.
typedef struct { test_ends e; bool server_ok, client_ok; } meeting;

static meeting meet(world *w, tls_config *server, tls_config *client, str host)
{
    meeting m = {.e = test_join(w, BY_SOCKET, NULL)};
    SCOPE(both, seconds(60), 1);
    accepting a = {m.e.server, server, false};
    must(scope_go(&both, "accepting", accept_tls, &a) == E_OK);
    m.client_ok = conn_tls_connect(m.e.client, client, host);
    if (!m.client_ok) {
        conn_abort(m.e.client);
        m.e.client = NULL;
    }
    CHECK_INT(scope_wait(&both), E_OK);
    m.server_ok = a.ok;
    return m;
}

static void part(meeting *m)
{
    conn_close(m->e.server);
    conn_close(m->e.client);
}

static void described(world *w)
{
    test_tls t;
    test_tls_make(&t, w, "smtp");
    meeting m = meet(w, t.server, t.client, S("server.example"));
    CHECK(m.client_ok && m.server_ok && m.e.client->is_tls && m.e.server->is_tls);
    CHECK_STR(conn_tls_describe(m.e.client, &t.memory), S("TLSv1.3 TLS_AES_256_GCM_SHA384"));
    CHECK_STR(conn_tls_sni(m.e.server), S("server.example"));
    CHECK_STR(conn_tls_alpn(m.e.server), S(""));
    conn_close(m.e.server);
    CHECK(conn_some(m.e.client).len == 0);
    CHECK_INT(m.e.client->error, E_EOF);                 // close_notify: an end in order
    conn_close(m.e.client);
    test_tls_free(&t);
}

TEST(tls_tells_what_was_agreed) { play_both(described); }

static void truncated(world *w)
{
    test_tls t;
    test_tls_make(&t, w, "smtp");
    meeting m = meet(w, t.server, t.client, S("server.example"));
    conn_abort(m.e.server);                              // the connection ends, and nobody said goodbye
    CHECK(conn_some(m.e.client).len == 0);
    CHECK_INT(m.e.client->error, E_RESET);
    conn_close(m.e.client);
    test_tls_free(&t);
}

TEST(tls_that_is_cut_off_is_no_end_in_order) { play_both(truncated); }

// ---- whom to believe ------------------------------------------------------------------------------------------------------

static certificate signed_for(test_tls *t, world *w, str name, int days)
{
    certificate c;
    must(certificate_make(w, &t->ca, &name, 1, days, &t->memory, &c));
    return c;
}

static void verified(world *w)
{
    static const struct { str name; int days; str asked; bool ok; const char *reason; } rows[] = {
        {S("server.example"), 20, S("server.example"), true, NULL},
        {S("server.example"), 20, S("SERVER.example."), true, NULL},
        {S("server.example"), 20, S("other.example"), false, "hostname mismatch"},
        {S("*.wild.example"), 20, S("any.wild.example"), true, NULL},
        {S("*.wild.example"), 20, S("a.b.wild.example"), false, "hostname mismatch"},
        {S("127.0.0.1"), 20, S("127.0.0.1"), true, NULL},
        {S("127.0.0.1"), 20, S("127.0.0.2"), false, "IP address mismatch"},
        {S("::1"), 20, S("::1"), true, NULL},
        {S("server.example"), 20, S(""), true, NULL},              // no name asked for: any of the authority's
        {S("server.example"), -1, S("server.example"), false, "certificate has expired"},
        {S("server.example"), 20, {(const unsigned char *)"a\0b", 3}, false, NULL},
    };
    test_tls t;
    test_tls_make(&t, w, "smtp");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str why;
        certificate c = signed_for(&t, w, rows[i].name, rows[i].days);
        tls_config *server = tls_server_new(w, "smtp", c.cert_pem, c.key_pem, NULL, &t.memory, &why);
        test_ends e = test_join(w, BY_SOCKET, NULL);
        SCOPE(both, seconds(60), 1);
        accepting a = {e.server, server, false};
        must(scope_go(&both, "accepting", accept_tls, &a) == E_OK);
        CHECK_ROW(i, conn_tls_connect(e.client, t.client, rows[i].asked) == rows[i].ok);
        if (!rows[i].ok) {
            CHECK_ROW(i, e.client->error == E_TLS);
            if (rows[i].reason)
                CHECK_STR(conn_tls_reason(e.client, &t.memory), str_z(rows[i].reason));
        }
        conn_close(e.client);
        scope_wait(&both);
        conn_close(e.server);
        tls_free(server);
    }
    test_tls_free(&t);
}

TEST(tls_client_believes_only_the_right_certificate) { play_both(verified); }

static void time_of_the_world(world *w)
{
    test_tls t;
    test_tls_make(&t, w, "smtp");
    sim_clock_step(w, 21 * 24 * 3600 * NS_PER_S);        // the certificate was good for 20 days
    meeting m = meet(w, t.server, t.client, S("server.example"));
    CHECK(!m.client_ok);
    part(&m);
    sim_clock_step(w, -10 * 24 * 3600 * NS_PER_S);
    m = meet(w, t.server, t.client, S("server.example"));
    CHECK(m.client_ok);
    part(&m);
    test_tls_free(&t);
}

TEST(tls_time_is_the_time_of_the_world) { play_simulated(time_of_the_world); }

// A conversation that began before the renewal goes on; the next handshake sees the new certificate.
static void renewed(world *w)
{
    test_tls t;
    str why = {0}, text;
    test_tls_make(&t, w, "smtp");
    meeting before = meet(w, t.server, t.client, S("server.example"));
    certificate next = signed_for(&t, w, S("renewed.example"), 30);
    CHECK(!tls_server_renew(w, t.server, next.cert_pem, S("no key"), &t.memory, &why) && why.len > 0);
    CHECK(tls_server_renew(w, t.server, next.cert_pem, next.key_pem, &t.memory, &why));
    meeting old_name = meet(w, t.server, t.client, S("server.example")), new_name = meet(w, t.server, t.client, S("renewed.example"));
    CHECK(before.client_ok && !old_name.client_ok && new_name.client_ok);
    conn_put(before.e.client, S("still here\r\n"));
    conn_flush(before.e.client);
    text = conn_line(before.e.server, &t.memory, 100);
    CHECK_STR(text, S("still here\r\n"));
    part(&before);
    conn_close(old_name.e.server);
    part(&new_name);
    test_tls_free(&t);
}

TEST(tls_certificate_is_renewed_while_it_serves) { play_both(renewed); }

static void strangers_authority(world *w)
{
    test_tls t, other;
    test_tls_make(&t, w, "smtp");
    test_tls_make(&other, w, "smtp");
    str why;
    tls_config *trusting = tls_client_new(w, (str){0}, NULL, &t.memory, &why);
    meeting m = meet(w, t.server, other.client, S("server.example"));
    CHECK(!m.client_ok && !m.server_ok);
    part(&m);
    m = meet(w, t.server, trusting, S("server.example"));      // opportunistic: encrypted, not verified
    CHECK(m.client_ok && m.server_ok);
    part(&m);
    tls_free(trusting);
    test_tls_free(&t);
    test_tls_free(&other);
}

TEST(tls_client_without_roots_only_encrypts) { play_both(strangers_authority); }

// ---- names and protocols --------------------------------------------------------------------------------------------------

static void names_chosen(world *w)
{
    static const struct { str asked, name; } rows[] = {
        {S("server.example"), S("server.example")}, {S("second.example"), S("second.example")},
        {S("SECOND.Example"), S("second.example")}, {S("x.wild.example"), S("x.wild.example")},
        {S("unknown.example"), S("")},
    };
    test_tls t;
    test_tls_make(&t, w, "smtp");
    certificate second = signed_for(&t, w, S("second.example"), 20), wild = signed_for(&t, w, S("*.wild.example"), 20);
    CHECK(tls_server_add(t.server, S("second.example"), second.cert_pem, second.key_pem));
    CHECK(tls_server_add(t.server, S("*.wild.example"), wild.cert_pem, wild.key_pem));
    CHECK(!tls_server_add(t.server, S("second.example"), second.cert_pem, second.key_pem));      // twice
    CHECK(!tls_server_add(t.server, S("third.example"), second.cert_pem, wild.key_pem));         // not its key
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        meeting m = meet(w, t.server, t.client, rows[i].asked);
        CHECK_ROW(i, m.client_ok == (rows[i].name.len > 0));
        part(&m);
    }
    test_tls_free(&t);
}

TEST(tls_server_chooses_the_certificate_by_name) { play_both(names_chosen); }

static void protocols_chosen(world *w)
{
    static const struct { const char *server[3], *client[3]; bool ok; str agreed; } rows[] = {
        {{"http/1.1", ""}, {"http/1.1", ""}, true, S("http/1.1")},
        {{"h2", "http/1.1", ""}, {"http/1.1", "h2", ""}, true, S("h2")},            // the server's order
        {{"http/1.1", ""}, {"smtp", ""}, false, S("")},                            // ALPACA
        {{"http/1.1", ""}, {""}, true, S("")},                                     // a client that does not say
        {{""}, {"smtp", ""}, true, S("")},                                         // a server that does not mind
    };
    test_tls t;
    test_tls_make(&t, w, "smtp");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str why;
        tls_config *server = tls_server_new(w, "web", t.cert.cert_pem, t.cert.key_pem, rows[i].server, &t.memory, &why);
        tls_config *client = tls_client_new(w, t.ca.cert_pem, rows[i].client, &t.memory, &why);
        meeting m = meet(w, server, client, S("server.example"));
        CHECK_ROW(i, m.client_ok == rows[i].ok && m.server_ok == rows[i].ok);
        if (m.client_ok)
            CHECK_STR(conn_tls_alpn(m.e.client), rows[i].agreed);
        part(&m);
        tls_free(server);
        tls_free(client);
    }
    test_tls_free(&t);
}

TEST(tls_refuses_a_client_that_came_for_another_protocol) { play_both(protocols_chosen); }

static void bad_pem(world *w)
{
    test_tls t;
    test_tls_make(&t, w, "smtp");
    certificate other = signed_for(&t, w, S("other.example"), 20);
    const struct { str chain, key; } rows[] = {
        {S(""), S("")}, {S("nonsense"), t.cert.key_pem}, {t.cert.cert_pem, S("nonsense")}, {t.cert.cert_pem, other.key_pem},
        {t.cert.key_pem, t.cert.key_pem}, {str_first(t.cert.cert_pem, 200), t.cert.key_pem},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str why = {0};
        CHECK_ROW(i, !tls_server_new(w, "smtp", rows[i].chain, rows[i].key, NULL, &t.memory, &why));
        CHECK_ROW(i, why.len > 0);
    }
    str why = {0};
    CHECK(!tls_client_new(w, S("nonsense"), NULL, &t.memory, &why) && why.len > 0);
    test_tls_free(&t);
}

TEST(tls_says_what_is_wrong_with_a_key) { play_both(bad_pem); }

// ---- STARTTLS -------------------------------------------------------------------------------------------------------------

typedef struct { conn *c; tls_config *config; arena msg; } injection;

static void starttls_server(void *arg)
{
    injection *i = arg;
    CHECK_STR(conn_line(i->c, &i->msg, 100), S("STARTTLS\r\n"));
    conn_put(i->c, S("220 go ahead\r\n"));
    CHECK(conn_tls_accept(i->c, i->config));
    CHECK_INT(conn_tls_dropped(i->c), 24);
    CHECK_STR(conn_line(i->c, &i->msg, 100), S("EHLO honest.example\r\n"));
}

static void injected(world *w)
{
    test_tls t;
    test_tls_make(&t, w, "smtp");
    test_ends e = test_join(w, BY_SOCKET, NULL);
    arena msg = arena_make(1 << 16);
    injection i = {e.server, t.server, arena_make(1 << 16)};
    conn_put(e.client, S("STARTTLS\r\nMAIL FROM:<a@evil.com>\r\n"));       // one packet: a man in the middle added to it
    conn_flush(e.client);
    SCOPE(serving, seconds(60), 1);
    must(scope_go(&serving, "server", starttls_server, &i) == E_OK);
    CHECK_STR(conn_line(e.client, &msg, 100), S("220 go ahead\r\n"));
    CHECK(conn_tls_connect(e.client, t.client, S("server.example")));
    conn_put(e.client, S("EHLO honest.example\r\n"));
    conn_flush(e.client);
    scope_wait(&serving);
    conn_close(e.server);
    conn_close(e.client);
    arena_free(&i.msg);
    arena_free(&msg);
    test_tls_free(&t);
}

TEST(tls_drops_what_was_injected_before_starttls) { play_both(injected); }

static void garbage(world *w)
{
    static const str rows[] = {S("GET / HTTP/1.0\r\n\r\n"), S("\x16\x03\x01\xff\xff\x01"), S("\0\0\0\0\0\0\0\0"), S("")};
    test_tls t;
    test_tls_make(&t, w, "smtp");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_ends e = test_join(w, BY_SOCKET, NULL);
        SCOPE(both, seconds(60), 1);
        conn_deadline(e.server, millis(200));
        accepting a = {e.server, t.server, true};
        must(scope_go(&both, "accepting", accept_tls, &a) == E_OK);
        conn_put(e.client, rows[i]);
        conn_flush(e.client);
        CHECK_INT(scope_wait(&both), E_OK);
        CHECK_ROW(i, !a.ok);
        CHECK_ROW(i, e.server->error == E_TLS || e.server->error == E_TIMEOUT);
        CHECK_ROW(i, conn_tls_reason(e.server, &t.memory).len > 0);
        conn_close(e.server);
        conn_close(e.client);
    }
    test_tls_free(&t);
}

TEST(tls_survives_garbage_and_silence) { play_both(garbage); }

// ---- tickets --------------------------------------------------------------------------------------------------------------

// A client of OpenSSL's own in the middle of a memory pair: only it can offer a ticket again.
static SSL_SESSION *ticket_seen;

static int keep_ticket(SSL *ssl, SSL_SESSION *s)
{
    (void)ssl;
    SSL_SESSION_free(ticket_seen);
    ticket_seen = s;
    return 1;
}

static bool shuttle(SSL *ssl, conn *c)
{
    char out[8192];
    int n;
    while ((n = BIO_read(SSL_get_wbio(ssl), out, sizeof out)) > 0)
        conn_put(c, str_of(out, (size_t)n));
    if (!conn_flush(c) || conn_wait_input(c, loop_now_ns() + millis(50)) != E_OK)
        return false;
    str in = conn_some(c);
    BIO_write(SSL_get_rbio(ssl), in.at, (int)in.len);
    conn_used(c, (size_t)in.len);
    return in.len > 0;
}

// Shakes hands with `server` offering `ticket` (or none); answers whether it was taken. Leaves a new one in ticket_seen.
static bool resumes(tls_config *server, SSL_CTX *client, SSL_SESSION *ticket)
{
    conn *ours, *theirs;
    conn_pair(&ours, &theirs);
    SCOPE(both, seconds(60), 1);
    accepting a = {theirs, server, false};
    must(scope_go(&both, "accepting", accept_tls, &a) == E_OK);
    SSL *ssl = SSL_new(client);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (ticket)
        SSL_set_session(ssl, ticket);
    char byte;
    do
        SSL_connect(ssl);
    while (shuttle(ssl, ours));
    SSL_read(ssl, &byte, 1);                             // the ticket comes behind the handshake
    CHECK(SSL_is_init_finished(ssl));
    bool resumed = SSL_session_reused(ssl);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    scope_wait(&both);
    CHECK(a.ok);
    conn_close(ours);
    conn_close(theirs);
    return resumed;
}

static void tickets_of(world *w, int version)
{
    test_tls t;
    test_tls_make(&t, w, "smtp");
    str why;
    tls_config *again = tls_server_new(w, "smtp", t.cert.cert_pem, t.cert.key_pem, NULL, &t.memory, &why);
    tls_config *other = tls_server_new(w, "pop3", t.cert.cert_pem, t.cert.key_pem, NULL, &t.memory, &why);
    CHECK(tls_tickets_share(again, t.server) && tls_tickets_share(other, t.server));
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client, keep_ticket);
    SSL_CTX_set_max_proto_version(client, version);
    CHECK(!resumes(t.server, client, NULL));
    SSL_SESSION *ticket = ticket_seen;
    ticket_seen = NULL;
    CHECK(ticket != NULL);
    SSL_SESSION *copies[3] = {SSL_SESSION_dup(ticket), SSL_SESSION_dup(ticket), SSL_SESSION_dup(ticket)};
    CHECK(!resumes(other, client, copies[0]));           // the same keys, another service: a full handshake instead
    CHECK(resumes(t.server, client, copies[1]));
    CHECK(resumes(again, client, copies[2]));            // the same service on another loop
    for (int i = 0; i < 3; i++)
        SSL_SESSION_free(copies[i]);
    SSL_SESSION_free(ticket);
    SSL_SESSION_free(ticket_seen);
    ticket_seen = NULL;
    SSL_CTX_free(client);
    tls_free(again);
    tls_free(other);
    test_tls_free(&t);
}

static void tickets(world *w)
{
    tickets_of(w, TLS1_3_VERSION);
    tickets_of(w, TLS1_2_VERSION);
}

TEST(tls_ticket_of_another_service_is_refused) { play_real(tickets); }

// ---- chance ---------------------------------------------------------------------------------------------------------------

static unsigned char first_key[600];
static ptrdiff_t     first_len;

static void make_and_talk(world *w)
{
    test_tls t;
    test_tls_make(&t, w, "smtp");
    meeting m = meet(w, t.server, t.client, S("server.example"));
    CHECK(m.client_ok);
    part(&m);
    str all = str_join(&t.memory, t.cert.key_pem, str_first(t.cert.cert_pem, 300));
    if (first_len) {
        CHECK_STR(all, str_of(first_key, (size_t)first_len));
    } else {
        first_len = all.len < (ptrdiff_t)sizeof first_key ? all.len : (ptrdiff_t)sizeof first_key;
        memcpy(first_key, all.at, (size_t)first_len);
    }
    test_tls_free(&t);
}

static uint64_t fingerprint_of_talk(uint64_t seed)
{
    sim *s = sim_new(seed);
    addr at = addr_v4(0x0a000001, 0);
    play p = {sim_host(s, S("here"), &at, 1, (sim_disk){0}), make_and_talk};
    CHECK_INT(sim_run(s, play_run, &p), E_OK);
    uint64_t f = sim_fingerprint(s);
    sim_free(s);
    return f;
}

TEST(tls_in_the_simulator_repeats_from_its_seed)
{
    first_len = 0;
    uint64_t f = fingerprint_of_talk(7);
    CHECK(fingerprint_of_talk(7) == f);
    first_len = 0;
    CHECK(fingerprint_of_talk(8) != f);
}
