// The answers. Films never change, so their bytes may be kept for ever and their ETag says which making of the
// film they are of;
// manifests depend on the settings too, live for seconds, and may be given stale while the origin is away.
#include <inttypes.h>

#include "base/date.h"
#include "base/must.h"
#include "rooms/origin/room_inside.h"
#include "rt/log.h"
#include "rt/meter.h"
#include "rt/worker.h"
#include "wire/http/conditional.h"
#include "wire/http/range.h"
#include "wire/media/hls.h"
#include "wire/media/mpd.h"

enum { PIECE_BYTES = 256 * 1024, HEADER_BYTES_MAX = 128 };

#define FOR_EVER S("public, max-age=31536000, immutable")
#define FOR_SECONDS S("public, max-age=5, stale-while-revalidate=60, stale-if-error=86400")
#define HARDLY S("public, max-age=1")

typedef enum { SERVED_MANIFEST, SERVED_SEGMENT, SERVED_FILE, SERVED_LIST, SERVED_MISSING, SERVED_REFUSED } served;
static meter requests = {.name = "naru_origin_requests_total",
                         .help = "Requests to the origin by what was asked for", .type = METER_COUNTER,
                         .label = "what", .values = {"manifest", "segment", "file", "list", "missing", "refused"}};
static meter bytes_sent = {.name = "naru_origin_bytes_total", .help = "Bytes of answers that the origin has given",
                           .type = METER_COUNTER};

void origin_meters_show(void)
{
    meter_show(&requests);
    meter_show(&bytes_sent);
}

typedef struct {
    origin_room        *origin;
    int64_t             requests, bytes;
} conversation;

typedef struct {
    conversation       *with;
    const http_request *q;
    http_reply         *reply;
    arena              *msg;
    const film         *film;                // NULL: of no film
} answering;

// ---- heads ------------------------------------------------------------------------------------------------------------

static void header(answering *a, str name, str value) { http_answer_header(a->reply, name, value); }

static void count(answering *a, served what, int64_t bytes)
{
    meter_add_at(&requests, (int)what, 1);
    meter_add(&bytes_sent, bytes);
    a->with->bytes += bytes;
}

// Players on pages of other hosts may read everything.
static void headers_open(answering *a, str cache)
{
    header(a, S("Access-Control-Allow-Origin"), S("*"));
    header(a, S("Access-Control-Expose-Headers"), S("Content-Range, Content-Length, ETag, Age, Date, Cache-Status"));
    header(a, S("Cache-Control"), cache);
    if (a->film)
        header(a, S("Cache-Tag"), a->film->id);
}

static void say(answering *a, int status, str cache, const char *text)
{
    headers_open(a, cache);
    count(a, status == 404 ? SERVED_MISSING : SERVED_REFUSED, 0);
    http_answer(a->reply, status, S("text/plain; charset=utf-8"), str_z(text));
}

static bool is_head(const answering *a) { return str_eq(a->q->method, S("HEAD")); }

// Validators and what the request's conditions make of them. True: answered already (304, 412).
static bool settled(answering *a, str etag, str cache, validators *now)
{
    char when[DATE_TEXT_MAX];
    *now = (validators){.etag = etag, .modified_s = a->film ? a->film->added_s : CONDITION_NO_DATE,
                        .date_s = world_wall_s(world_here())};
    headers_open(a, cache);
    header(a, S("ETag"), etag);
    if (a->film) {
        date_print_http(when, a->film->added_s);
        header(a, S("Last-Modified"), str_z(when));
    }
    int status = conditions_judge(a->q->method, a->q->headers, a->q->header_count, now);
    if (status)
        http_answer(a->reply, status, (str){0}, (str){0});
    return status != 0;
}

// ---- what is made on request ------------------------------------------------------------------------------------------

static void made_answer(answering *a, str type, str body, served what)
{
    validators now;
    str etag = str_format(a->msg, "\"%016" PRIx64 "\"", str_hash(body, 0));
    bool done = settled(a, etag, FOR_SECONDS, &now);
    count(a, what, done || is_head(a) ? 0 : body.len);
    if (!done)
        http_answer(a->reply, 200, type, body);
}

// The film's presentation with the bases that the settings name, each with the film's own folder.
static media_presentation presentation_of(answering *a)
{
    const origin_manifest *m = &a->with->origin->manifest;
    media_presentation p = a->film->presentation;
    p.bases = arena_array(a->msg, media_base, m->base_count + 1);
    for (int i = 0; i < m->base_count && p.bases; i++)
        p.bases[p.base_count++] = (media_base){str_copy(a->msg, m->bases[i].location),
                                               str_format(a->msg, STR_FMT STR_FMT "/", STR_ARG(m->bases[i].url),
                                                          STR_ARG(a->film->id))};
    p.steering_url = str_copy(a->msg, m->steering_url);
    p.steering_default = p.base_count ? p.bases[0].location : (str){0};
    p.steering_before_start = m->steering_first;
    return p;
}

