// Web seeds (BEP 19): an HTTP server that has the torrent's files. One fiber a seed fetches runs of pieces by Range requests and
// gives them to the torrent as if a peer had sent them.
//
// A web seed's address comes from strangers (a torrent file, a magnet link): only http and https; addresses of this machine and of
// local networks only where `local_allowed`, and then never with a query; no redirect from a global address to a local one.
#pragma once
#include "rt/conn.h"
#include "wire/bt/metainfo.h"

enum {
    WEB_SEED_RUN_BYTES = 4 << 20,                // taken at once (at least one piece)
    WEB_SEED_REDIRECTS_MAX = 5,
    WEB_SEED_FAILURES_MAX = 10,                  // in a row; then it is given up
    WEB_SEED_REQUEST_BYTES = 1 << 20,            // of one request
    WEB_SEED_PIECE_BYTES_MAX = 64 << 20,         // torrents with larger pieces are not fetched from the web
    WEB_SEED_BAD_PIECES_MAX = 1,                 // of a wrong hash: all of it came from there, so it is given up
    WEB_SEED_RETRY_S = 5, WEB_SEED_RETRY_S_MAX = 600,        // doubled each time
    WEB_SEED_CONNECT_S = 15, WEB_SEED_STALL_S = 30,
    WEB_SEED_BYTES_PER_S_MIN = 1024,
    WEB_SEED_ADDRESSES_MAX = 8,
    WEB_SEED_URL_BYTES_MAX = 8192,
    WEB_SEED_WHY_BYTES_MAX = 200,
};

// What the torrent does for its web seeds. All run on the seed's fiber; those that may park say so.
typedef struct {
    // The next run of whole pieces to fetch, at most bytes_max in all but at least one piece; marks them as asked. False: nothing
    // now (the seed waits for web_seed_nudge, or asks again after a minute).
    bool (*take)(void *arg, int64_t bytes_max, int32_t *first, int32_t *count);
    void (*give_back)(void *arg, int32_t first, int32_t count);      // it could not be fetched
    // A whole piece has come. *good: its hash was right (or nobody needs it any more). May park. An error ends the run.
    err  (*deliver)(void *arg, int32_t piece, str bytes, bool *good);
    // Waits until so many bytes may come (rate limits). NULL: no limit. May park. E_CANCELED ends the seed.
    err  (*allow)(void *arg, int64_t bytes);
    // Addresses of a host name, port 0. May park. How many; 0: none, try again later.
    int  (*lookup)(void *arg, str host, addr *out, int max);
    void *arg;
} web_seed_calls;

typedef struct {
    world *world;
    const metainfo *layout;                      // borrowed; outlives the fiber (store_layout)
    str    url;                                  // as in the torrent; copied
    bool   from_stranger;                        // not given by the user himself
    bool   local_allowed;                        // an own network: local addresses are fine
    tls_config *tls;                             // client config for https, verifying; NULL: https is refused
    str    agent;                                // User-Agent
    web_seed_calls calls;
} web_seed_settings;

typedef struct web_seed web_seed;

typedef enum { WEB_SEED_RESTS, WEB_SEED_FETCHES, WEB_SEED_WAITS, WEB_SEED_DROPPED } web_seed_state;
typedef struct {
    str    url;
    web_seed_state state;
    char   why[WEB_SEED_WHY_BYTES_MAX];          // the last trouble
    int64_t received, rate, next_ns;             // bytes; bytes a second; when it is tried again
    int    failures, bad_pieces;
} web_seed_view;

// Copies the settings; not started. NULL with *why (a literal) when the URL is none that may be asked.
web_seed *web_seed_new(const web_seed_settings *settings, const char **why);
// The fiber's body: scope_go(s, "web seed", web_seed_run, x); ends when it is dropped or canceled.
void web_seed_run(void *web_seed);
void web_seed_nudge(web_seed *x);                // there may be something to take again
void web_seed_stop(web_seed *x);                 // its fiber ends after the run that it is fetching; does not wait
void web_seed_look(const web_seed *x, web_seed_view *out);
void web_seed_free(web_seed *x);                 // after its fiber has ended; NULL is fine

// ---- pure parts, tested on their own --------------------------------------------------------------------------------------------

// The URL of one file: of a single file the URL itself, with the name behind it when it ends with '/'; of several URL/name/path, each
// part percent-encoded (BEP 19). False when it does not fit.
bool web_seed_url(buf *out, str url, const metainfo *m, int file_number);
// Why an address may not be asked: a literal, or NULL. `redirected_from_global`: it was named by a server outside.
const char *web_seed_address_trouble(addr x, bool local_allowed, bool has_query, bool redirected_from_global);
