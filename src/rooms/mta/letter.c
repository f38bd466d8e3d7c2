#include "rooms/mta/letter.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"

letter *letter_new(uint64_t id)
{
    letter *l = memory_zeroed(1, sizeof *l);
    l->id = l->map_key = id;
    l->memory = arena_make(LETTER_ARENA_BYTES_MAX);
    return l;
}

void letter_free(letter *l)
{
    if (!l)
        return;
    list_remove(&l->link);
    memory_free(l->attempts);
    buf_free(&l->text_memory);
    arena_free(&l->memory);
    memory_free(l);
}

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void letter_id_text(uint64_t id, char out[LETTER_ID_TEXT])
{
    for (int i = LETTER_ID_TEXT - 2; i >= 0; i--, id >>= 5)
        out[i] = digits[id & 31];
    out[LETTER_ID_TEXT - 1] = 0;
}

bool letter_id_parse(str text, uint64_t *id)
{
    uint64_t n = 0;
    if (text.len != LETTER_ID_TEXT - 1)
        return false;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        const char *digit = memchr(digits, upper(text.at[i]), sizeof digits - 1);
        if (!digit || (i == 0 && digit - digits > 15))
            return false;
        n = n << 5 | (uint64_t)(digit - digits);
    }
    *id = n;
    return n != 0;
}

// ---- writing ----------------------------------------------------------------------------------------------------------

static void put_number(buf *b, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        buf_put_byte(b, (unsigned char)(value >> (8 * i)));
}

static void put_text(buf *b, str s)
{
    must(s.len <= UINT16_MAX);
    put_number(b, (uint64_t)s.len, 2);
    buf_put(b, s);
}

enum { LETTER_8BIT = 1, LETTER_HELD = 2, LETTER_IN_BLOB = 4 };

bool letter_record(const letter *l, buf *out)
{
    put_number(out, RECORD_LETTER, 1);
    put_number(out, l->id, 8);
    put_number(out, l->trace, 8);
    put_number(out, (uint64_t)l->arrived_s, 8);
    put_number(out, (l->body_8bit ? LETTER_8BIT : 0u) | (l->held ? LETTER_HELD : 0u) | (l->in_blob ? LETTER_IN_BLOB : 0u), 1);
    put_number(out, (uint64_t)l->size_bytes, 8);
    put_text(out, l->from);
    put_number(out, (uint64_t)l->to_count, 2);
    for (int i = 0; i < l->to_count; i++) {
        const recipient *to = &l->to[i];
        put_text(out, to->address);
        put_text(out, to->mailbox);
        put_number(out, to->state, 1);
        put_number(out, to->attempts, 2);
        put_number(out, (uint64_t)to->last_try_s, 8);
        put_text(out, to->reply);
    }
    if (l->in_blob)
        buf_put(out, str_of(l->blob.bytes, sizeof l->blob.bytes));
    return !out->full;
}

bool outcome_record(uint64_t id, const outcome *v, int count, int64_t now_s, str bounce_record, buf *out)
{
    put_number(out, RECORD_OUTCOME, 1);
    put_number(out, id, 8);
    put_number(out, (uint64_t)now_s, 8);
    put_number(out, (uint64_t)count, 2);
    for (int i = 0; i < count; i++) {
        put_number(out, (uint64_t)v[i].index, 2);
        put_number(out, v[i].state, 1);
        put_text(out, str_first(v[i].reply, LETTER_REPLY_BYTES_MAX));
    }
    put_number(out, (uint64_t)bounce_record.len, 4);
    buf_put(out, bounce_record);
    put_text(out, str_first(count ? v[0].host : (str){0}, LETTER_REPLY_BYTES_MAX));
    return !out->full;
}

bool delivered_record(uint64_t id, int index, buf *out)
{
    if (out->len == 0)
        put_number(out, RECORD_DELIVERED, 1);
    put_number(out, id, 8);
    put_number(out, (uint64_t)index, 2);
    return !out->full;
}

bool mark_record(record_kind kind, uint64_t id, bool on, buf *out)
{
    put_number(out, kind, 1);
    put_number(out, id, 8);
    put_number(out, on, 1);
    return !out->full;
}

// ---- reading ----------------------------------------------------------------------------------------------------------

bool record_open(reader *r, record_kind *kind, uint64_t *id)
{
    *kind = rd_u8(r);
    *id = rd_u64(r);
    return !r->bad && *kind >= RECORD_LETTER && *kind <= RECORD_PAST && *id != 0;
}

static str read_text(reader *r, arena *a) { return str_copy(a, rd_bytes(r, rd_u16(r))); }

static void recipient_read(reader *r, arena *a, recipient *to)
{
    to->address = read_text(r, a);
    to->mailbox = read_text(r, a);
    to->state = rd_u8(r);
    to->attempts = rd_u16(r);
    to->last_try_s = (int64_t)rd_u64(r);
    to->reply = read_text(r, a);
    if (to->state > RECIPIENT_FAILED || to->address.len == 0)
        r->bad = true;
}

