// naru torrent add, list, status ...: asking the swarm of a running naru, in its RPC (rooms/swarm/rpc.h), over its control socket.
#pragma once
#include <jansson.h>
#include "cmd/torrent.h"

enum { REMOTE_IDS_MAX = 1024, REMOTE_TEXT_BYTES_MAX = 96 };

// Asks and answers the arguments of a successful answer (a new reference); NULL: r->trouble says why.
json_t *remote_ask(torrent_run *r, const char *method, json_t *arguments);      // takes arguments over
// What the control route PATH says; NULL: r->trouble says why.
str     remote_get(torrent_run *r, const char *path);

// The torrents that the command line's words mean: their ids; NULL: trouble says which was not found.
json_t *remote_ids(torrent_run *r);
json_t *remote_torrents(torrent_run *r, json_t *ids, const char *const *fields, int count);      // takes ids over (NULL: all)
void    remote_show_json(torrent_run *r, json_t *o);
typedef void remote_print(torrent_run *r, const json_t *torrent);
void    remote_show_each(torrent_run *r, const char *const *fields, int count, remote_print *print);
// Asks `method` of those that the words mean, and says how many are now `done`. Takes arguments over.
void    remote_each(torrent_run *r, const char *method, json_t *arguments, const char *done);

// torrent_remote_settings.c: each adds what the command line says of it to a request's arguments; false: trouble says what is wrong.
bool    remote_limits_put(torrent_run *r, json_t *arguments);                                    // --limit-up, --limit-down, --ratio
bool    remote_playing_put(torrent_run *r, json_t *arguments);                                   // --within, --rate
bool    remote_selection_put(torrent_run *r, json_t *arguments, file_names of, bool only);       // --want, --skip, --first as numbers
void    remote_choices_put(torrent_run *r, json_t *arguments);                                   // the same as words
torrent_verb remote_limit, remote_files, remote_sequential;

// torrent_remote_add.c
torrent_verb remote_add;
str     remote_absolute(torrent_run *r, str path);

// torrent_remote_print.c
void remote_print_list(torrent_run *r, const json_t *torrents);
void remote_print_one(torrent_run *r, const json_t *t);
void remote_print_peers(torrent_run *r, const json_t *t);
void remote_print_files(torrent_run *r, const json_t *t);
long long remote_number(const json_t *o, const char *key);
const char *remote_text(const json_t *o, const char *key);
