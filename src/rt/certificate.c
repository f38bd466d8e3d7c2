// Certificates of one's own: an authority and what it signs, EC P-256 with SHA-256 (RFC 5280).
#include "rt/tls_inside.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

enum {
    DAY_S = 24 * 60 * 60,
    SERIAL_BYTES = 16,
    COMMON_NAME_BYTES_MAX = 64,          // RFC 5280 appendix A: ub-common-name
    NAMES_MAX = 64,
};

static bool name_set(X509_NAME *name, str common)
{
    common = str_first(common, COMMON_NAME_BYTES_MAX);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, common.at, (int)common.len, -1, 0) == 1;
}

static bool serial_set(world *w, X509 *x)
{
    unsigned char bytes[SERIAL_BYTES];
    world_random(w, bytes, sizeof bytes);
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40);      // positive, and always of the same length
    BIGNUM *n = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
    BN_free(n);
    return ok;
}

static bool validity_set(world *w, X509 *x, int days)
{
    time_t now = (time_t)world_wall_s(w);
    return ASN1_TIME_set(X509_getm_notBefore(x), now - DAY_S) &&
           ASN1_TIME_set(X509_getm_notAfter(x), now + (time_t)days * DAY_S);
}

static bool extension_add(X509 *x, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, context, nid, value);
    bool ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

// One subjectAltName: an IP address's bytes, or a DNS name.
static GENERAL_NAME *alternative_name(str name)
{
    addr ip;
    bool is_ip = addr_parse_ip(name, 0, &ip);
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *s = is_ip ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    const void *bytes = is_ip ? (const void *)ip.ip : name.at;
    int len = is_ip ? (ip.family == 4 ? 4 : 16) : (int)name.len;
    if (!g || !s || !ASN1_STRING_set(s, bytes, len)) {
        GENERAL_NAME_free(g);
        ASN1_STRING_free(s);
        return NULL;
    }
    GENERAL_NAME_set0_value(g, is_ip ? GEN_IPADD : GEN_DNS, s);
    return g;
}

static bool names_add(X509 *x, const str *names, int count)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    bool ok = all != NULL && count > 0 && count <= NAMES_MAX;
    for (int i = 0; ok && i < count; i++) {
        GENERAL_NAME *g = alternative_name(names[i]);
        ok = g && sk_GENERAL_NAME_push(all, g) > 0;
    }
    ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(all);
    return ok;
}

// PEM into the arena; false when it is full.
static bool pem_take(BIO *b, arena *a, str *out)
{
    char *at = NULL;
    long len = BIO_get_mem_data(b, &at);
    *out = len > 0 ? str_copy(a, str_of(at, (size_t)len)) : (str){0};
    return out->len > 0;
}

static bool pem_write(X509 *x, EVP_PKEY *key, arena *a, certificate *out)
{
    BIO *cert = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
    bool ok = cert && secret && PEM_write_bio_X509(cert, x) == 1 && pem_take(cert, a, &out->cert_pem) &&
              PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1 && pem_take(secret, a, &out->key_pem);
    BIO_free(cert);
    BIO_free(secret);
    return ok;
}

typedef struct {
    X509     *cert;
    EVP_PKEY *key;
} signer;

static signer signer_read(const certificate *c)
{
    BIO *cert = BIO_new_mem_buf(c->cert_pem.at, (int)c->cert_pem.len);
    BIO *key = BIO_new_mem_buf(c->key_pem.at, (int)c->key_pem.len);
    signer s = {PEM_read_bio_X509(cert, NULL, NULL, NULL), PEM_read_bio_PrivateKey(key, NULL, NULL, NULL)};
    BIO_free(cert);
    BIO_free(key);
    return s;
}

// What both kinds have in common: version, serial number, validity, subject, key.
static X509 *certificate_start(world *w, str name, int days, EVP_PKEY *key)
{
    X509 *x = X509_new();
    if (x && X509_set_version(x, X509_VERSION_3) && serial_set(w, x) && validity_set(w, x, days) &&
        name_set(X509_get_subject_name(x), name) && X509_set_pubkey(x, key))
        return x;
    X509_free(x);
    return NULL;
}

static bool authority_sign(X509 *x, EVP_PKEY *key)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, x, x, NULL, NULL, 0);
    return X509_set_issuer_name(x, X509_get_subject_name(x)) &&
           extension_add(x, &context, NID_basic_constraints, "critical,CA:TRUE") &&
           extension_add(x, &context, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           extension_add(x, &context, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()) > 0;
}

static bool leaf_sign(X509 *x, const signer *ca, const str *names, int count)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, ca->cert, x, NULL, NULL, 0);
    return X509_set_issuer_name(x, X509_get_subject_name(ca->cert)) &&
           extension_add(x, &context, NID_basic_constraints, "critical,CA:FALSE") &&
           extension_add(x, &context, NID_key_usage, "critical,digitalSignature") &&
           extension_add(x, &context, NID_ext_key_usage, "serverAuth,clientAuth") &&
           extension_add(x, &context, NID_subject_key_identifier, "hash") &&
           extension_add(x, &context, NID_authority_key_identifier, "keyid") && names_add(x, names, count) &&
           X509_sign(x, ca->key, EVP_sha256()) > 0;
}

bool certificate_authority_make(world *w, str name, int days, arena *a, certificate *out)
{
    world *before = tls_chance_from(w);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key ? certificate_start(w, name, days, key) : NULL;
    bool ok = x && authority_sign(x, key) && pem_write(x, key, a, out);
    X509_free(x);
    EVP_PKEY_free(key);
    ERR_clear_error();
    tls_chance_back(before);
    return ok;
}

bool certificate_make(world *w, const certificate *ca, const str *names, int count, int days, arena *a, certificate *out)
{
    world *before = tls_chance_from(w);
    signer issuer = signer_read(ca);
    EVP_PKEY *key = issuer.cert && issuer.key && count > 0 ? EVP_EC_gen("P-256") : NULL;
    X509 *x = key ? certificate_start(w, names[0], days, key) : NULL;
    bool ok = x && leaf_sign(x, &issuer, names, count) && pem_write(x, key, a, out);
    X509_free(x);
    X509_free(issuer.cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer.key);
    ERR_clear_error();
    tls_chance_back(before);
    return ok;
}
