// What the parts of the console share.
#pragma once
#include "rooms/console/console.h"
#include "rooms/console/json.h"
#include "rooms/console/names.h"
#include "rooms/console/newcomers.h"
#include "rooms/console/sessions.h"
#include "rooms/console/viewings.h"
#include "rt/tls.h"

enum {
    CONSOLE_BODY_BYTES_MAX = 64 * 1024,      // of a request
    CONSOLE_CONNS_MAX = 2000, CONSOLE_CONNS_PER_ADDRESS_MAX = 200,
    CONSOLE_RELAYS_MAX = 32,                 // hosts that are relayed to
    CONSOLE_SITES_MAX = 32,                  // others that the pages may fetch from
    CONSOLE_RESOLVERS_MAX = 4,
    CONSOLE_RELAYS_AT_ONCE_MAX = 512,        // each holds what a conn reads ahead, and no more
    CONSOLE_RELAYS_OF_PERSON_MAX = 16,       // likewise, of one session: a browser has six connections
    CONSOLE_RELAY_S = 20,                    // without a byte from the other side
    CONSOLE_FETCH_S = 5,                     // the catalogue; and connecting
    CONSOLE_CATALOGUE_BYTES_MAX = 4 << 20,
    CONSOLE_LOOK_S = 60,                     // whether a session's account is still there, and still the same
    CONSOLE_CATALOGUE_S = 2,                 // is asked for again after
    CONSOLE_FILMS_MAX = 1000,                // shown
    CONSOLE_BEGINS_A_MINUTE_MAX = 30,        // viewings, of one session
    CONSOLE_ACCOUNTING_MAX = 1000,           // viewings in one answer
    CONSOLE_REPORT_BYTES_MAX = 2048, CONSOLE_REPORT_EVERY_MS = 500,
    CONSOLE_LINK_BPS_MIN = 50 * 1000,
};
#define CONSOLE_LINK_BPS_MAX INT64_C(1000000000)
#define CONSOLE_RELAY_BYTES_MAX (UINT64_C(64) << 30)     // of one answer that passes through, piece by piece

typedef struct asset asset;

typedef struct console {
    room      *r;
    world     *w;
    sessions  *sessions;
    viewings  *viewings;
    tls_config *tls;                         // NULL: plain
    newcomers  newcomers;
    str        title, origin, video, steering, policy;       // policy: the pages' Content-Security-Policy
    bool       registration, plaintext_loopback, link;
    const str *relays; int relay_count;
    addr       resolvers[CONSOLE_RESOLVERS_MAX]; int resolver_count;
    int64_t    life_s;
    asset     *assets; int asset_count;
    json_t    *films;                        // the catalogue as it was asked for last; NULL: never
    int64_t    films_ns;
    slots      relaying;
} console;

// One request while it is answered. `who` is copied: sessions come and go while a handler waits.
typedef struct {
    console            *c;
    const http_request *q;
    http_reply         *reply;
    arena              *msg;
    uint64_t            session;             // its number; 0: nobody is signed in
    str                 who, role;
} visit;

bool visit_is_owner(const visit *v);         // an admin: sees every viewing
session *visit_session(const visit *v);      // NULL: over meanwhile
void visit_refuse(const visit *v, int status, const char *code);     // {"error": CODE}: the page has the words
json_t *visit_body(const visit *v);          // the request's object; NULL: refused, answered

// web.c: who may ask what; assets.c: the pages
void console_handle(void *arg, const http_request *q, http_reply *reply, arena *msg);
void assets_make(console *c);
bool asset_answer(console *c, const http_request *q, http_reply *reply);     // false: there is no such page
// sign.c
void sign_me(visit *v);
void sign_in(visit *v);
void sign_out(visit *v);
void sign_out_everywhere(visit *v);
void sign_register(visit *v);
void sign_password(visit *v);
void sign_look(visit *v);                    // is the account still the one that signed in? Parks now and then; v->session 0: it is not
bool sign_wire_is_safe(const visit *v);      // a password may come over it
str  sign_cookie(const console *c, const http_request *q);           // the token; empty: none
// films.c
void films_answer(visit *v);
bool films_know(console *c, str id, str *title, arena *msg);         // parks
// relay.c
void relay_media(visit *v, str path);
void relay_via(visit *v, str rest);
void relay_report(visit *v);
void relay_pace(visit *v, ptrdiff_t bytes);          // waits until the session's link has room for them
bool relay_allowed(const console *c, str host);
conn *relay_dial(console *c, str host, uint16_t port, arena *msg);   // never NULL
// link.c: the line between a viewer and the network
json_t *link_json(visit *v);                 // {"at": "line"|"console"|"none", "bps", "may"}. Parks
void link_look(visit *v);
void link_set(visit *v);
// account.c: viewings
void account_begin(visit *v);
void account_tell(visit *v, str id);
void account_answer(visit *v);
// status.c, control.c, backup.c
void status_answer(visit *v);
void console_control(console *c);
void console_backup(console *c);
void console_meters_show(void);
typedef enum { SIGN_IN_OK, SIGN_IN_WRONG, SIGN_IN_TOO_MANY, SIGN_IN_TROUBLE, SIGN_IN_JOINED } console_sign_in;
void console_count_sign_in(console_sign_in what);
void console_count_relayed(int64_t bytes);
void console_count_viewing(void);
