// What tls.c, conn_tls.c and certificate.c share. Private to rt.
#pragma once
#include <openssl/ssl.h>
#include "base/map.h"
#include "rt/tls.h"

enum {
    TLS_HOSTS_MAX = 1024,                // certificates on one door
    TLS_SERVICE_BYTES_MAX = 32,          // SSL_MAX_SID_CTX_LENGTH
    TLS_ALPN_BYTES_MAX = 256,
    TLS_HANDSHAKE_MS_MAX = 30000,        // a handshake takes no longer, whatever the conn's deadline
};

struct tls_config {
    SSL_CTX     *context;                // the first certificate's, or the client's
    map          hosts;                  // server: name -> SSL_CTX of a further certificate
    char         service[TLS_SERVICE_BYTES_MAX + 1];
    unsigned char alpn[TLS_ALPN_BYTES_MAX];      // as on the wire: length, bytes, ...
    unsigned     alpn_bytes;
    bool         is_server, verifies;
    _Atomic int  users;                  // the owner and each conn; may be shared by loops
};

tls_config *tls_share(tls_config *t);    // one user more; tls_free takes one away

// Chance in OpenSSL comes from a simulated world between these two calls, and wherever a fiber of such a world runs.
// Answers what to give back to tls_chance_back.
world *tls_chance_from(world *w);
void   tls_chance_back(world *before);

str tls_openssl_reason(unsigned long code, const char *fallback);   // a text that lives for ever
