#include "rooms/player/made_film.h"

#include <string.h>

#include "base/must.h"
#include "rt/fiber.h"
#include "wire/media/boxes.h"
#include "wire/media/mpd.h"
#include "wire/media/segment_url.h"

enum { PIECE_BYTES = 8 * 1024, INITIALIZATION_BYTES = 64, SEGMENT_HEAD_BYTES = 16, TIMESCALE = 1000, IDS_MAX = 16 };

static uint32_t mixed(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    return (uint32_t)(x >> 32);
}

static void size_put(unsigned char *at, uint64_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(n >> (24 - 8 * i));
}

// Bytes of a segment from `offset` on, which is a multiple of eight: an empty moof, the head of an mdat, then what
// follows from where it is.
static void segment_fill(unsigned char *out, size_t n, uint64_t seed, uint64_t bytes, uint64_t offset)
{
    for (size_t i = 0; i < n; i += 8)
        memset(out + i, (int)(mixed(seed + ((offset + i) >> 3)) & 255), n - i < 8 ? n - i : 8);
    unsigned char head[SEGMENT_HEAD_BYTES] = "\0\0\0\x08moof\0\0\0\0mdat";
    size_put(head + 8, bytes - 8);
    if (offset < SEGMENT_HEAD_BYTES)
        memcpy(out, head + offset, n < SEGMENT_HEAD_BYTES - offset ? n : SEGMENT_HEAD_BYTES - (size_t)offset);
}

static uint64_t seed_of(const media_rendition *r, int segment) { return str_hash(r->id, 1) + (uint64_t)segment * 1000003; }

static unsigned char initialization_byte(uint64_t offset)
{
    unsigned char head[INITIALIZATION_BYTES] = "\0\0\0\x08" "ftyp\0\0\0\0moov\0\0\0\0free";
    size_put(head + 8, 8);
    size_put(head + 16, INITIALIZATION_BYTES - 16);
    return head[offset];
}

static void segments_make(media_rendition *r, const made_film_plan *plan, uint64_t bps, arena *a)
{
    r->segments = arena_array(a, media_segment, plan->segments);
    r->segment_count = plan->segments;
    uint64_t at = INITIALIZATION_BYTES + sidx_bytes(plan->segments);
    for (int i = 0; i < plan->segments; i++) {
        uint64_t mean = bps * plan->segment_ms / 8000;
        int64_t off = plan->varies_percent ? (int64_t)(mixed((uint64_t)i * 7919 + 11) % (uint32_t)(2 * plan->varies_percent + 1)) - plan->varies_percent : 0;
        uint64_t bytes = (uint64_t)((int64_t)mean + (int64_t)mean * off / 100) + SEGMENT_HEAD_BYTES + 1;
        r->segments[i] = (media_segment){.start = (uint64_t)i * plan->segment_ms, .duration = plan->segment_ms, .bytes = bytes, .offset = at};
        at += bytes;
    }
    media_rates_measure(r);
}

static void rendition_make(media_rendition *r, str id, media_kind kind, const made_film_plan *plan, uint64_t bps, arena *a)
{
    *r = (media_rendition){.id = id, .kind = kind, .timescale = TIMESCALE, .first_number = 1};
    r->mime_type = kind == MEDIA_VIDEO ? S("video/mp4") : S("audio/mp4");
    r->codecs = kind == MEDIA_VIDEO ? S("avc1.64001f") : S("mp4a.40.2");
    r->initialization = str_format(a, STR_FMT "/init.mp4", STR_ARG(id));
    r->media = str_format(a, STR_FMT "/$Number$.m4s", STR_ARG(id));
    r->whole = str_format(a, STR_FMT "/whole.mp4", STR_ARG(id));
    r->initialization_bytes = INITIALIZATION_BYTES;
    r->index_bytes = sidx_bytes(plan->segments);
    segments_make(r, plan, bps, a);
}