letter *letter_read(reader *r, uint64_t id)
{
    letter *l = letter_new(id);
    l->trace = rd_u64(r);
    l->arrived_s = (int64_t)rd_u64(r);
    unsigned flags = rd_u8(r);
    l->body_8bit = flags & LETTER_8BIT;
    l->held = flags & LETTER_HELD;
    l->in_blob = flags & LETTER_IN_BLOB;
    l->size_bytes = (int64_t)rd_u64(r);
    l->from = read_text(r, &l->memory);
    l->to_count = rd_u16(r);
    if (l->to_count == 0 || l->to_count > LETTER_RECIPIENTS_MAX)
        r->bad = true;
    l->to = r->bad ? NULL : arena_array(&l->memory, recipient, l->to_count);
    for (int i = 0; i < l->to_count && !r->bad && l->to; i++) {
        recipient_read(r, &l->memory, &l->to[i]);
        l->to_waiting += l->to[i].state == RECIPIENT_WAITING;
    }
    if (l->in_blob) {
        str blob = rd_bytes(r, sizeof l->blob.bytes);
        if (!r->bad)
            memcpy(l->blob.bytes, blob.at, sizeof l->blob.bytes);
    }
    if (!r->bad && l->to)
        return l;
    letter_free(l);
    return NULL;
}

bool outcome_apply(reader *r, letter *l, str *bounce)
{
    int64_t now_s = (int64_t)rd_u64(r);
    int count = rd_u16(r);
    for (int i = 0; i < count && !r->bad; i++) {
        int index = rd_u16(r);
        recipient_state state = rd_u8(r);
        str reply = rd_bytes(r, rd_u16(r));
        if (r->bad || index >= l->to_count || state > RECIPIENT_FAILED)
            return false;
        recipient *to = &l->to[index];
        l->to_waiting -= to->state == RECIPIENT_WAITING && state != RECIPIENT_WAITING;
        to->state = state;
        to->attempts = (uint16_t)(to->attempts + (to->attempts < UINT16_MAX));
        to->last_try_s = now_s;
        to->reply = str_copy(&l->memory, reply);
    }
    *bounce = rd_bytes(r, rd_u32(r));
    if (rd_left(r))
        rd_skip(r, rd_u16(r));                   // the host; older records have none
    return rd_done(r);
}

bool delivered_next(reader *r, bool first, uint64_t *id, int *index)
{
    if (!first && rd_left(r) == 0)
        return false;
    if (!first)
        *id = rd_u64(r);
    *index = rd_u16(r);
    return !r->bad;
}

bool mark_read(reader *r, bool *on)
{
    *on = rd_u8(r);
    return rd_done(r);
}

bool record_text(str record, uint64_t id, str *text)
{
    reader r = rd_of(record);
    record_kind kind;
    uint64_t about;
    if (!record_open(&r, &kind, &about))
        return false;
    if (kind == RECORD_OUTCOME) {
        rd_skip(&r, 8);
        for (int n = rd_u16(&r); n > 0 && !r.bad; n--) {
            rd_skip(&r, 3);
            rd_skip(&r, rd_u16(&r));
        }
        return about != id && record_text(rd_bytes(&r, rd_u32(&r)), id, text);
    }
    letter *l = kind == RECORD_LETTER && about == id ? letter_read(&r, id) : NULL;
    letter_free(l);
    *text = rd_rest(&r);
    return l != NULL;
}

// ---- attempts -----------------------------------------------------------------------------------------------------------

void letter_attempt(letter *l, journal_place place)
{
    if (l->attempt_count == LETTER_ATTEMPTS_MAX)
        memmove(l->attempts, l->attempts + 1, (size_t)--l->attempt_count * sizeof *l->attempts);
    if (l->attempt_count == l->attempt_cap) {
        l->attempt_cap = l->attempt_cap ? l->attempt_cap * 2 : 4;
        l->attempts = memory_resize(l->attempts, (size_t)l->attempt_cap * sizeof *l->attempts);
    }
    l->attempts[l->attempt_count++] = place;
}

bool past_record(uint64_t id, const attempt *a, buf *out)
{
    if (out->len == 0) {
        put_number(out, RECORD_PAST, 1);
        put_number(out, id, 8);
    }
    put_number(out, (uint64_t)a->at_s, 8);
    put_number(out, (uint64_t)a->was.index, 2);
    put_number(out, a->was.state, 1);
    put_text(out, str_first(a->was.reply, LETTER_REPLY_BYTES_MAX));
    put_text(out, str_first(a->was.host, LETTER_REPLY_BYTES_MAX));
    return !out->full;
}

static outcome outcome_read(reader *r)
{
    outcome v = {.index = rd_u16(r)};
    v.state = rd_u8(r);
    v.reply = rd_bytes(r, rd_u16(r));
    if (v.state > RECIPIENT_FAILED)
        r->bad = true;
    return v;
}

// The host stands behind the bounce, at the record's end.
static str outcome_host(reader r, int count)
{
    for (int i = 0; i < count && !r.bad; i++)
        outcome_read(&r);
    rd_skip(&r, rd_u32(&r));
    return rd_left(&r) > 0 ? rd_bytes(&r, rd_u16(&r)) : (str){0};
}

bool attempts_read(str record, uint64_t id, attempt_seen *each, void *arg)
{
    reader r = rd_of(record);
    record_kind kind;
    uint64_t about;
    attempt a = {0};
    if (!record_open(&r, &kind, &about) || about != id)
        return false;
    if (kind == RECORD_PAST) {
        while (rd_left(&r) > 0) {
            a.at_s = (int64_t)rd_u64(&r);
            a.was = outcome_read(&r);
            a.was.host = rd_bytes(&r, rd_u16(&r));
            if (r.bad)
                return false;
            each(arg, &a);
        }
        return true;
    }
    a.at_s = (int64_t)rd_u64(&r);
    int count = rd_u16(&r);
    str host = outcome_host(r, count);
    for (int i = 0; i < count && kind == RECORD_OUTCOME; i++) {
        a.was = outcome_read(&r);
        a.was.host = host;
        if (r.bad)
            return false;
        each(arg, &a);
    }
    return kind == RECORD_OUTCOME;
}
