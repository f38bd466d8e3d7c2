// What the swarm's files share: the room, a torrent, a peer. Nobody outside of the swarm's own files includes this.
//
// Fibers: a torrent that is awake has one of its own (torrent_run.c) whose scope holds all others: those that connect, those
// that check and store whole pieces (piece_progress.c). A peer is a conversation with a reader (peer_reader.c) and a writer
// (peer_writer.c) in one scope. All of them run on one loop: what does not park needs no lock. Disk and hashing are the
// store's, on workers.
#pragma once
#include "base/hex.h"
#include "base/list.h"
#include "base/map.h"
#include "rooms/swarm/announcer.h"
#include "rooms/swarm/lane_trial.h"
#include "rooms/swarm/local_discovery.h"
#include "rooms/swarm/metadata.h"
#include "rooms/swarm/poison.h"
#include "rooms/swarm/rate_limit.h"
#include "rooms/swarm/rate_window.h"
#include "rooms/swarm/seed_choice.h"
#include "rooms/swarm/store.h"
#include "rooms/swarm/swarm.h"
#include "rooms/swarm/torrent_list.h"
#include "rt/conn.h"
#include "wire/bt/peer.h"
#include "wire/bt/peer_extension.h"

enum {
    PEER_REQUESTS_MAX = 512,                 // that a peer may have waiting at us (we say so: reqq); more are rejected
    PEER_REQUESTS_ABUSE = 4096,              // rejected ones in a row: then we hang up
    PEER_ASK_MAX = 512,                      // blocks asked of a peer at once
    PEER_ASK_MIN = 4,
    PEER_ASK_UNSAID = 250,                   // taken for reqq where a peer does not say
    PEER_CONTROL_BYTES_MAX = 256 * 1024,     // small messages that wait to be sent; above it the peer is too slow
    PEER_PARTIAL_BYTES_MAX = 5 + 8 + PEER_BLOCK_BYTES_MAX,
    PEER_FAST_PIECES = 8,                   // pieces that a choked peer may ask for (BEP 6)
    PEER_FAST_HAS_MAX = 8,           // to who has fewer pieces than this
    PEER_HUNGRY_PIECES = 8,                  // who has fewer hears of new pieces at once
    PEER_OFFERS_MAX = 16,                    // pieces suggested to a peer that it does not have yet
    PEER_MEMORY_BYTES_MAX = 2 << 20,         // arena: its bitfield and little else
    PEER_BAD_MAX = 600,                      // useless blocks without a good one between: then we hang up
    PEER_REJECTS_MAX = 64,                   // requests rejected without a block between: then it is asked once a tick

    TORRENT_FINISHERS = 4,                   // pieces being hashed and written at once
    TORRENT_FINISH_BYTES_MAX = 64 << 20,     // whole pieces that wait for it; above it nothing more is read
    TORRENT_BUFFERS_BYTES_MAX = 256 << 20,   // pieces that are being received
    TORRENT_FIBERS_MAX = 4096,
    TORRENT_KNOWN_MAX = 1000,                // addresses remembered
    TORRENT_CONNECTING_MAX = 16,             // at once
    TORRENT_NETWORK_PEERS_MAX = 16,          // connected of one /24 (IPv6: /48); private networks are not counted
    TORRENT_PEX_EVENTS = 256,
    TORRENT_LANES_RATE_MAX = 16000000,       // bytes a second; pieces go one after the other on a line that carries less
    TORRENT_PEX_LIST_MAX = 50,               // BEP 11
    SWARM_CONNECTING_MAX = 64,               // half-open, all torrents together
    SWARM_CONNECTS_PER_S = 50,
    SWARM_BANNED_MAX = 1024,
    SWARM_STARTING_MAX = 8,                  // torrents being opened at once
};
#define PEER_HANDSHAKE_NS     (15 * NS_PER_S)
#define PEER_CONNECT_NS       (10 * NS_PER_S)
#define PEER_SILENCE_NS       (150 * NS_PER_S)   // a peer that says nothing, not even "keep alive", for so long is left
#define PEER_KEEP_ALIVE_NS    (90 * NS_PER_S)
#define PEER_SNUBBED_NS       (60 * NS_PER_S)
#define PEER_LATE_NS          (20 * NS_PER_S)    // a request unanswered so long is given to others, too
#define PEER_HAVES_NS         (50 * NS_PER_MS)   // HAVEs wait so long for company
#define PEER_HAVES_LATE_NS    (1 * NS_PER_S)     // those that help nobody right now
#define PEER_SHOWN_AGAIN_NS   (5 * NS_PER_S)     // superseeding: without news for so long it is shown what others have been, too
#define PEER_PEX_NS           (60 * NS_PER_S)
#define PEER_QUEUE_NS         (250 * NS_PER_MS)    // requests on their way: bytes of so long, at least twice the delay
#define SWARM_BUSY_NS         (2 * NS_PER_MS)    // a block that waited longer to be taken by the kernel: the uplink is full