static void manifest_answer(answering *a, const resource *r)
{
    media_presentation p = presentation_of(a);
    buf out = buf_make(r->kind == RESOURCE_MPD || r->kind == RESOURCE_MPD_ON_DEMAND ? MPD_BYTES_MAX : HLS_BYTES_MAX);
    bool good = r->kind == RESOURCE_MPD ? mpd_write(&p, MPD_TIMELINE, &out)
                : r->kind == RESOURCE_MPD_ON_DEMAND ? mpd_write(&p, MPD_ON_DEMAND, &out)
                : r->kind == RESOURCE_MASTER ? hls_master_write(&p, &out)
                                             : hls_media_write(r->rendition, HLS_FILES, &out);
    if (good)
        made_answer(a, r->type, buf_str(&out), SERVED_MANIFEST);
    else
        say(a, 500, HARDLY, "the manifest is too large\n");
    buf_free(&out);
}

// ---- what lies on the disk --------------------------------------------------------------------------------------------

typedef struct {
    folder *folder;
    char   *path;
    file   *file;
    int64_t size_bytes, offset;
    unsigned char *piece;
    size_t  want, got;
    err     error;
} reading;

static void open_blocking(void *arg)
{
    reading *r = arg;
    r->error = folder_file(r->folder, r->path, FILE_READ, 0, &r->file);
    if (!r->error)
        r->error = file_size(r->file, &r->size_bytes);
}

static void read_blocking(void *arg)
{
    reading *r = arg;
    r->error = file_read(r->file, r->offset, r->piece, r->want, &r->got);
}

static void close_blocking(void *arg) { file_close(((reading *)arg)->file); }

// Pieces of the file from `first` on; the answer breaks off where the file does.
static void bytes_send(answering *a, reading *r, int64_t first, int64_t length)
{
    r->piece = arena_array(a->msg, unsigned char, length < PIECE_BYTES ? length + 1 : PIECE_BYTES);
    r->offset = first;
    while (r->piece && length > 0) {
        r->want = (size_t)(length < PIECE_BYTES ? length : PIECE_BYTES);
        work(read_blocking, r);
        if (r->error || r->got < r->want || !http_write(a->reply, str_of(r->piece, r->got)))
            return;
        r->offset += (int64_t)r->got;
        length -= (int64_t)r->got;
        meter_add(&bytes_sent, (int64_t)r->got);
        a->with->bytes += (int64_t)r->got;
    }
}

// One part of the representation, or all of it. More than one part is answered with all (RFC 9110 section 14.2 allows it).
static void part_answer(answering *a, const resource *r, reading *from, const validators *now)
{
    int64_t start = (int64_t)r->offset, length = r->bytes ? (int64_t)r->bytes : from->size_bytes;
    byte_range parts[RANGE_PARTS_MAX] = {{0, length - 1}};
    int count_parts = 0;
    str field = http_header_get(a->q, S("Range"));
    range_verdict v = field.len && condition_if_range(a->q->headers, a->q->header_count, now)
        ? range_read(field, length, parts, &count_parts) : RANGE_NONE;
    bool part = v == RANGE_PARTS && count_parts == 1;
    buf value = buf_make(HEADER_BYTES_MAX);
    byte_range all = {0, length - 1}, chosen = part ? parts[0] : all;
    header(a, S("Accept-Ranges"), S("bytes"));
    if (part || v == RANGE_UNSATISFIABLE) {
        content_range_write(&value, part ? chosen : (byte_range){-1, -1}, length);
        header(a, S("Content-Range"), buf_str(&value));
    }
    buf_free(&value);
    if (v == RANGE_UNSATISFIABLE) {
        http_answer(a->reply, 416, S("text/plain; charset=utf-8"), S("no such bytes\n"));
        return;
    }
    http_begin_length(a->reply, part ? 206 : 200, r->type, chosen.last - chosen.first + 1);
    if (!is_head(a))
        bytes_send(a, from, start + chosen.first, chosen.last - chosen.first + 1);
}

