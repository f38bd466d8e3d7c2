// TLS configurations (OpenSSL). Keys and certificates are read by the world and given here as PEM text; randomness and
// the time that certificates are checked against come from the world too.
#pragma once
#include "rt/conn.h"

// A server's side for one service. `service` (e.g. "smtp") goes into the session id context and the ticket's data: a
// ticket of one service is refused by another. alpn: protocols offered, "" ends; NULL: none (a client that offers ALPN with no
// match is refused when `alpn` is given: ALPACA). NULL with *why set in `a` when the PEM is not usable.
tls_config *tls_server_new(world *w, const char *service, str chain_pem, str key_pem, const char *const *alpn, arena *a,
                           str *why);
// Another certificate and key in the place of the first: for handshakes from now on; who talks goes on, and tickets stay good. On the
// loop that uses it. false with *why in `a`: not usable, nothing has changed.
bool        tls_server_renew(world *w, tls_config *t, str chain_pem, str key_pem, arena *a, str *why);
// Another name's certificate on the same door, chosen by SNI (exact name, then "*." names). Before the doors open. false:
// not usable PEM, not its key, a name that is there already, or too many (1024).
bool        tls_server_add(tls_config *t, str host, str chain_pem, str key_pem);
// Tickets made by one become readable to the other (the same service on another loop): both seal with the same keys. A
// ticket of another service stays refused. false: OpenSSL failed.
bool        tls_tickets_share(tls_config *t, const tls_config *with);
// A client's side. ca_pem: trust these roots and verify the name; empty: encrypt without verifying (opportunistic).
tls_config *tls_client_new(world *w, str ca_pem, const char *const *alpn, arena *a, str *why);
void        tls_free(tls_config *t);                        // counted: conns in use keep it alive

// ---- certificates of one's own (naru try, tests) ---------------------------------------------------------------------------
typedef struct { str cert_pem, key_pem; } certificate;
// A certificate authority, and certificates signed by it for names (DNS names or IP texts). EC P-256. Valid from one day before
// `now` for `days`. false when OpenSSL fails. Slow (milliseconds): in work() or before the loops.
bool certificate_authority_make(world *w, str name, int days, arena *a, certificate *out);
bool certificate_make(world *w, const certificate *ca, const str *names, int count, int days, arena *a, certificate *out);
