// The account of viewings: for every film that somebody watched, who, when, how long, and how well it went. A record is on the disk
// before it is answered, and none is ever changed: a viewing that goes on is told again under its id, and the last one counts. The journal
// lies in the room's directory (`viewings/`); the newest VIEWINGS_MAX are held in memory for the pages and the command.
#pragma once
#include <jansson.h>
#include "keep/journal.h"

enum {
    VIEWINGS_MAX = 10000,
    VIEWING_ID_DIGITS = 16, VIEWING_FILM_BYTES_MAX = 64, VIEWING_TITLE_BYTES_MAX = 200, VIEWING_WHO_BYTES_MAX = 320,
    VIEWING_SERVERS_MAX = 8, VIEWING_SERVER_BYTES_MAX = 64,
    VIEWING_TELLS_MAX = 2000,                // of one viewing; the last word is taken all the same
    VIEWING_EVERY_S = 5,                     // a viewing that goes on is told again at most so often
    VIEWING_DAYS_MAX = 2,                    // nobody watches one film for longer: then it is over
};

typedef struct {
    char     id[VIEWING_ID_DIGITS + 1], film[VIEWING_FILM_BYTES_MAX + 1], title[VIEWING_TITLE_BYTES_MAX + 1], who[VIEWING_WHO_BYTES_MAX + 1];
    char     servers[VIEWING_SERVERS_MAX][VIEWING_SERVER_BYTES_MAX + 1];     // that gave something, in the order of their first
    int      server_count;
    uint64_t session;                        // the console's number of it; 0 after a restart: over
    int64_t  start_s;                        // since 1970
    int64_t  watched_ms, bytes, stalls, stall_ms, startup_ms, mean_bps;     // what the player says, within what is possible
    bool     ended;
    int64_t  begun_ns, told_ns;              // not kept
    int      tells;
} viewing;

typedef struct viewings viewings;

// directory: the room's. Parks. On failure *why (in `a`) says what and why.
err  viewings_open(world *w, str directory, arena *a, viewings **out, str *why);
void viewings_close(viewings *v);            // NULL is fine
journal *viewings_journal(viewings *v);
int  viewings_count(const viewings *v);

// A viewing begins: on the disk when it returns E_OK, with *id. Parks. Errors as journal_append.
err  viewings_begin(viewings *v, uint64_t session, str who, str film, str title, char id[VIEWING_ID_DIGITS + 1]);
// How it goes, or that it has ended: an object with watched_ms, bytes, stalls, stall_ms, startup_ms, mean_bps, servers, ended; what is
// missing or impossible is left or clipped. Only the session that began it may. E_NO_ENTRY: there is no such viewing, or it is over;
// E_LIMIT: told again too soon. Parks.
err  viewings_tell(viewings *v, uint64_t session, str id, const json_t *said);

// The newest first, at most `limit`; who empty: everybody's. A new array.
json_t *viewings_list(const viewings *v, str who, int limit);
// Sums over what is in memory: viewings, watched_ms, bytes, stalls, a film and a server.
json_t *viewings_sums(const viewings *v);