// As the origin writes it, of what the player reads.
static str record_make(const media_presentation *p, arena *a)
{
    buf out = buf_make(MPD_BYTES_MAX);
    buf_put(&out, S("{\"renditions\": ["));
    for (int i = 0; i < p->rendition_count; i++) {
        buf_format(&out, "%s{\"id\": \"" STR_FMT "\", \"segments\": [", i ? ", " : "", STR_ARG(p->renditions[i].id));
        for (int k = 0; k < p->renditions[i].segment_count; k++)
            buf_format(&out, "%s[%llu, %llu]", k ? ", " : "", (unsigned long long)p->renditions[i].segments[k].duration,
                       (unsigned long long)p->renditions[i].segments[k].bytes);
        buf_put(&out, S("]}"));
    }
    buf_put(&out, S("]}\n"));
    str text = str_copy(a, buf_str(&out));
    buf_free(&out);
    return text;
}

void made_film_make(made_film *m, const made_film_plan *plan, const media_base *bases, int base_count, str steering_url, arena *a)
{
    must(plan->rungs > 0 && plan->rungs <= IDS_MAX && plan->segments > 0);
    *m = (made_film){.on_demand = plan->on_demand};
    media_presentation *p = &m->film;
    *p = (media_presentation){.title = S("A made film"), .duration_ms = (uint64_t)plan->segments * plan->segment_ms, .segment_ms_max = plan->segment_ms,
                              .buffer_ms_min = plan->segment_ms, .steering_url = steering_url, .base_count = base_count};
    p->bases = arena_array(a, media_base, base_count + 1);
    for (int i = 0; i < base_count; i++)
        p->bases[i] = bases[i];
    p->renditions = arena_array(a, media_rendition, plan->rungs + 1);
    for (int i = 0; i < plan->rungs; i++)
        rendition_make(&p->renditions[p->rendition_count++], str_format(a, "v%llu", (unsigned long long)plan->bps[i] / 1000), MEDIA_VIDEO, plan, plan->bps[i], a);
    if (plan->sound_bps)
        rendition_make(&p->renditions[p->rendition_count++], S("a"), MEDIA_AUDIO, plan, plan->sound_bps, a);
    buf out = buf_make(MPD_BYTES_MAX);
    must(mpd_write(p, plan->on_demand ? MPD_ON_DEMAND : MPD_DURATION, &out));
    m->mpd = str_copy(a, buf_str(&out));
    m->record = plan->record ? record_make(p, a) : (str){0};
    buf_free(&out);
    must(!a->full);
}

bool made_film_right(const media_rendition *r, int segment, str bytes)
{
    unsigned char piece[PIECE_BYTES];
    for (ptrdiff_t at = 0; at < bytes.len; at += PIECE_BYTES) {
        str there = str_sub(bytes, at, PIECE_BYTES);
        segment_fill(piece, (size_t)there.len, seed_of(r, segment), (uint64_t)bytes.len, (uint64_t)at);
        if (memcmp(piece, there.at, (size_t)there.len) != 0)
            return false;
    }
    return r->segments[segment].bytes == 0 || r->segments[segment].bytes == (uint64_t)bytes.len;
}

// ---- serving ------------------------------------------------------------------------------------------------------

// Writes a segment from `offset` on, in pieces, so that what dies in the middle dies in the middle.
static void segment_send(made_film *m, http_reply *reply, const media_rendition *r, int segment)
{
    uint64_t bytes = r->segments[segment].bytes, seed = seed_of(r, segment);
    unsigned char piece[PIECE_BYTES];
    for (uint64_t at = 0; at < bytes; ) {
        size_t n = bytes - at < sizeof piece ? (size_t)(bytes - at) : sizeof piece;
        segment_fill(piece, n, seed, bytes, at);
        while (m->stalls && fiber_sleep(seconds(1)) == E_OK)
            continue;
        if (!http_write(reply, str_of(piece, n)))
            return;
        m->bytes += n;
        at += n;
    }
}

