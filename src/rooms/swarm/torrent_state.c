#include "rooms/swarm/torrent_state.h"

#include <stddef.h>
#include <string.h>

#include "base/crc32c.h"

static const char magic[] = "naruTOR1";
enum { MAGIC_BYTES = 8, SUM_BYTES = 8, STATE_NODES_MAX = 256 };

typedef enum { FIELD_BOOL, FIELD_INT, FIELD_INT32, FIELD_INT64, FIELD_TEXT, FIELD_HASH } field_type;
typedef struct { const char *key; field_type type; size_t at; } field;

#define OF(member) offsetof(torrent_entry, member)
static const field fields[] = {                  // sorted by key, as bencode wants it
    {"active", FIELD_INT64, OF(active_s)},
    {"added", FIELD_INT64, OF(added_s)},
    {"allocate_full", FIELD_BOOL, OF(allocate_full)},
    {"choices", FIELD_TEXT, OF(choices)},
    {"completed", FIELD_INT64, OF(completed_s)},
    {"directory", FIELD_TEXT, OF(directory)},
    {"downloading", FIELD_INT64, OF(downloading_s)},
    {"files", FIELD_INT, OF(file_count)},
    {"has_metainfo", FIELD_BOOL, OF(has_metainfo)},
    {"hash", FIELD_HASH, OF(hash)},
    {"idle_stop", FIELD_INT64, OF(idle_stop_s)},
    {"labels", FIELD_TEXT, OF(labels)},
    {"length", FIELD_INT64, OF(length)},
    {"limit_down", FIELD_INT64, OF(limit_down)},
    {"limit_up", FIELD_INT64, OF(limit_up)},
    {"magnet", FIELD_TEXT, OF(magnet)},
    {"managed", FIELD_BOOL, OF(managed)},
    {"moving_from", FIELD_TEXT, OF(moving_from)},
    {"name", FIELD_TEXT, OF(name)},
    {"paused", FIELD_BOOL, OF(paused)},
    {"peers_max", FIELD_INT, OF(peers_max)},
    {"pieces", FIELD_INT32, OF(piece_count)},
    {"priorities", FIELD_TEXT, OF(priorities)},
    {"priority", FIELD_INT, OF(priority)},
    {"private", FIELD_BOOL, OF(is_private)},
    {"queue", FIELD_INT, OF(queue)},
    {"ratio", FIELD_INT64, OF(ratio_per_mille)},
    {"received", FIELD_INT64, OF(received)},
    {"seeding", FIELD_INT64, OF(seeding_s)},
    {"sent", FIELD_INT64, OF(sent)},
    {"sequential", FIELD_BOOL, OF(sequential)},
    {"superseed", FIELD_BOOL, OF(superseed)},
    {"trackers", FIELD_TEXT, OF(trackers)},
    {"wasted", FIELD_INT64, OF(wasted)},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void *place(torrent_entry *e, const field *f) { return (char *)e + f->at; }
static const void *place_of(const torrent_entry *e, const field *f) { return (const char *)e + f->at; }

str *torrent_state_text(torrent_entry *e, int index)
{
    for (int i = 0; i < FIELDS; i++)
        if (fields[i].type == FIELD_TEXT && index-- == 0)
            return place(e, &fields[i]);
    return NULL;
}

// ---- writing -------------------------------------------------------------------------------------------------------------------

static void field_put(buf *out, const torrent_entry *e, const field *f)
{
    const void *at = place_of(e, f);
    bencode_put_key(out, f->key);
    switch (f->type) {
    case FIELD_BOOL:  bencode_put_integer(out, *(const bool *)at); break;
    case FIELD_INT:   bencode_put_integer(out, *(const int *)at); break;
    case FIELD_INT32: bencode_put_integer(out, *(const int32_t *)at); break;
    case FIELD_INT64: bencode_put_integer(out, *(const int64_t *)at); break;
    case FIELD_TEXT:  bencode_put_string(out, *(const str *)at); break;
    case FIELD_HASH:  bencode_put_string(out, str_of(at, INFO_HASH_BYTES)); break;
    }
}

bool torrent_state_write(buf *out, const torrent_entry *e)
{
    buf_put(out, str_of(magic, MAGIC_BYTES));
    size_t sum = out->len;
    buf_put(out, S("00000000"));
    size_t start = out->len;
    buf_put_byte(out, 'd');
    for (int i = 0; i < FIELDS; i++)
        field_put(out, e, &fields[i]);
    buf_put_byte(out, 'e');
    if (out->full)
        return false;
    static const char digits[] = "0123456789abcdef";
    uint32_t crc = crc32c(0, str_from(buf_str(out), (ptrdiff_t)start));
    for (int i = 0; i < SUM_BYTES; i++)
        out->at[sum + (size_t)i] = (unsigned char)digits[crc >> (28 - 4 * i) & 15];
    return true;
}

// ---- reading -------------------------------------------------------------------------------------------------------------------

static bool field_get(const bencode_node *root, torrent_entry *e, const field *f)
{
    void *at = place(e, f);
    const bencode_node *n = bencode_get(root, str_of(f->key, strlen(f->key)));
    int64_t value = 0, low = f->type == FIELD_BOOL ? 0 : f->type == FIELD_INT64 ? INT64_MIN : INT32_MIN;
    int64_t high = f->type == FIELD_BOOL ? 1 : f->type == FIELD_INT64 ? INT64_MAX : INT32_MAX;
    if (f->type == FIELD_TEXT) {
        torrent_entry_text(e, at, bencode_string(n));
        return true;
    }
    if (f->type == FIELD_HASH) {
        str hash = bencode_string(n);
        if (hash.len == INFO_HASH_BYTES)
            memcpy(at, hash.at, INFO_HASH_BYTES);
        return hash.len == INFO_HASH_BYTES;
    }
    if (!n)
        return true;
    if (!bencode_is(n, BENCODE_INTEGER) || n->integer < low || n->integer > high)
        return false;
    value = n->integer;
    switch (f->type) {
    case FIELD_BOOL:  *(bool *)at = value != 0; break;
    case FIELD_INT:   *(int *)at = (int)value; break;
    case FIELD_INT32: *(int32_t *)at = (int32_t)value; break;
    default:          *(int64_t *)at = value; break;
    }
    return true;
}

bool torrent_state_read(str in, arena *a, torrent_entry *e)
{
    const bencode_limits limits = {.bytes_max = TORRENT_STATE_BYTES_MAX, .nodes_max = STATE_NODES_MAX, .depth_max = 4};
    bencode_refusal why;
    uint64_t sum;
    str text = str_from(in, MAGIC_BYTES + SUM_BYTES);
    if (!str_eq(str_first(in, MAGIC_BYTES), str_of(magic, MAGIC_BYTES)) || !str_hex_to_u64(str_sub(in, MAGIC_BYTES, SUM_BYTES), &sum) ||
        sum != crc32c(0, text))
        return false;
    const bencode_node *root = bencode_read(text, &limits, a, &why);
    bool good = bencode_is(root, BENCODE_DICTIONARY);
    for (int i = 0; i < FIELDS && good; i++)
        good = field_get(root, e, &fields[i]);
    return good && e->length >= 0 && e->piece_count >= 0 && e->file_count >= 0;
}