enum { OUR_PEX = 1, OUR_METADATA = 2 };      // our numbers for extension messages

typedef struct { uint32_t piece, begin, length; } peer_request;

typedef struct peer {
    torrent    *torrent;
    int         number;                      // its place in the torrent's table; the picker's number, too. -1: not in it
    conn       *conn;
    scope       exchange;                    // its reader and writer
    addr        at, listening;               // as connected; where it accepts connections (family 0: not known)
    uint8_t     id[PEER_HASH_BYTES];
    peer_source source;
    bool        incoming, fast, extended, dht, dht_told;     // dht_told: it has named its DHT port
    bool        greeted, pex_begun;          // its extension handshake has come; it was sent a first list
    bool        leaving;                     // told to end
    const char *why;                         // why it ended; a literal
    int64_t     since_ns;
    arena       memory;

    // what it has and says
    bitfield    has;
    bool        has_known;                   // bitfield, have all or have none came (or something else instead)
    bool        they_choke, they_want, we_choke, we_want, upload_only;
    bool        snubbed, late;               // it was asked and has sent nothing for long; for some time
    bool        hidden;                      // superseeding: it does not know what we have
    uint8_t     their_pex, their_metadata;   // its numbers
    int32_t     metadata_bytes;
    int         requests_max;                // reqq
    char        client[SWARM_CLIENT_BYTES_MAX];
    uint32_t    fast_from[PEER_FAST_PIECES], fast_to[PEER_FAST_PIECES];     // allowed fast: what it lets us, what we let it
    int         fast_from_count, fast_to_count;
    bitfield    fast_has;                    // of fast_from, what it has

    // receiving
    buf         partial;                     // the beginning of a message that is not whole yet
    ptrdiff_t   partial_need;
    picker_block block;                      // whose bytes come now
    bool        block_kept;                  // else it is thrown away
    unsigned char *block_at;                 // where it goes; NULL: no byte had to be copied yet
    ptrdiff_t   block_left;                  // 0: no block is coming
    bool        block_apart;                 // block_at is in `apart`
    str         block_lent;                  // all that came of it so far is in shared memory (rt/shared.h) and was not copied
    unsigned char *apart;
    int         useless, rejects;            // blocks, rejected requests of ours in a row
    int64_t     suggested_ns;                // when it last suggested a piece; 0: never
    int64_t     asked_ns, block_ns;          // when the oldest unanswered request went out, the last block came
    int64_t     delay_ns;                    // smallest seen from a request to its block; 0: not known
    bool        delay_runs;                  // asked_ns is a request that was sent while none was waiting
    rate_window from, to;                    // payload
    int64_t     received, sent;

    // sending
    buf         control;                     // small messages that wait
    int64_t     control_due_ns;              // HAVEs alone wait, until then
    bool        control_now, control_full;
    gate        wake;                        // the writer waits here
    bool        woken;
    bool        in_lane, lane_waits;         // torrent_lanes.c: it is sent a piece; it has asked and waits for others
    int64_t     lane_ns, lane_again_ns;      // since when; when it may look again
    peer_request *wanted;                    // ring of PEER_REQUESTS_MAX; NULL before the first
    int         wanted_first, wanted_count, rejected, sending;
    int32_t     last_piece, last_piece_sent; // of the block that was put last; bytes of it
    int64_t     idle_since_ns;               // when it had been sent all that it asked for
    int         unsent_max;                  // as the socket was told; 0: not yet
    int64_t     queues_ns;                   // when it was told last
    int64_t     put_since_ns;                // a block has been waiting since then to be taken by the kernel; 0: none
    int64_t     turn_bytes, unchoked_ns, last_put_ns, pex_sent_ns, pex_got_ns;
    choker_reason choke_reason;
    metadata_server serves;                  // of our metadata
    uint64_t    pex_seen;                    // events of the torrent that it was told
    struct { int32_t piece, sent; bool asked; } offers[PEER_OFFERS_MAX];   // suggested to it; has it asked for a part of it?
    int         offer_count;
    bitfield    offered;                     // ever
    int64_t     shown_ns, has_ns;            // superseeding: when it was last shown a piece; when it last said HAVE
} peer;

