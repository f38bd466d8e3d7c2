// The swarm: a room that exchanges pieces of torrents with peers (BEP 3 and what stands around it; docs/swarm.md). This is
// what others call: the room's kind for cmd, and an interface in the same process, on the room's loop, for whoever controls it
// (the RPC, the page, `naru torrent ...`). Nothing here parks unless it says so.
#pragma once
#include "rooms/swarm/choker.h"
#include "rooms/swarm/file_choice.h"
#include "rooms/swarm/peer_address.h"
#include "rooms/swarm/picker.h"
#include "rt/room.h"
#include "wire/bt/metainfo.h"

enum {
    SWARM_PORT = 6881, SWARM_RPC_PORT = 9091,
    SWARM_TORRENTS_MAX = 20000,
    SWARM_PEERS_MAX = 1000,                  // connected, of all torrents; a setting asks for less
    SWARM_TORRENT_PEERS_MAX = 200,           // connected, of one torrent
    SWARM_WHY_BYTES_MAX = 320,
    SWARM_CLIENT_BYTES_MAX = 48,
    SWARM_DIRECTORY_BYTES_MAX = 1024,
};

extern const room_kind swarm_kind;

typedef struct swarm swarm;
typedef struct torrent torrent;              // lives from swarm_add to swarm_remove; do not keep over a park: find it again

swarm *swarm_of(room *r);                    // of a room of swarm_kind

// ---- torrents -----------------------------------------------------------------------------------------------------------

typedef struct {
    str     metainfo;                        // a .torrent file's bytes, or
    str     magnet;                          // a magnet link
    str     directory;                       // where the files go; empty: the room's setting
    bool    paused, sequential, superseed;   // superseed: while it is a seed, it shows each peer one piece at a time (BEP 16)
    int64_t limit_up, limit_down;            // bytes a second; 0: none of its own
    int64_t ratio_per_mille;                 // stop seeding at sent / length; 0: the room's; -1: never
    const picker_priority *files;            // a priority a file (metainfo only); NULL: all PICKER_NORMAL
    int     file_count;
    file_choices choices;                    // of a magnet link's files, whose names are not known yet: obeyed when they are
    const addr *peers;                       // to begin with (magnet links bring theirs)
    int     peer_count;
} swarm_addition;

// Adds a torrent and starts it (or leaves it paused); it is remembered over restarts. Parks (files). E_EXISTS: it is there
// (*out is set all the same); E_PROTOCOL: no such torrent file or link; E_LIMIT; errors of the disk. *why, in msg, is a
// sentence for people.
err  swarm_add(swarm *s, const swarm_addition *what, torrent **out, arena *msg, str *why);
// Stops and forgets it; with `files` removes its files, too. Parks. The torrent is gone afterwards.
err  swarm_remove(torrent *t, bool files, arena *msg, str *why);

torrent *swarm_find(swarm *s, const uint8_t hash[INFO_HASH_BYTES]);          // NULL
torrent *swarm_first(swarm *s);                                              // in the order of adding
torrent *swarm_next(torrent *t);
int      swarm_count(const swarm *s);

// ---- what a user may change ---------------------------------------------------------------------------------------------

// Moves its files into another directory (absolute; made when missing; another disk is copied to). It rests meanwhile and goes on after.
// Where from and to is written down first: what a crash interrupts the next start finishes. E_ACCESS: not now, or no such directory is
// possible; E_EXISTS: a file of that name is there, nothing was moved; errors of the disk: the torrent is in trouble until it is resumed,
// which tries again. *why, in msg. Parks; the torrent may be gone afterwards.
err  torrent_move(torrent *t, str directory, arena *msg, str *why);

void torrent_pause(torrent *t);
void torrent_resume(torrent *t);             // also after trouble: it is tried again
void torrent_verify(torrent *t);             // reads and hashes everything again
void torrent_reannounce(torrent *t);         // asks the trackers now
void torrent_limit(torrent *t, int64_t up, int64_t down);                    // bytes a second; 0: none
void torrent_ratio(torrent *t, int64_t per_mille);
void torrent_sequential(torrent *t, bool in_order);
void torrent_superseed(torrent *t, bool on);                                 // BEP 16: who comes from now on is shown a piece at a time
// A priority a file: all of them at once, or one. False: that many files it does not have, or they are not known yet.
bool torrent_files_priorities(torrent *t, const picker_priority *to, int count);
bool torrent_file_priority(torrent *t, int file, picker_priority to);
bool torrent_deadline(torrent *t, int32_t piece, int64_t from_now_ns);       // wanted by then; 0: no more. For players

