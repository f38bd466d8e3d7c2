// Reading mail by POP3 (RFC 1939) over a conn that the caller opened: for `naru mail`.
#pragma once
#include "base/buf.h"
#include "rt/conn.h"

typedef struct {
    tls_config *tls;                 // STLS when the conn is not under TLS yet; NULL: never
    bool        tls_required;        // no TLS, no password
    str         tls_host;
    str         user, password;
} pop3_client_options;

typedef struct pop3_client pop3_client;

typedef struct {
    uint32_t number;
    int64_t  size_bytes;
    str      uid;                    // empty when the server has no UIDL
} pop3_listed;

enum { POP3_LIST_MAX = 200000 };

// Greeting, STLS, USER and PASS. NULL with *why (a sentence) on failure; *e is E_OK when the server answered and
// refused. The conn stays the caller's.
pop3_client *pop3_client_start(conn *c, pop3_client_options options, arena *a, err *e, str *why);

// Each false on failure; then pop3_client_trouble says why.
bool pop3_client_list(pop3_client *p, arena *a, pop3_listed **out, int *count);
// The whole letter (lines < 0), or its header and so many lines, dots taken away. False too when `out` is too small.
bool pop3_client_retrieve(pop3_client *p, uint32_t number, int lines, buf *out);
bool pop3_client_delete(pop3_client *p, uint32_t number);          // at QUIT only
bool pop3_client_quit(pop3_client *p, str *why, arena *a);         // false: nothing was deleted. Frees the client
void pop3_client_drop(pop3_client *p);                             // frees it without a word
str  pop3_client_trouble(const pop3_client *p);
