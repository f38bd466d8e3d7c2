// What the two files of a web seed share.
#pragma once
#include "rooms/swarm/web_seed.h"
#include "rt/wait.h"
#include "talk/tracker_ask.h"

enum { WEB_SEED_ORIGIN_BYTES = 300 };

struct web_seed {
    web_seed_settings settings;
    char    *url;
    web_seed_state state;
    char     why[WEB_SEED_WHY_BYTES_MAX];
    int64_t  received, rate, next_ns, retry_after_s;
    int      failures, bad_pieces;
    bool     stopping;
    gate     wake;
    conn    *conn;                               // kept for the next request; NULL: none
    char     origin[WEB_SEED_ORIGIN_BYTES];      // that it leads to: scheme, host, port
};

void web_seed_say(web_seed *x, const char *text);
void web_seed_hang_up(web_seed *x);
// Bytes of one file, in requests of WEB_SEED_REQUEST_BYTES. E_ACCESS: our guards say no. E_PROTOCOL, E_TIMEOUT ... with the reason said.
err  web_seed_range(web_seed *x, int file_number, int64_t offset, int64_t length, unsigned char *into);
