// naru torrent add, list, status ...: asking the swarm of a running naru, in its RPC (rooms/swarm/rpc.h), over its control socket.
#pragma once
#include <jansson.h>
#include "cmd/torrent.h"

enum { REMOTE_IDS_MAX = 1024, REMOTE_TEXT_BYTES_MAX = 96 };

// Asks and answers the arguments of a successful answer (a new reference); NULL: r->trouble says why.
json_t *remote_ask(torrent_run *r, const char *method, json_t *arguments);      // takes arguments over
// What the control route PATH says; NULL: r->trouble says why.
str     remote_get(torrent_run *r, const char *path);

// torrent_remote_print.c
void remote_print_list(torrent_run *r, const json_t *torrents);
void remote_print_one(torrent_run *r, const json_t *t);
void remote_print_peers(torrent_run *r, const json_t *t);
void remote_print_files(torrent_run *r, const json_t *t);
long long remote_number(const json_t *o, const char *key);
const char *remote_text(const json_t *o, const char *key);
