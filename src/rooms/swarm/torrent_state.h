// HASH.state: a torrent's settings and figures as a bencoded dictionary behind a checksum. Pure. Unknown keys are passed over, absent
// ones are zero, so that older and newer versions read each other's.
#pragma once
#include "rooms/swarm/torrent_list.h"

enum { TORRENT_STATE_TEXTS = 8 };
str *torrent_state_text(torrent_entry *e, int index);    // the texts of an entry, for freeing them

// "naruTOR1", crc32c of the rest as 8 hexadecimal digits, the dictionary. False when full.
bool torrent_state_write(buf *out, const torrent_entry *e);
// Copies texts to the heap (torrent_entry_text). False: not an intact state; then nothing of *e counts but its texts. `a`: for the reading.
bool torrent_state_read(str in, arena *a, torrent_entry *e);