// A piece whose blocks come in.
typedef struct coming_piece {
    list_link link;                          // in coming, to_finish or spare
    int32_t   piece, length;
    unsigned char *bytes;                    // NULL: nothing had to be copied yet
    str       *lent;                         // of each block: where it is, if not in `bytes` (rt/shared.h)
    poison_senders senders;
} coming_piece;

typedef enum { KNOWN_IDLE, KNOWN_CONNECTING, KNOWN_CONNECTED } known_state;
typedef struct known_peer {                  // an address that somebody named
    list_link link;
    addr      at;
    peer_source source;
    known_state state;
    uint32_t  priority;                      // BEP 40
    int       failures;
    int64_t   again_ns;                      // not before
    bool      seed;
} known_peer;

typedef struct { addr at; bool added; uint8_t flags; } pex_event;

struct torrent {
    list_link link;                          // in swarm->torrents
    swarm    *swarm;
    uint8_t   hash[INFO_HASH_BYTES];
    torrent_state state;
    err       trouble;
    char      trouble_text[SWARM_WHY_BYTES_MAX];
    bool      verify, removing, moving, remove_files, flushing, nudged;
    str       remove_why;
    int64_t   retry_ns;                      // when a full disk is tried again
    rate_limit up, down;
    rate_window sent_rate, received_rate;
    int64_t   sent, received, wasted;        // payload bytes ever
    int64_t   have_bytes;                    // as last seen
    int32_t   have_pieces;
    int32_t   checked;
    bool      complete;                      // what is wanted is there, synced and recorded
    announcer *announcer;
    struct torrent_playing *playing;         // deadlines for a player; NULL: none

    // while awake
    bool      awake, started, ending;
    bool      reselect;                      // other files were chosen while it slept
    gate      wake;                          // torrent_run waits here
    gate      ready;                         // who waits until it is started, or has ended
    scope     scope;
    arena     memory;
    const metainfo *meta;                    // the store's layout; NULL: not known (magnet link)
    store    *store;
    bool      is_private, seeding;           // seeding: nothing that is wanted is lacking
    bool      superseed, store_waits;        // store_waits: the disk is in trouble, nothing is asked for
    picker   *picker;                        // NULL: complete
    choker    choker;
    bool      rechoke, connect_now;
    int64_t   line_rate, line_ns, line_sent; // torrent_lanes.c: bytes a second at its best lately; when it last was looked at, and `sent`
    lane_trial lanes;
    peer     *peers[SWARM_TORRENT_PEERS_MAX];
    int       peer_count, peers_end;         // peers_end: behind the highest number in use
    list      known;
    int       known_count, connecting;
    peer_tally tally;
    list      coming, to_finish, spare;      // coming_pieces; spare ones keep their memory
    coming_piece **coming_by_piece;
    int64_t   coming_bytes, finish_bytes, spare_bytes;
    int       finishers;
    gate      finish_room;
    poison   *poison;
    seed_choice *offers;                     // while we are the source of a swarm that has not all pieces
    pex_event pex[TORRENT_PEX_EVENTS];
    uint64_t  pex_count;
    metadata_fetch *fetch;
    struct torrent_web *web;                 // its web seeds; NULL: none at work
    bool      metadata_whole;
};

struct swarm {
    room     *room;
    world    *w;
    uint8_t   peer_id[PEER_HASH_BYTES];
    uint16_t  port;
    choker_mode mode;
    bool      dht_on, pex_on, local_on, private_allowed;
    str       directory;
    int       peers_max, torrent_peers_max, slots;
    int64_t   ratio_per_mille;
    rate_limit up, down;
    rate_window sent_rate, received_rate;
    int64_t   sent, received, started_ns, busy_ns;
    list      torrents;
    map       by_hash;
    int       torrent_count, peer_count, connecting;
    int64_t   connects_from_ns;
    int       connects;
    map       banned;                        // by address without port
    list      banned_list;
    int       banned_count;
    torrent_list *entries;
    scope    *torrents_scope;
    slots     starting;                      // torrents being opened
    bool      stopping;
    store_pool *pool;
    dht      *dht;
    announcers *announcers;
    local_discovery *local;
    tracker_asker asker;
    tls_config *tls;
    door     *doors[WORLD_ADDRESSES_MAX];
    int       door_count;
    addr      own[WORLD_ADDRESSES_MAX];
    int       own_count;
    swarm_listener *listener;
    void     *listener_arg;
};

