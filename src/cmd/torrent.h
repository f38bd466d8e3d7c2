// naru torrent: what its verbs share. Private to torrent*.c.
#pragma once
#include "base/buf.h"
#include "cmd/options.h"
#include "rooms/swarm/file_choice.h"
#include "rt/world.h"
#include "wire/bt/magnet.h"

enum {
    TORRENT_MEMORY_BYTES_MAX = 1 << 30,
    TORRENT_TEXT_BYTES_MAX = 64 << 20,           // what is printed
    TORRENT_BUFFER_BYTES = 256 * 1024,           // read at once
    TORRENT_RUN_BYTES = 4 << 20,                 // hashed in one work
    TORRENT_HASHERS = 16,                        // fibers; as many works as there are processors run
};

typedef struct {                                 // naru torrent get
    str     dir, mode, peers, bind, limit_up, limit_down, dht_routers;
    int64_t port, seed_seconds, slots;           // port -1: 6881, or any when it is taken
    bool    seed, no_dht, local, sequential, superseed, keep_state, verbose;
} torrent_get_options;

typedef struct {                                 // naru torrent add, list, status ... (torrent_remote.c)
    str  naru, host;                             // which running naru, which host of it
    str  ratio;                                  // limit, add: sent / length at which it pauses
    bool paused, delete_files, watch, off;
} torrent_remote_options;

typedef struct {
    world *world;
    arena  memory;
    buf    out;                                  // standard output, when all is done
    str    words[COMMAND_WORDS_MAX];
    int    word_count;
    bool   json;
    str    piece, trackers, web_seeds, comment, name, output;        // create
    bool   private, no_date;
    torrent_get_options get;
    torrent_remote_options remote;
    file_choices files;                          // get, add, files: --want, --skip, --first
    struct { str within, rate; } playing;        // get, add, sequential: for a player
    str    node;                                 // whose swarm is asked
    int    code;
    str    trouble;                              // why code is not COMMAND_OK
} torrent_run;

typedef void torrent_verb(torrent_run *r);
typedef struct {
    const char   *name, *takes, *text;           // "move", "ID DIR", what it does
    int           words_min, words_max;          // with the verb itself
    torrent_verb *run;
} torrent_command;
extern const torrent_command torrent_remote_commands[];     // those that ask a running swarm; a row without a name ends them

// --within and --rate; 0: not said. False: trouble says what is wrong.
bool torrent_playing_read(torrent_run *r, int64_t *within_ms, int64_t *bytes_per_s);

torrent_verb torrent_create, torrent_check, torrent_show, torrent_magnet, torrent_get;

void torrent_fail(torrent_run *r, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool torrent_read(torrent_run *r, str path, str *text);     // a torrent file's bytes; false: trouble says why not
// The .torrent file `path`, and its info hash. False: trouble says why, with the offset.
bool torrent_open(torrent_run *r, str path, metainfo *m, uint8_t hash[INFO_HASH_BYTES]);
str  torrent_magnet_text(torrent_run *r, const metainfo *m, const uint8_t *hash);    // empty when it is too long

// Hashing all pieces on the workers, with a progress display where standard error is a terminal.
typedef struct {
    const metainfo *layout;                      // files, piece_bytes, piece_count, length
    char     **paths;                            // where each file is; NULL: is not there
    const char *verb;                            // "checking"
    unsigned char *digests;                      // out: INFO_HASH_BYTES for each piece
    bool      *read;                             // out: could all bytes of the piece be read?
    err       *errors;                           // out: of each file; E_EOF: it is too short
} torrent_hashing;
bool torrent_hash(torrent_run *r, torrent_hashing *h);      // false: no loop could be had; trouble says so
