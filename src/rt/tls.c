#include "rt/tls_inside.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdatomic.h>
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

// Strong everywhere: what speaks TLS 1.2 with less than this is refused where we are the server.
#define SERVER_CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"

str tls_openssl_reason(unsigned long code, const char *fallback)
{
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    return str_z(reason ? reason : fallback);
}

// ---- contexts -----------------------------------------------------------------------------------------------------------

static SSL_CTX *context_new(const SSL_METHOD *method)
{
    SSL_CTX *x = SSL_CTX_new(method);
    must(x);
    SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION);
    SSL_CTX_set_options(x, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS);               // an idle conversation holds none
    SSL_CTX_set_mode(x, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);       // tickets only: nothing is kept here for strangers
    SSL_CTX_set_num_tickets(x, 1);
    SSL_CTX_set_read_ahead(x, 0);
    return x;
}

static int no_password(char *into, int size, int writing, void *arg)
{
    (void)into, (void)size, (void)writing, (void)arg;
    return 0;                                    // never ask at the terminal
}

static BIO *pem_reader(str pem) { return BIO_new_mem_buf(pem.at ? (const void *)pem.at : "", (int)pem.len); }

// The end of the PEM text shows as an error that is none.
static bool pem_ended(void)
{
    unsigned long code = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (ended)
        ERR_clear_error();
    return ended;
}

static bool context_chain(SSL_CTX *x, str pem)
{
    BIO *b = pem_reader(pem);
    X509 *leaf = PEM_read_bio_X509_AUX(b, NULL, no_password, NULL);
    bool ok = leaf && SSL_CTX_use_certificate(x, leaf) == 1;
    X509_free(leaf);
    while (ok) {
        X509 *above = PEM_read_bio_X509(b, NULL, no_password, NULL);
        if (!above) {
            ok = pem_ended();
            break;
        }
        ok = SSL_CTX_add0_chain_cert(x, above) == 1;
        if (!ok)
            X509_free(above);
    }
    BIO_free(b);
    return ok;
}

static bool context_key(SSL_CTX *x, str pem)
{
    BIO *b = pem_reader(pem);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
    bool ok = key && SSL_CTX_use_PrivateKey(x, key) == 1 && SSL_CTX_check_private_key(x) == 1;
    EVP_PKEY_free(key);
    BIO_free(b);
    return ok;
}

static bool context_roots(SSL_CTX *x, str pem)
{
    BIO *b = pem_reader(pem);
    X509_STORE *store = SSL_CTX_get_cert_store(x);
    int count = 0;
    bool ok = true;
    for (X509 *root; ok && (root = PEM_read_bio_X509(b, NULL, no_password, NULL)) != NULL; count++) {
        ok = X509_STORE_add_cert(store, root) == 1;
        X509_free(root);
    }
    BIO_free(b);
    return ok && pem_ended() && count > 0;
}

// ---- names, protocols, tickets ------------------------------------------------------------------------------------------

static bool alpn_pack(tls_config *t, const char *const *names)
{
    for (; names && (*names)[0]; names++) {
        size_t len = strlen(*names);
        if (len > 255 || t->alpn_bytes + 1 + len > sizeof t->alpn)
            return false;
        t->alpn[t->alpn_bytes++] = (unsigned char)len;
        memcpy(t->alpn + t->alpn_bytes, *names, len);
        t->alpn_bytes += (unsigned)len;
    }
    return true;
}

