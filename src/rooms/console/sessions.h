// Who is signed in. Sessions are in memory only: a restart signs everybody out. What a browser holds is a token of 32 random bytes; the
// table knows its SHA-256 alone, so that nobody who reads the memory's image can become somebody. Pure but for the world's chance: the
// time comes in. A session's pointer is good until the next park.
#pragma once
#include "base/text.h"
#include "rt/world.h"

enum {
    SESSIONS_MAX = 4096,                     // above it the one that was idle longest ends
    SESSIONS_PER_PERSON_MAX = 16,            // likewise
    SESSION_TOKEN_BYTES = 32, SESSION_TOKEN_DIGITS = 64,
    SESSION_CSRF_DIGITS = 32,
    SESSION_WHO_BYTES_MAX = 320, SESSION_ROLE_BYTES_MAX = 32, SESSION_MARK_BYTES_MAX = 16,
};

typedef struct {
    uint64_t      number;                    // never used again
    unsigned char hash[32];                  // of the token
    char          csrf[SESSION_CSRF_DIGITS + 1];
    char          who[SESSION_WHO_BYTES_MAX + 1], role[SESSION_ROLE_BYTES_MAX + 1];
    char          mark[SESSION_MARK_BYTES_MAX + 1];      // of the account when it was looked at first; empty: it was not
    int64_t       begun_ns, last_ns, looked_ns;          // ...; when the account was looked at last
    int64_t       link_bps, link_free_ns;    // the console's own link (link.c): its rate, 0 unlimited; when it is free again
    int           relaying;                  // answers that pass through now
    int           begins;                    // viewings begun in the minute that began at minute_ns
    int64_t       minute_ns, reported_ns;    // ...; when its player reported last
} session;

typedef struct sessions sessions;

// idle_ns, life_ns: a session ends when nothing came for so long, and in any case after so long.
sessions *sessions_new(world *w, int64_t idle_ns, int64_t life_ns);
void      sessions_free(sessions *s);                    // NULL is fine
void      sessions_lives(sessions *s, int64_t idle_ns, int64_t life_ns);         // from now on
int       sessions_count(const sessions *s);

// A new session, whatever there was before (no fixation). token: hexadecimal digits, told to the browser and to nobody else.
// NULL: the name is too long.
session  *session_begin(sessions *s, str who, str role, int64_t now_ns, char token[SESSION_TOKEN_DIGITS + 1]);
session  *session_find(sessions *s, str token, int64_t now_ns);       // and it was used now; NULL: there is none, or it is over
session  *session_numbered(sessions *s, uint64_t number);             // NULL: it is over
void      session_end(sessions *s, session *one);
int       sessions_end_of(sessions *s, str who);                      // everywhere; how many
// The account as it is now. False: it is not the one that signed in (another password), and the session is over.
bool      session_renew(sessions *s, session *one, str role, str mark);
bool      session_csrf_good(const session *one, str token);
