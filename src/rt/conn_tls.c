// TLS over a conn. OpenSSL reads and writes through a BIO of ours that never parks: when the carrier has nothing, the call
// comes back with WANT_READ or WANT_WRITE and the conn parks outside OpenSSL, where its stack is shallow.
#include "rt/conn_inside.h"
#include "rt/shared.h"
#include "rt/tls_inside.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rt/loop.h"

enum { HOST_BYTES_MAX = 255 };

struct tls_session {
    SSL          *ssl;
    tls_config   *config;
    err           carrier_error;         // what the carrier met under OpenSSL
    bool          carrier_end;           // the carrier ended; in order only behind a close_notify
    bool          broken;                // SSL_shutdown must not be called any more
    unsigned long code;                  // of the first error in OpenSSL
    long          verify_result;
};

// ---- the BIO ------------------------------------------------------------------------------------------------------------

static int bio_read(BIO *b, char *into, size_t size, size_t *got)
{
    conn_inside *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    err e = carrier_read(c, into, size, got);
    if (e == E_AGAIN)
        BIO_set_retry_read(b);
    else if (e == E_EOF)
        c->tls->carrier_end = true;
    else if (e)
        c->tls->carrier_error = e;
    return e == E_OK;
}

static int bio_write(BIO *b, const char *from, size_t size, size_t *put)
{
    conn_inside *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    struct iovec v = {(void *)(uintptr_t)from, size};
    err e = carrier_write(c, &v, 1, put);
    if (e == E_AGAIN)
        BIO_set_retry_write(b);
    else if (e)
        c->tls->carrier_error = e;
    return e == E_OK;
}

static long bio_control(BIO *b, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    conn_inside *c = BIO_get_data(b);
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;       // nothing waits in the BIO
    case BIO_CTRL_EOF:   return c->tls && c->tls->carrier_end;
    default:             return 0;
    }
}

static BIO_METHOD *carrier_method;

static void carrier_method_make(void)
{
    carrier_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "naru conn");
    must(carrier_method && BIO_meth_set_read_ex(carrier_method, bio_read) &&
         BIO_meth_set_write_ex(carrier_method, bio_write) && BIO_meth_set_ctrl(carrier_method, bio_control));
}

static BIO *carrier_bio(conn_inside *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, carrier_method_make);
    BIO *b = BIO_new(carrier_method);
    must(b);
    BIO_set_data(b, c);
    BIO_set_init(b, 1);
    return b;
}

// ---- records ------------------------------------------------------------------------------------------------------------

static err session_trouble(conn_inside *c, int result, sock_event *wants)
{
    tls_session *t = c->tls;
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:  *wants = WAIT_READ;  return E_AGAIN;
    case SSL_ERROR_WANT_WRITE: *wants = WAIT_WRITE; return E_AGAIN;
    case SSL_ERROR_ZERO_RETURN: return E_EOF;
    default: break;
    }
    t->broken = true;
    t->code = ERR_peek_error();
    ERR_clear_error();
    if (t->carrier_error)
        return t->carrier_error;
    return t->carrier_end ? E_RESET : E_TLS;     // an end without close_notify: somebody may have cut it
}

err session_read(conn_inside *c, void *into, size_t size, size_t *got, sock_event *wants)
{
    world *before = tls_chance_from(c->world);
    ERR_clear_error();
    int result = SSL_read_ex(c->tls->ssl, into, size, got);
    err e = result > 0 ? E_OK : session_trouble(c, result, wants);
    tls_chance_back(before);
    return e;
}

// At most one record a piece; E_AGAIN only when nothing at all went.
err session_write(conn_inside *c, const struct iovec *from, int count, size_t *put, sock_event *wants)
{
    world *before = tls_chance_from(c->world);
    err e = E_OK;
    *put = 0;
    for (int i = 0; i < count && !e; i++) {
        for (size_t done = 0; done < from[i].iov_len && !e; ) {
            size_t part = 0;
            ERR_clear_error();
            int result = SSL_write_ex(c->tls->ssl, (char *)from[i].iov_base + done, from[i].iov_len - done, &part);
            e = result > 0 ? E_OK : session_trouble(c, result, wants);
            done += part;
            *put += part;
        }
    }
    tls_chance_back(before);
    return *put > 0 ? E_OK : e;                  // the trouble shows again at the next call
}

void session_goodbye(conn_inside *c)
{
    if (c->tls->broken || !SSL_is_init_finished(c->tls->ssl))
        return;
    world *before = tls_chance_from(c->world);
    ERR_clear_error();
    SSL_shutdown(c->tls->ssl);
    ERR_clear_error();
    tls_chance_back(before);
}

void session_free(tls_session *t)
{
    SSL_free(t->ssl);
    tls_free(t->config);
    memory_free(t);
}

// ---- the handshake ------------------------------------------------------------------------------------------------------

// What was read in plain text is not part of the TLS conversation: a peer in the middle may have put it there
// (CVE-2011-0411 and its descendants).
static void drop_plain_input(conn_inside *c)
{
    c->tls_dropped += c->in.len + (size_t)c->lent_left.len;
    shared_drop(c->lent);
    c->lent = c->lent_left = (str){0};
    conn_buffer_free(&c->in);
}