// ---- peer_session.c: from the first byte to the last --------------------------------------------------------------------
void peer_incoming(conn *c, void *swarm);                // a door's conversation
void peer_outgoing(torrent *t, known_peer *k);           // on a fiber of its own; k may be gone when it returns
void peer_end(peer *p, const char *why);                 // tells it to end; does not wait
bool peers_are_full(torrent *t);

// ---- peer_reader.c ------------------------------------------------------------------------------------------------------
void peer_read(void *peer);                              // a fiber
void peer_block_forget(peer *p);                         // what comes now is thrown away
// ---- peer_hears.c: one message each -------------------------------------------------------------------------------------
bool peer_hears(peer *p, const peer_message *m);         // all but blocks; false: p->why says why we hang up
void peer_greet(peer *p);
// ---- peer_asks.c: what we want from it ----------------------------------------------------------------------------------
void peer_ask(peer *p);                                  // sends requests when it is time
void torrent_ask_all(torrent *t);
void peer_interest(peer *p);                             // says whether it has something for us
void peer_interest_again(peer *p);                       // of one to whom we said no because others were asked for it
void peer_asks_late(peer *p, int64_t now_ns);            // snubbed? Gives old requests to others
// ---- peer_writer.c ------------------------------------------------------------------------------------------------------
void peer_write(void *peer);                             // a fiber
void peer_wake(peer *p);
void peer_tell(peer *p, const peer_message *m);          // a small message, soon
void peer_tell_have(peer *p, int32_t piece);             // with others, within PEER_HAVES_LATE_NS
void peer_choke_set(peer *p, bool choke);
bool peer_wants_block(peer *p, peer_request r);          // it asked us; false: p->why
void peer_wants_no_more(peer *p, peer_request r);        // it canceled
bool peer_may_have(const peer *p, uint32_t piece);       // not choked, or allowed fast
// ---- peer_extends.c: the extension protocol -----------------------------------------------------------------------------
void peer_extension_greet(peer *p);
bool peer_extension_hears(peer *p, const peer_message *m);
void peer_pex_send(peer *p, int64_t now_ns);
void torrent_pex_note(torrent *t, const peer *p, bool added);