static void segment_answer(made_film *m, http_reply *reply, const media_rendition *r, int segment)
{
    if (m->missing) {
        http_answer(reply, 404, S("text/plain"), S("there is no such segment\n"));
    } else if (m->nonsense) {
        http_answer(reply, 200, S("text/html"), S("<html>Welcome to the wrong server</html>\n"));
    } else {
        http_begin_length(reply, 200, S("video/mp4"), (int64_t)r->segments[segment].bytes);
        segment_send(m, reply, r, segment);
    }
}

static str initialization_text(arena *msg)
{
    unsigned char bytes[INITIALIZATION_BYTES];
    for (uint64_t i = 0; i < sizeof bytes; i++)
        bytes[i] = initialization_byte(i);
    return str_copy(msg, str_of(bytes, sizeof bytes));
}

// A range of the one file: its beginning, its index, or exactly one segment.
static void whole_answer(made_film *m, http_reply *reply, const media_rendition *r, str range, arena *msg)
{
    uint64_t first, last;
    str rest = str_starts(range, S("bytes=")) ? str_from(range, 6) : (str){0}, from = str_cut(&rest, '-');
    if (!str_to_u64(from, &first) || !str_to_u64(rest, &last)) {
        http_answer(reply, 416, S("text/plain"), (str){0});
        return;
    }
    http_answer_header(reply, S("Content-Range"), str_format(msg, "bytes %llu-%llu/*", (unsigned long long)first, (unsigned long long)last));
    if (first == 0 && last == r->initialization_bytes - 1) {
        http_answer(reply, 206, S("video/mp4"), initialization_text(msg));
        return;
    }
    if (first == r->initialization_bytes) {
        buf out = buf_make(MPD_BYTES_MAX);
        must(sidx_write(r, 1, &out));
        http_answer(reply, 206, S("video/mp4"), str_copy(msg, buf_str(&out)));
        buf_free(&out);
        return;
    }
    for (int i = 0; i < r->segment_count; i++)
        if (r->segments[i].offset == first && r->segments[i].bytes == last - first + 1) {
            http_begin_length(reply, 206, S("video/mp4"), (int64_t)r->segments[i].bytes);
            segment_send(m, reply, r, i);
            return;
        }
    http_answer(reply, 416, S("text/plain"), (str){0});
}

static void rendition_answer(made_film *m, http_reply *reply, const media_rendition *r, const http_request *q, str name, arena *msg)
{
    uint64_t number;
    if (str_eq(name, S("init.mp4"))) {
        http_answer(reply, 200, S("video/mp4"), initialization_text(msg));
    } else if (str_eq(name, S("whole.mp4")) && m->on_demand) {
        whole_answer(m, reply, r, http_header_get(q, S("Range")), msg);
    } else if (str_ends(name, S(".m4s")) && str_to_u64(str_first(name, name.len - 4), &number) && number >= 1 && number <= (uint64_t)r->segment_count) {
        segment_answer(m, reply, r, (int)number - 1);
    } else {
        http_answer(reply, 404, S("text/plain"), (str){0});
    }
}

void made_film_serve(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    made_film *m = arg;
    ptrdiff_t slash = str_rfind(q->path, '/');
    str name = str_from(q->path, slash + 1), where = str_first(q->path, slash), id = str_from(where, str_rfind(where, '/') + 1);
    m->requests++;
    while (m->stalls && fiber_sleep(seconds(1)) == E_OK)
        continue;
    if (str_eq(name, S("manifest.mpd"))) {
        http_answer(reply, 200, S("application/dash+xml"), m->mpd);
        return;
    }
    if (str_eq(name, S("presentation.json")) && m->record.len) {
        http_answer(reply, 200, S("application/json"), m->record);
        return;
    }
    for (int i = 0; i < m->film.rendition_count; i++)
        if (str_eq(m->film.renditions[i].id, id)) {
            rendition_answer(m, reply, &m->film.renditions[i], q, name, msg);
            return;
        }
    http_answer(reply, 404, S("text/plain"), (str){0});
}