static void file_answer(answering *a, const resource *r)
{
    reading from = {.folder = a->with->origin->films.folder,
                    .path = str_to_z(a->msg, str_format(a->msg, STR_FMT "/" STR_FMT, STR_ARG(a->film->id),
                                                        STR_ARG(r->path)))};
    validators now;
    work(open_blocking, &from);
    if (!from.error && r->bytes && (int64_t)(r->offset + r->bytes) > from.size_bytes)
        from.error = E_CORRUPT;
    if (from.error) {
        say(a, from.error == E_NO_ENTRY ? 404 : 500, HARDLY, from.error == E_NO_ENTRY ? "it has just gone\n"
            : "its file cannot be read\n");
    } else {
        // The same name means the same bytes as long as it is the same making of the film.
        str etag = str_format(a->msg, "\"" STR_FMT "-%" PRIx64 "\"", STR_ARG(a->film->version), str_hash(a->q->path, 0));
        count(a, r->bytes ? SERVED_SEGMENT : SERVED_FILE, 0);
        if (!settled(a, etag, FOR_EVER, &now))
            part_answer(a, r, &from, &now);
    }
    if (from.file)
        work(close_blocking, &from);
}

// ---- requests ---------------------------------------------------------------------------------------------------------

static void film_answer(answering *a, str rest)
{
    resource r = resource_find(a->film, rest, a->msg);
    if (r.kind == RESOURCE_NONE)
        say(a, 404, HARDLY, "the film has nothing of this name\n");
    else if (r.kind == RESOURCE_FILE)
        file_answer(a, &r);
    else
        manifest_answer(a, &r);
}

// `alias 6Y7B23V ferry`: /6Y7B23V leads to /ferry/manifest.mpd. False: there is no such alias.
static bool alias_answer(answering *a, str name)
{
    for (const statement *s = config_first(a->with->origin->room->settings, "alias"); s; s = config_next(s, "alias"))
        if (str_eq(s->words[1], name) && film_id_valid(s->words[2])) {
            header(a, S("Location"), str_format(a->msg, "/" STR_FMT "/manifest.mpd", STR_ARG(s->words[2])));
            headers_open(a, FOR_SECONDS);
            count(a, SERVED_MANIFEST, 0);
            http_answer(a->reply, 302, (str){0}, (str){0});
            return true;
        }
    return false;
}

static void path_answer(answering *a)
{
    origin_room *o = a->with->origin;
    str rest = str_from(a->q->path, 1), listed;
    if (str_eq(rest, S("catalogue.json"))) {
        err e = catalogue_list(&o->films, a->msg, &listed);
        if (e)
            say(a, 500, HARDLY, "the catalogue cannot be read\n");
        else
            made_answer(a, S("application/json"), listed, SERVED_LIST);
        return;
    }
    loaded_film *f;
    str id = str_cut(&rest, '/');
    err e = catalogue_take(&o->films, id, &f);
    if (e == E_NO_ENTRY && rest.len == 0 && alias_answer(a, id))
        return;
    if (e) {
        say(a, e == E_NO_ENTRY ? 404 : e == E_LIMIT ? 503 : 500, HARDLY, e == E_NO_ENTRY
            ? "there is no such film; /catalogue.json lists them\n"
                                                                        : "the film's record cannot be read\n");
        return;
    }
    a->film = &f->film;
    film_answer(a, rest);
    catalogue_give(&o->films, f);
}

static void on_request(void *arg, const http_request *q, http_reply *reply, arena *msg)
{
    answering a = {.with = arg, .q = q, .reply = reply, .msg = msg};
    a.with->requests++;
    if (str_eq(q->method, S("GET")) || str_eq(q->method, S("HEAD"))) {
        path_answer(&a);
        return;
    }
    header(&a, S("Allow"), S("GET, HEAD, OPTIONS"));
    if (str_eq(q->method, S("OPTIONS"))) {               // a page asks whether it may send Range and its like
        header(&a, S("Access-Control-Allow-Methods"), S("GET, HEAD"));
        header(&a, S("Access-Control-Allow-Headers"), S("Range, If-None-Match, If-Modified-Since, Cache-Control"));
        header(&a, S("Access-Control-Max-Age"), S("86400"));
        headers_open(&a, HARDLY);
        http_answer(reply, 204, (str){0}, (str){0});
    } else {
        say(&a, 405, HARDLY, "films are asked for with GET\n");
    }
}

void origin_converse(conn *c, void *arg)
{
    origin_room *o = arg;
    conversation with = {.origin = o};
    http_serve(c, (http_limits){.body_bytes_max = 1, .idle_ns = o->idle_ns, .told = true}, on_request, &with);
    log_line("origin", LOG_INFO, "conversation", F_ADDR("peer", &c->peer), F_INT("requests", with.requests),
             F_INT("bytes", with.bytes),
             F_STR("end", str_z(err_name(c->error))));
}