static bool session_start(conn_inside *c, tls_config *config)
{
    must(!c->tls);
    if (c->seen.error || !conn_flush(&c->seen))
        return false;
    drop_plain_input(c);
    tls_session *t = memory_zeroed(1, sizeof *t);
    t->config = tls_share(config);
    t->ssl = SSL_new(config->context);
    must(t->ssl);
    BIO *b = carrier_bio(c);
    SSL_set_bio(t->ssl, b, b);
    SSL_set_app_data(t->ssl, c->world);
    c->tls = t;
    return true;
}

static bool handshake_done(conn_inside *c)
{
    c->seen.is_tls = true;
    c->tls->verify_result = SSL_get_verify_result(c->tls->ssl);
    return true;
}

static bool handshake(conn_inside *c)
{
    int64_t deadline_before = c->deadline_ns, until_ns = loop_now_ns() + millis(TLS_HANDSHAKE_MS_MAX);
    if (c->deadline_ns == NEVER_NS || until_ns < c->deadline_ns)
        c->deadline_ns = until_ns;
    err e = E_AGAIN;
    while (e == E_AGAIN) {
        sock_event wants = WAIT_READ;
        world *before = tls_chance_from(c->world);
        ERR_clear_error();
        int result = SSL_do_handshake(c->tls->ssl);
        e = result == 1 ? E_OK : session_trouble(c, result, &wants);
        tls_chance_back(before);
        if (e == E_AGAIN && conn_wait(c, wants, NEVER_NS) != E_OK)
            e = c->seen.error;
    }
    c->deadline_ns = deadline_before;
    if (!e)
        return handshake_done(c);
    c->tls->broken = true;
    c->tls->verify_result = SSL_get_verify_result(c->tls->ssl);
    c->out_broken = true;                        // nothing in plain text behind a handshake that failed
    conn_fail(c, e == E_EOF ? E_RESET : e);
    return false;
}

bool conn_tls_accept(conn *seen, tls_config *server)
{
    conn_inside *c = inside(seen);
    must(server->is_server);
    if (!session_start(c, server))
        return false;
    SSL_set_accept_state(c->tls->ssl);
    return handshake(c);
}

static bool is_ip(str host)
{
    addr ignored;
    return addr_parse_ip(host, 0, &ignored);
}

// The name that we ask for, and the name that the certificate must carry.
static bool expect_host(SSL *ssl, str host, bool verifies)
{
    char name[HOST_BYTES_MAX + 1] = "";
    if (host.len > HOST_BYTES_MAX || str_find(host, 0) >= 0)
        return false;
    if (str_ends(host, S(".")))
        host.len--;
    memcpy(name, host.at, (size_t)host.len);
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (is_ip(host))
        return !verifies || X509_VERIFY_PARAM_set1_ip_asc(param, name);
    if (!SSL_set_tlsext_host_name(ssl, name))
        return false;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return !verifies || SSL_set1_host(ssl, name);
}

bool conn_tls_connect(conn *seen, tls_config *client, str host)
{
    conn_inside *c = inside(seen);
    must(!client->is_server);
    if (!session_start(c, client))
        return false;
    SSL *ssl = c->tls->ssl;
    SSL_set_connect_state(ssl);
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), (time_t)world_wall_s(c->world));
    if (host.len > 0 && !expect_host(ssl, host, client->verifies)) {
        c->tls->broken = c->out_broken = true;
        conn_fail(c, E_TLS);
        return false;
    }
    return handshake(c);
}

// ---- what came of it ----------------------------------------------------------------------------------------------------

size_t conn_tls_dropped(const conn *seen) { return ((const conn_inside *)(const void *)seen)->tls_dropped; }

str conn_tls_reason(conn *seen, arena *a)
{
    const tls_session *t = inside(seen)->tls;
    if (!t || (t->code == 0 && !t->broken))
        return str_copy(a, seen->error ? str_z(err_text(seen->error)) : (str){0});
    if (t->config->verifies && t->verify_result != X509_V_OK)
        return str_copy(a, str_z(X509_verify_cert_error_string(t->verify_result)));
    if (t->carrier_error || t->carrier_end)
        return str_copy(a, S("the peer closed the connection in the middle"));
    return str_copy(a, tls_openssl_reason(t->code, err_text(seen->error ? seen->error : E_TLS)));
}

str conn_tls_describe(conn *seen, arena *a)
{
    const tls_session *t = inside(seen)->tls;
    if (!t || !seen->is_tls)
        return (str){0};
    return str_format(a, "%s %s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl));
}

str conn_tls_alpn(conn *seen)
{
    const unsigned char *at = NULL;
    unsigned len = 0;
    const tls_session *t = inside(seen)->tls;
    if (t)
        SSL_get0_alpn_selected(t->ssl, &at, &len);
    return str_of(at, len);
}

str conn_tls_sni(conn *seen)
{
    const tls_session *t = inside(seen)->tls;
    return t ? str_z(SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name)) : (str){0};
}