// ---- piece_progress.c ---------------------------------------------------------------------------------------------------
bool piece_block_begins(torrent *t, peer *p, picker_block b);           // false: it has no place (no memory, not wanted)
unsigned char *piece_block_place(torrent *t, peer *p);                  // of the one that has begun: where its bytes go; NULL: nowhere any more
void piece_block_came(torrent *t, peer *p, picker_block b);
void pieces_save(torrent *t);                            // what is not whole, over a stop. Parks
void piece_partial_take(torrent *t, const store_partial *kept);
void pieces_forget(torrent *t);                          // all open ones; no fiber works on them
// A whole piece came from who was given it by picker_take_run. *good: its hash is right, or nobody needs it any more. An error: the
// disk's. Parks.
err  piece_came_whole(torrent *t, int number, int32_t piece, str bytes, bool *good);
void piece_blocks_return(torrent *t, int number, int32_t piece);             // it will not come from there
// ---- torrent_connect.c --------------------------------------------------------------------------------------------------
void torrent_heard_of(torrent *t, const addr *list, int count, peer_source from);
void torrent_connect(torrent *t, int64_t now_ns);        // starts as many connections as may be
known_peer *known_find(torrent *t, addr at);
known_peer *known_add(torrent *t, addr at, peer_source from);                // NULL: not acceptable, or no room
void known_drop(torrent *t, known_peer *k);
void known_failed(torrent *t, known_peer *k, int64_t now_ns);
void known_free(torrent *t);
bool network_is_full(torrent *t, addr at);
bool swarm_banned(swarm *s, addr at);
void swarm_ban(swarm *s, addr at);
void swarm_bans_free(swarm *s);
// ---- torrent_lanes.c: one piece after the other on a line ----------------------------------------------------------------
bool peer_lane_take(peer *p);                            // may it be sent to now? false: it is woken, or looks again at lane_again_ns
void peer_lane_pass(peer *p);                            // a run of blocks was sent: the lane is another's if it was the piece's last
void peer_lane_leave(peer *p);
bool torrent_has_lanes(torrent *t, int64_t now_ns);
int  torrent_lanes(const torrent *t);                    // pieces that are sent at a time
int64_t torrent_line_rate(torrent *t, int64_t now_ns);   // bytes a second
// ---- torrent_choke.c ----------------------------------------------------------------------------------------------------
void torrent_rechoke_soon(torrent *t);
int64_t torrent_choke(torrent *t, int64_t now_ns);       // when it is due again
void peer_offer(peer *p);                                // suggests what the swarm lacks
void peer_offer_sent(peer *p, int32_t piece, int32_t bytes);      // superseeding: who got it from us need not say that it has it
void peer_offers_withdraw(peer *p);                  // it is choked: what it has not begun may be offered to others
bool peer_goes_on(const peer *p);                    // what it asked for next is of the piece that went last
bool peer_is_mid_piece(const peer *p);                     // what goes to it next is of the piece that went last
void peer_offer_asked(peer *p, int32_t piece);           // it asks for a part of it
void peer_offer_done(peer *p, int32_t piece);            // it has it now
bool torrent_hides(const torrent *t);                    // superseeding
// ---- torrent_web_seeds.c (BEP 19) ---------------------------------------------------------------------------------------
void torrent_web_nudge(torrent *t);                      // web seeds are at work while something is lacking
void torrent_web_end(torrent *t);                        // t->scope has closed
int  torrent_web_sending(const torrent *t);
void torrent_web_why(torrent *t, buf *out, bool json);
// ---- torrent_choices.c: which files of a magnet link ---------------------------------------------------------------------
bool torrent_choices_usable(file_choices c);
void torrent_choices_keep(torrent_entry *e, file_choices c);
file_choices torrent_choices(const torrent_entry *e);    // views
bool torrent_choices_apply(torrent *t);                  // the names are known now; false: one means nothing, trouble. Parks
// ---- torrent_deadlines.c ------------------------------------------------------------------------------------------------
void torrent_deadlines_begin(torrent *t);                // a picker has come
void torrent_deadlines_give(torrent *t);                 // as many as it has room for
void torrent_deadlines_free(torrent *t);
// ---- torrent_metadata.c: a magnet link's first step ---------------------------------------------------------------------
void metadata_peer_ready(peer *p);                       // its extension handshake has come
bool metadata_hears(peer *p, const metadata_message *m); // false: p->why
void metadata_ask(peer *p);
bool torrent_metadata_take(torrent *t, str *why);        // it is whole: true when it was right and has been stored. Parks
int64_t torrent_metadata_tick(torrent *t, int64_t now_ns);
// ---- torrent_run.c ------------------------------------------------------------------------------------------------------
void torrent_run(void *torrent);                         // a fiber
bool torrent_wake(torrent *t);                           // starts it if it is not awake; false: no fiber can be had
// The torrent of this hash, awake and started; NULL: there is none, or it is not to be. Parks.
torrent *torrent_wait_started(swarm *s, const uint8_t *hash);
void torrent_stop(torrent *t);                           // parks until it holds nothing any more
void torrent_rest(torrent *t);                           // the same of one that may not run (moving)
void torrent_nudge(torrent *t);
void torrent_trouble(torrent *t, err e, str what);
void torrent_store_trouble(torrent *t);
void torrent_trouble_retry(torrent *t, int64_t now);       // is the disk well again? Parks
void torrent_state_set(torrent *t, torrent_state s);
void torrent_progress(torrent *t);                       // a piece has come, or was recorded: is it all?
void torrent_priorities_apply(torrent *t);
torrent_entry *torrent_entry_of(torrent *t);
void torrent_select(void *torrent);                      // the files as chosen now: the store's, the peers'. Parks
void torrent_store_open_resting(torrent *t);             // of one that is not awake. Parks
// ---- room.c -------------------------------------------------------------------------------------------------------------
void swarm_changed(torrent *t);                          // tells the listener
torrent *torrent_new(swarm *s, const torrent_entry *e);
void torrent_free(torrent *t);
extern const setting swarm_settings[];
// ---- backup.c -----------------------------------------------------------------------------------------------------------
void swarm_backup(swarm *s);                             // lends the list of torrents to `naru backup`
// The room's directory is another than at the last start (restored, or moved): torrents whose files lay below it are looked for below
// the new one. Parks.
void swarm_place_take(swarm *s);