// A client that offers only what we do not speak is refused: it may have been sent here on purpose (ALPACA, RFC 7301 3.2).
static int alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                       unsigned offered_bytes, void *arg)
{
    (void)ssl;
    const tls_config *t = arg;
    unsigned char *chosen;
    if (t->alpn_bytes == 0)
        return SSL_TLSEXT_ERR_NOACK;
    int found = SSL_select_next_proto(&chosen, out_len, t->alpn, t->alpn_bytes, offered, offered_bytes);
    if (found != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *host_find(const tls_config *t, str host)
{
    SSL_CTX *x = map_get(&t->hosts, host);
    if (x)
        return x;
    unsigned char wild[256] = "*";
    ptrdiff_t dot = str_find(host, '.');
    if (dot <= 0 || host.len - dot >= (ptrdiff_t)sizeof wild)
        return NULL;
    memcpy(wild + 1, host.at + dot, (size_t)(host.len - dot));
    return map_get(&t->hosts, str_of(wild, (size_t)(host.len - dot) + 1));
}

// Without a certificate of that name the first one answers: the client decides whether it is content.
static int host_choose(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    const tls_config *t = arg;
    str host = str_z(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    SSL_CTX *x = host.len > 0 ? host_find(t, host) : NULL;
    if (x)
        SSL_set_SSL_CTX(ssl, x);
    return SSL_TLSEXT_ERR_OK;
}

// A ticket carries its service's name, and the time of the world it was made in.
static int ticket_made(SSL *ssl, void *arg)
{
    const tls_config *t = arg;
    SSL_SESSION *s = SSL_get_session(ssl);
    world *w = SSL_get_app_data(ssl);
    if (w && world_is_simulated(w))
        SSL_SESSION_set_time(s, (long)world_wall_s(w));
    return SSL_SESSION_set1_ticket_appdata(s, t->service, strlen(t->service));
}

static SSL_TICKET_RETURN ticket_opened(SSL *ssl, SSL_SESSION *s, const unsigned char *name, size_t name_len,
                                       SSL_TICKET_STATUS status, void *arg)
{
    (void)ssl, (void)name, (void)name_len;
    const tls_config *t = arg;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    void *service = NULL;
    size_t len = 0;
    SSL_SESSION_get0_ticket_appdata(s, &service, &len);
    if (!str_eq(str_of(service, len), str_z(t->service)))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

bool tls_tickets_share(tls_config *t, const tls_config *with)
{
    unsigned char keys[128];
    long size = SSL_CTX_get_tlsext_ticket_keys(with->context, NULL, 0);
    bool ok = size > 0 && size <= (long)sizeof keys &&
              SSL_CTX_get_tlsext_ticket_keys(with->context, keys, size) == 1 &&
              SSL_CTX_set_tlsext_ticket_keys(t->context, keys, size) == 1;
    OPENSSL_cleanse(keys, sizeof keys);
    return ok;
}

// ---- configurations -----------------------------------------------------------------------------------------------------

static tls_config *config_new(const SSL_METHOD *method)
{
    tls_config *t = memory_zeroed(1, sizeof *t);
    t->users = 1;
    t->context = context_new(method);
    return t;
}

// Says why and gives everything back.
static tls_config *config_refuse(tls_config *t, arena *a, str *why, const char *what)
{
    unsigned long code = ERR_peek_error();
    str reason = tls_openssl_reason(code, "");
    *why = str_format(a, "%s%s" STR_FMT, what, reason.len ? ": " : "", STR_ARG(reason));
    ERR_clear_error();
    tls_free(t);
    return NULL;
}

static SSL_CTX *server_context(tls_config *t)
{
    SSL_CTX *x = context_new(TLS_server_method());
    SSL_CTX_set_cipher_list(x, SERVER_CIPHERS_TLS12);
    SSL_CTX_set_session_id_context(x, (const unsigned char *)t->service, (unsigned)strlen(t->service));
    SSL_CTX_set_session_ticket_cb(x, ticket_made, ticket_opened, t);
    SSL_CTX_set_alpn_select_cb(x, alpn_choose, t);
    SSL_CTX_set_tlsext_servername_callback(x, host_choose);
    SSL_CTX_set_tlsext_servername_arg(x, t);
    return x;
}

static const char *context_fill(SSL_CTX *x, str chain_pem, str key_pem)
{
    if (!context_chain(x, chain_pem))
        return "the certificate chain is not usable PEM";
    if (!context_key(x, key_pem))
        return "the private key is not usable PEM, or does not belong to the certificate";
    return NULL;
}

tls_config *tls_server_new(world *w, const char *service, str chain_pem, str key_pem, const char *const *alpn, arena *a,
                           str *why)
{
    world *before = tls_chance_from(w);
    ERR_clear_error();
    must(strlen(service) <= TLS_SERVICE_BYTES_MAX);
    tls_config *t = memory_zeroed(1, sizeof *t);
    t->users = 1;
    t->is_server = true;
    memcpy(t->service, service, strlen(service));
    t->hosts = map_make_nocase(world_random_u64(w), TLS_HOSTS_MAX);
    t->context = server_context(t);
    const char *trouble = context_fill(t->context, chain_pem, key_pem);
    if (!trouble && !alpn_pack(t, alpn))
        trouble = "too many ALPN protocols";
    if (trouble)
        t = config_refuse(t, a, why, trouble);
    tls_chance_back(before);
    return t;
}

bool tls_server_renew(world *w, tls_config *t, str chain_pem, str key_pem, arena *a, str *why)
{
    must(t->is_server);
    tls_config *new = tls_server_new(w, t->service, chain_pem, key_pem, NULL, a, why);
    if (!new)
        return false;
    tls_tickets_share(new, t);
    SSL_CTX *old = t->context;
    t->context = new->context;                   // conns hold the one that they began with
    new->context = old;
    SSL_CTX_set_session_ticket_cb(t->context, ticket_made, ticket_opened, t);
    SSL_CTX_set_alpn_select_cb(t->context, alpn_choose, t);
    SSL_CTX_set_tlsext_servername_arg(t->context, t);
    tls_free(new);
    return true;
}

bool tls_server_add(tls_config *t, str host, str chain_pem, str key_pem)
{
    must(t->is_server);
    ERR_clear_error();
    SSL_CTX *x = server_context(t);
    unsigned char *name = memory_new((size_t)host.len + 1);
    memcpy(name, host.at, (size_t)host.len);
    if (!context_fill(x, chain_pem, key_pem) && !map_get(&t->hosts, host) &&
        map_put(&t->hosts, str_of(name, (size_t)host.len), x))
        return true;
    ERR_clear_error();
    memory_free(name);
    SSL_CTX_free(x);
    return false;
}

tls_config *tls_client_new(world *w, str ca_pem, const char *const *alpn, arena *a, str *why)
{
    world *before = tls_chance_from(w);
    ERR_clear_error();
    tls_config *t = config_new(TLS_client_method());
    const char *trouble = NULL;
    t->verifies = ca_pem.len > 0;
    if (t->verifies && !context_roots(t->context, ca_pem))
        trouble = "the trusted certificates are not usable PEM";
    else if (!alpn_pack(t, alpn))
        trouble = "too many ALPN protocols";
    if (trouble) {
        t = config_refuse(t, a, why, trouble);
    } else {
        SSL_CTX_set_verify(t->context, t->verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
        if (t->alpn_bytes)
            SSL_CTX_set_alpn_protos(t->context, t->alpn, t->alpn_bytes);
    }
    tls_chance_back(before);
    return t;
}

tls_config *tls_share(tls_config *t)
{
    atomic_fetch_add(&t->users, 1);
    return t;
}

void tls_free(tls_config *t)
{
    if (!t || atomic_fetch_sub(&t->users, 1) > 1)
        return;
    size_t cursor = 0;
    str name;
    void *x;
    while (map_each(&t->hosts, &cursor, &name, &x)) {
        SSL_CTX_free(x);
        memory_free((void *)(uintptr_t)name.at);
    }
    map_free(&t->hosts);
    SSL_CTX_free(t->context);
    memory_free(t);
}
