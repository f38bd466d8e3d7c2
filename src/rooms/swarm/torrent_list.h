// Which torrents the room holds: HASH.torrent (or, while the metadata is not known, a magnet link), and beside it HASH.state with
// settings and figures, each replaced as a whole, checksummed. Opening reads the states alone, so that thousands cost little.
// Calls that say so park while a worker does the work; all belong to one loop. docs/torrent-store.md tells the format.
#pragma once
#include "rt/world.h"
#include "wire/bt/magnet.h"
#include "wire/bt/metainfo.h"

enum {
    TORRENT_LIST_MAX = 20000,
    TORRENT_LABELS_MAX = 16,
    TORRENT_LABEL_BYTES_MAX = 64,
    TORRENT_STATE_BYTES_MAX = 4 << 20,           // of one HASH.state
    TORRENT_CHOICES_BYTES_MAX = 16 * 1024,
    TORRENT_EXTRA_TRACKERS_MAX = 128,
};

typedef struct torrent_list torrent_list;

typedef struct {
    // what it is; kept by the list
    uint8_t hash[INFO_HASH_BYTES];
    bool    has_metainfo;                        // false: a magnet link whose metadata is being fetched
    str     magnet;                              // the link it came by; empty: by a torrent file
    str     name;
    int64_t length;                              // bytes; 0 while unknown, as the next two
    int32_t piece_count;
    int     file_count;
    bool    is_private;
    // settings; change them, texts through torrent_entry_text, then torrent_entry_changed
    str     directory, moving_from;              // of the files; see store_move
    bool    paused, sequential, superseed, allocate_full, managed;
    int64_t limit_up, limit_down;                // bytes a second; 0: none
    int64_t ratio_per_mille;                     // 0: the room's; -1: never
    int64_t idle_stop_s;                         // seeding ends when nobody takes anything for so long; 0: the room's; -1: never
    int     priority, peers_max, queue;          // of the torrent; 0: normal, the room's; place in the queue
    str     labels;                              // separated by LF
    str     trackers;                            // "TIER URL" lines that replace those of the torrent file; empty: these
    str     priorities;                          // a byte a file (picker_priority); empty: all normal
    str     choices;                             // of a magnet link's files, until they are known: torrent_choices.c
    // figures; change them, then torrent_entry_changed
    int64_t added_s, completed_s, active_s;      // wall clock; active: something was last sent or received
    int64_t sent, received, wasted;              // payload bytes ever
    int64_t downloading_s, seeding_s;            // how long
    // the list's own
    bool    changed;
    int     number;
} torrent_entry;

// Makes the directory when it is missing. A state that is damaged is moved away to HASH.state.damaged and the torrent begins anew from
// its torrent file, paused, with a line in *why; that is no failure. On failure *why (in `a`) says what to do. Parks.
err  torrent_list_open(world *w, str directory, arena *a, torrent_list **out, str *why);
void torrent_list_close(torrent_list *l);        // does not save; NULL is fine
str  torrent_list_directory(const torrent_list *l);      // is store_options.state_directory
int  torrent_list_count(const torrent_list *l);
torrent_entry *torrent_list_at(torrent_list *l, int index);      // in the order of adding; entries move when one is removed
torrent_entry *torrent_list_find(torrent_list *l, const uint8_t *hash);      // NULL

// Adds a torrent, durably. `file`: a .torrent file's bytes, kept as they are. Settings may be changed before or after. E_EXISTS (*out
// is it), E_PROTOCOL (no torrent file, no magnet link), E_LIMIT, E_NO_SPACE ... with *why in `a`. Parks.
err  torrent_list_add(torrent_list *l, str file, str directory, arena *a, torrent_entry **out, str *why);
err  torrent_list_add_magnet(torrent_list *l, str link, str directory, arena *a, torrent_entry **out, str *why);
// The metadata has come (its hash was checked): HASH.torrent is made of it and of the link's trackers and web seeds. Parks.
err  torrent_list_metadata(torrent_list *l, torrent_entry *e, str info, arena *a, str *why);
err  torrent_list_remove(torrent_list *l, torrent_entry *e);     // the entry is gone also when a file could not be removed. Parks.
// The torrent file's bytes and what it says, in `a`. E_NO_ENTRY while unknown, E_CORRUPT. Parks.
err  torrent_list_read(torrent_list *l, const torrent_entry *e, arena *a, str *file, metainfo *m, str *why);

void torrent_entry_text(torrent_entry *e, str *field, str value);        // copies; field is one of e's
void torrent_entry_changed(torrent_entry *e);
// Writes what has changed, each torrent for itself: after a crash it has its old or its new state. The first error is answered,
// the rest is tried all the same. Call it at once after what a user did, every few minutes for figures, and at the stop. Parks.
err  torrent_list_save(torrent_list *l);