typedef struct {
    int64_t within_ns;                       // from now: the first piece's deadline; 0: no deadlines any more
    int64_t bytes_per_s;                     // that the player reads: each further piece when he comes to it; 0: evenly, all within_ns
    const bool *files;                       // which are played, one a file; NULL: all
    int     file_count;
} torrent_playback;
// Lacking pieces in order get deadlines, also while the metadata is not known yet (then of all files); in place of those before. They are
// forgotten with a restart of the service.
void torrent_play(torrent *t, const torrent_playback *said);
// The files of a magnet link, in its user's words, until peers have told which there are: when one means none of them the torrent is in
// trouble and says so. False: its files are known (torrent_files_priorities), or the words are too long.
bool torrent_choose(torrent *t, file_choices choices);
bool torrent_peer_add(torrent *t, addr peer);                                // by the user's hand
void swarm_limit(swarm *s, int64_t up, int64_t down);                        // all torrents together
void swarm_mode(swarm *s, choker_mode mode);

// ---- looking ------------------------------------------------------------------------------------------------------------

typedef enum {
    TORRENT_PAUSED, TORRENT_QUEUED, TORRENT_METADATA, TORRENT_CHECKING, TORRENT_DOWNLOADING, TORRENT_SEEDING,
    TORRENT_TROUBLE,                         // paused by us: `trouble` says why (disk full ...)
} torrent_state;
const char *torrent_state_name(torrent_state s);         // "downloading"

typedef struct {
    uint8_t hash[INFO_HASH_BYTES];
    str     name, directory, trouble;        // views: good until the next park
    torrent_state state;
    bool    is_private, sequential, superseed, complete; // complete: every wanted piece is there, synced and recorded
    bool    awake;                           // false: an idle seed that holds nothing in memory
    int64_t length, wanted_bytes, have_bytes, piece_bytes;       // bytes; 0 while the metadata is not known
    int64_t checked_pieces;                  // while TORRENT_CHECKING
    int64_t metadata_bytes, metadata_have;   // while TORRENT_METADATA
    int32_t piece_count, have_pieces;
    int     file_count;
    int64_t sent, received, wasted;          // payload bytes ever; wasted: thrown away or of a bad hash
    int64_t rate_up, rate_down;              // bytes a second
    int64_t limit_up, limit_down, ratio_per_mille;
    int     peers, peers_sending, peers_taking, peers_known, seeds, web_seeds_sending;
    int64_t added_s, completed_s;            // wall clock; 0: not yet
    int64_t eta_s;                           // -1: no way to tell
} torrent_view;
void torrent_look(torrent *t, torrent_view *out);

// Why no tracker answers, in the words of the first that failed; empty: one did, or none was asked. Good until the next park.
str  torrent_trackers_trouble(torrent *t);

typedef struct {
    addr    at;
    peer_source source;
    bool    incoming, fast;
    bool    they_choke, they_want, we_choke, we_want;
    bool    snubbed, upload_only;
    char    client[SWARM_CLIENT_BYTES_MAX];  // as it says; cleaned for people
    char    peer_id[21];
    int32_t has_pieces;
    int     asked, wanted;                   // blocks we asked it for; blocks that it asked us for
    int64_t rate_up, rate_down, sent, received;
    int64_t since_ns;                        // connected since, world_now_ns
    choker_reason choke_reason;              // why we choke it, or do not
} peer_view;
int  torrent_peers(torrent *t, peer_view *out, int max); // returns how many there are

typedef struct {
    str     path;                            // a view into the metainfo
    int64_t length, have_bytes;
    int32_t first_piece, last_piece;
    picker_priority priority;
    bool    pad;
} file_view;
bool torrent_file(torrent *t, int number, file_view *out);
// The pieces that are there (verified), as BEP 3 writes them; empty while unknown. Good until the next park.
str  torrent_pieces(torrent *t);
// The torrent file's bytes, for whoever asks for it or for trackers, comment and the like: metainfo_read them. Parks. Empty:
// not known yet, or *why.
str  torrent_metainfo(torrent *t, arena *a, str *why);

// Who is choked and why, which piece is next from whom and why: a text for people (lines), or JSON.
void torrent_why(torrent *t, buf *out, bool json);

typedef struct {
    int     torrents, active, downloading, paused, peers;
    int64_t rate_up, rate_down, sent, received;
    int64_t limit_up, limit_down;
    choker_mode mode;
    uint16_t port;
    str     directory;                       // where files go when an addition does not say
    int64_t started_ns;                      // world_now_ns
} swarm_view;
void swarm_look(swarm *s, swarm_view *out);

// Told when something about a torrent changed that is worth to be stored or shown (state, completion); may be NULL.
typedef void swarm_listener(void *arg, torrent *t, torrent_state now);
void swarm_listen(swarm *s, swarm_listener *listener, void *arg);
