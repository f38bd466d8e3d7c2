// naru video add: a source becomes a film of the catalogue, rendition by rendition. What is finished stays on the
// disk whatever happens:
//
//     work/ID/lock            held while it goes on
//     work/ID/job             what is being made of what; another job begins anew
//     work/ID/part/           the encoder's own directory: the only place where it writes
//     work/ID/film/           finished files: judged, synced, renamed into here
//     work/ID/NAME.done       and then recorded: NAME's file is whole
//     films/ID/               work/ID/film in the end, by one rename
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/quantity.h"
#include "cmd/directory_remove.h"
#include "cmd/video_encoder.h"
#include "cmd/video_rendition.h"
#include "keep/directory.h"
#include "rt/own_dir.h"

enum {
    BAR_COLUMNS = 24, JOB_BYTES_MAX = 64 * 1024, TILES_ACROSS = 5, TILES_DOWN = 5, TILE_WIDTH = 160,
        TILES = TILES_ACROSS * TILES_DOWN,
    STILLS_BYTES_MAX = 16 << 20, SOUND_COST = 8, STILLS_COST = 4, SLACK_BYTES = 64 << 20,
    SAMPLE_WIDTH = 1280, SAMPLE_HEIGHT = 720, SAMPLE_FRAMES = 24, SAMPLE_BPS = 20000000, SAMPLE_SECONDS_MAX = 3600,
    TABLE_BYTES_MAX = 32 << 20,
};

typedef struct {
    char     name[24];                           // "v1000"
    int64_t  rate_bps;
    uint32_t width, height;
} rung;

typedef struct {
    video_run    *v;
    video_encoder encoder;
    video_source  source;
    str           id;
    char         *work, *part, *made, *source_path;      // made: work/ID/film
    file         *lock;
    rung          rungs[ORIGIN_LADDER_MAX];
    uint32_t      group_frames;
    film          film;
    media_rendition renditions[FILM_RENDITIONS_MAX];
    film_frames   frames[FILM_RENDITIONS_MAX][FILM_FRAME_KINDS];
    // progress
    const char   *doing;
    int64_t       cost_done, cost_now, cost_all;
    bool          drawn;
    int           kept;                          // steps that an earlier run had finished
} adding;

static char *below(adding *a, const char *directory, const char *name)
{
    return str_to_z(&a->v->memory, str_format(&a->v->memory, "%s/%s", directory, name));
}

static bool trouble(adding *a, err e, const char *what, const char *where)
{
    return !e || video_fail(a->v, COMMAND_FAILED, STR_FMT, STR_ARG(trouble_sentence(&a->v->memory, e, what, where)));
}

// ---- progress ---------------------------------------------------------------------------------------------------------

static void draw(void *arg, int64_t done, int64_t total)
{
    adding *a = arg;
    if (a->v->quiet || !terminal_at(2) || total <= 0 || a->cost_all <= 0)
        return;
    int64_t thousandths = (a->cost_done * 1000 + a->cost_now * 1000 * (done < total ? done : total) / total) / a->cost_all;
    char bar[BAR_COLUMNS + 1];
    for (int i = 0; i < BAR_COLUMNS; i++)
        bar[i] = thousandths * BAR_COLUMNS >= (i + 1) * 1000ll ? '#' : '.';
    bar[BAR_COLUMNS] = 0;
    fprintf(stderr, "\r%-12s [%s] %3lld%%", a->doing, bar, (long long)(thousandths / 10));
    a->drawn = true;
}

static void draw_end(adding *a)
{
    if (a->drawn)
        fprintf(stderr, "\r%*s\r", BAR_COLUMNS + 24, "");
    a->drawn = false;
}

// ---- what is to be made -----------------------------------------------------------------------------------------------

// How many pixels a rate can show well, as a picture of 16 by 9.
static int64_t pixels_for(int64_t rate_bps)
{
    static const struct { int64_t bps, height; } known[] = {
        {200000, 180}, {400000, 240}, {800000, 360}, {1800000, 480}, {4500000, 720}, {9000000, 1080},
            {20000000, 1440}, {INT64_MAX, 2160},
    };
    size_t i = 0;
    while (rate_bps > known[i].bps)
        i++;
    return known[i].height * known[i].height * 16 / 9;
}

static uint32_t root_of(uint64_t n)
{
    uint32_t root = 0;
    for (uint32_t bit = 1u << 15; bit; bit >>= 1)
        if ((uint64_t)(root + bit) * (root + bit) <= n)
            root += bit;
    return root;
}

// The source's shape, even, at most as large as the source and as its rate can show.
static void rung_plan(const video_source *s, int64_t rate_bps, rung *out)
{
    uint64_t pixels = (uint64_t)pixels_for(rate_bps), own = (uint64_t)s->width * s->height;
    uint32_t height = own <= pixels ? s->height : root_of(pixels * s->height / s->width);
    uint64_t half = ((uint64_t)height * s->width + s->height) / (2ull * s->height);
    uint32_t width = half * 2 <= s->width ? (uint32_t)half * 2 : s->width / 2 * 2;
    *out = (rung){.rate_bps = rate_bps, .width = width, .height = height / 2 * 2};
    out->width = out->width < 16 ? 16 : out->width;
    out->height = out->height < 16 ? 16 : out->height;
    snprintf(out->name, sizeof out->name, "v%d", (int)(rate_bps / 1000));
}

static void plan(adding *a)
{
    const origin_encoding *e = &a->v->encoding;
    const video_source *s = &a->source;
    int64_t frames_ns = e->segment_ns * s->frames_number;
    a->group_frames = (uint32_t)((frames_ns / s->frames_in + NS_PER_S / 2) / NS_PER_S);
    a->group_frames = a->group_frames ? a->group_frames : 1;
    for (int i = 0; i < e->ladder_count; i++) {
        rung_plan(s, e->ladder_bps[i], &a->rungs[i]);
        a->cost_all += (int64_t)a->rungs[i].width * a->rungs[i].height / 10000 + SOUND_COST;
    }
    a->cost_all += (s->sound ? SOUND_COST : 0) + STILLS_COST;
    a->encoder.duration_ms = s->duration_ms;
}

static bool space_there(adding *a)
{
    folder *f;
    int64_t left = 0, need = SLACK_BYTES / 4 + (a->source.sound ? ORIGIN_AUDIO_BPS / 8 : 0) * a->source.duration_ms / 1000;
    for (int i = 0; i < a->v->encoding.ladder_count; i++)
        need += a->v->encoding.ladder_bps[i] / 8 * a->source.duration_ms / 1000;
    if (folder_open(a->v->world, a->work, &f) != E_OK)
        return true;
    bool known = folder_space(f, &left) == E_OK;
    folder_close(f);
    if (!known || left >= need || a->kept)
        return true;
    return video_fail(a->v, COMMAND_FAILED,
                      "the disk of %s is too full: up to " STR_FMT " are needed, " STR_FMT " are free", a->v->directory,
                      STR_ARG(size_text(&a->v->memory, need)), STR_ARG(size_text(&a->v->memory, left)));
}

// ---- steps ------------------------------------------------------------------------------------------------------------

static char *record_path(adding *a, const char *name)
{
    return below(a, a->work, str_to_z(&a->v->memory, str_format(&a->v->memory, "%s.done", name)));
}

static bool is_recorded(adding *a, const char *name)
{
    file_stat st;
    return path_stat(a->v->world, record_path(a, name), &st) == E_OK;
}

static bool record(adding *a, const char *name)
{
    char *path = record_path(a, name);
    return trouble(a, file_replace(a->v->world, path, S("done\n"), 0600), "record that a step is done in", path);
}

static bool synced(adding *a, const char *path)
{
    file *f;
    err e = file_open(a->v->world, path, FILE_READ | FILE_WRITE, 0, &f);
    if (!e) {
        e = file_sync_whole(f);
        file_close(f);
    }
    return trouble(a, e, "sync", path);
}

// From the encoder's directory to where only naru writes: its bytes first, then its name.
static bool take_over(adding *a, const char *from, const char *to)
{
    ptrdiff_t slash = str_rfind(str_z(to), '/');
    char *into = str_to_z(&a->v->memory, str_first(str_z(to), slash));
    err e = directory_make(a->v->world, into, 0755);
    return trouble(a, e, "make", into) && synced(a, from) && trouble(a, path_rename(a->v->world, from, to),
                                                                     "rename to", to) &&
           trouble(a, dir_sync(a->v->world, into), "sync", into);
}

// Forgets what a step that did not come to its end has left.
static bool part_clear(adding *a)
{
    directory_remove(a->v->world, str_z(a->part));
    return trouble(a, directory_make(a->v->world, a->part, 0700), "make", a->part) &&
           (dir_give(a->part, 0700, own_user() == 0 ? VIDEO_USER : 0, VIDEO_USER) ||
            trouble(a, E_ACCESS, "give away", a->part));
}

static bool step_run(adding *a, const char *step, const char *name, char words[][VIDEO_WORD_BYTES_MAX], int count,
                     int64_t file_bytes, int64_t cost)
{
    a->doing = name;
    a->cost_now = cost;
    draw(a, 0, 1);
    snprintf(words[count], VIDEO_WORD_BYTES_MAX, "--name=%s", name);
    return part_clear(a) && video_encoder_run(&a->encoder, step, words, count + 1, file_bytes);
}

static void step_end(adding *a, int64_t cost) { a->cost_done += cost; }

static int timing_words(adding *a, char words[][VIDEO_WORD_BYTES_MAX])
{
    snprintf(words[0], VIDEO_WORD_BYTES_MAX, "--frames-number=%u", a->source.frames_number);
    snprintf(words[1], VIDEO_WORD_BYTES_MAX, "--frames-in=%u", a->source.frames_in);
    snprintf(words[2], VIDEO_WORD_BYTES_MAX, "--group=%u", a->group_frames);
    return 3;
}

static char *whole_path(adding *a, const char *name)
{
    return below(a, a->made, str_to_z(&a->v->memory, str_format(&a->v->memory, "%s/whole.mp4", name)));
}

// Reads a finished rendition into the film, and leaves its table of frames beside it.
static bool rendition_take(adding *a, const char *name)
{
    const char *why;
    buf table = buf_make(TABLE_BYTES_MAX);
    int n = a->film.presentation.rendition_count;
    media_rendition *r = &a->renditions[n];
    char *path = whole_path(a, name);
    bool good = video_rendition_read(a->v->world, path, str_z(name), &a->v->memory, r, a->frames[n], &table, &why) ||
                video_fail(a->v, COMMAND_FAILED, "%s is no rendition: %s; remove %s and begin anew", path, why, a->work);
    r->frames_number = r->kind == MEDIA_VIDEO ? a->source.frames_number : 0;
    r->frames_in = r->kind == MEDIA_VIDEO ? a->source.frames_in : 0;
    if (good && r->kind == MEDIA_VIDEO) {
        char *frames = below(a, a->made, str_to_z(&a->v->memory, str_format(&a->v->memory, "%s/frames.txt", name)));
        good = trouble(a, file_replace(a->v->world, frames, buf_str(&table), 0644), "write", frames);
    }
    buf_free(&table);
    a->film.presentation.rendition_count += good;
    return good;
}

static bool step_finish(adding *a, const char *name)
{
    return take_over(a, below(a, a->part, str_to_z(&a->v->memory, str_format(&a->v->memory, "%s.part", name))),
                     whole_path(a, name)) &&
           rendition_take(a, name) && record(a, name);
}

static bool video_step(adding *a, const rung *r)
{
    char words[VIDEO_WORDS_MAX][VIDEO_WORD_BYTES_MAX];
    int64_t cost = (int64_t)r->width * r->height / 10000 + SOUND_COST,
        bytes = r->rate_bps / 8 * (a->source.duration_ms / 1000 + 1) * 2 + SLACK_BYTES;
    if (is_recorded(a, r->name)) {
        a->kept++;
        step_end(a, cost);
        return rendition_take(a, r->name);
    }
    int n = timing_words(a, words);
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--width=%u", r->width);
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--height=%u", r->height);
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--rate=%lld", (long long)r->rate_bps);
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--constant=%d", a->v->encoding.constant);
    bool good = step_run(a, "video", r->name, words, n, bytes, cost) && step_finish(a, r->name);
    step_end(a, cost);
    return good;
}

static uint64_t duration_ms_of(const media_rendition *r)
{
    const media_segment *last = &r->segments[r->segment_count - 1];
    return media_ms(last->start + last->duration, r->timescale);
}

static bool sound_step(adding *a)
{
    static const char name[] = "a128";
    char words[VIDEO_WORDS_MAX][VIDEO_WORD_BYTES_MAX];
    if (is_recorded(a, name)) {
        a->kept++;
        step_end(a, SOUND_COST);
        return rendition_take(a, name);
    }
    int n = timing_words(a, words);
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--rate=%d", ORIGIN_AUDIO_BPS);
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--duration-ms=%llu", (unsigned long long)duration_ms_of(&a->renditions[0]));
    int64_t bytes = ORIGIN_AUDIO_BPS / 8 * (a->source.duration_ms / 1000 + 1) * 2 + SLACK_BYTES;
    bool good = step_run(a, "sound", name, words, n, bytes, SOUND_COST) && step_finish(a, name);
    step_end(a, SOUND_COST);
    return good;
}

// ---- stills -----------------------------------------------------------------------------------------------------------

static int64_t segment_ms(const adding *a)
{
    return (int64_t)a->group_frames * a->source.frames_in * 1000 / a->source.frames_number;
}

// Sheets of thumbnails as a rendition of images: a picture for each segment.
static bool sheets_take(adding *a)
{
    const media_rendition *from = &a->renditions[a->v->encoding.ladder_count - 1];
    media_rendition *r = &a->renditions[a->film.presentation.rendition_count];
    uint32_t height = TILE_WIDTH * from->height / from->width / 2 * 2;
    int sheets = (from->segment_count + TILES - 1) / TILES;
    height = height < 16 ? 16 : height > 4 * TILE_WIDTH ? 4 * TILE_WIDTH : height;
    *r = (media_rendition){.id = S("tiles"), .kind = MEDIA_IMAGES, .codecs = S("jpeg"),
                           .width = TILE_WIDTH * TILES_ACROSS, .height = height * TILES_DOWN,
                           .timescale = 1000, .tiles_across = TILES_ACROSS, .tiles_down = TILES_DOWN, .first_number = 1};
    r->segments = arena_array(&a->v->memory, media_segment, sheets);
    uint64_t end = a->film.presentation.duration_ms, each = (uint64_t)segment_ms(a) * TILES;
    for (int i = 0; i < sheets && r->segments; i++) {
        file_stat st;
        uint64_t start = (uint64_t)i * each;
        if (path_stat(a->v->world, below(a, a->made,
                                         str_to_z(&a->v->memory, str_format(&a->v->memory, "tiles-%d.jpg",
                                                 i + 1))), &st) != E_OK || st.size_bytes <= 0)
            return video_fail(a->v, COMMAND_FAILED, "the encoder made too few sheets of thumbnails");
        r->segments[r->segment_count++] = (media_segment){start, end > start && end - start < each ? end - start
                                                          : each, (uint64_t)st.size_bytes, 0};
    }
    media_rates_measure(r);
    a->film.presentation.rendition_count++;
    return true;
}

static bool still_is_jpeg(adding *a, const char *path)
{
    str text;
    arena memory = arena_make(STILLS_BYTES_MAX + 4096);
    bool good = file_read_all(a->v->world, path, &memory, STILLS_BYTES_MAX, &text) == E_OK && text.len > 4 &&
        text.at[0] == 0xff && text.at[1] == 0xd8;
    arena_free(&memory);
    return good || video_fail(a->v, COMMAND_FAILED, "the encoder made no picture of %s", path);
}

static bool stills_take_over(adding *a)
{
    str *names;
    int count;
    if (!trouble(a, dir_list(a->v->world, a->part, &a->v->memory, &names, &count), "list", a->part))
        return false;
    for (int i = 0; i < count; i++) {
        const char *name = str_to_z(&a->v->memory, names[i]);
        bool jpeg = str_ends(names[i], S(".jpg")) && (str_eq(names[i], S("poster.jpg")) || str_starts(names[i], S("tiles-")));
        bool gray = str_eq(names[i], S("flat.pgm")) || str_eq(names[i], S("busy.pgm"));
        char *from = below(a, a->part, name);
        if ((jpeg || gray) && !((!jpeg || still_is_jpeg(a, from)) && take_over(a, from, below(a, a->made, name))))
            return false;
    }
    return true;
}

static bool stills_step(adding *a)
{
    char words[VIDEO_WORDS_MAX][VIDEO_WORD_BYTES_MAX];
    if (!is_recorded(a, "stills")) {
        const char *source = a->encoder.source;
        a->encoder.source = whole_path(a, a->rungs[a->v->encoding.ladder_count - 1].name);
        snprintf(words[0], VIDEO_WORD_BYTES_MAX, "--duration-ms=%lld", (long long)segment_ms(a));
        bool good = step_run(a, "stills", "stills", words, 1, STILLS_BYTES_MAX, STILLS_COST) &&
            stills_take_over(a) && record(a, "stills");
        a->encoder.source = source;
        if (!good)
            return false;
    }
    return sheets_take(a);
}

// ---- the whole --------------------------------------------------------------------------------------------------------

static bool aligned(adding *a)
{
    for (int i = 1; i < a->v->encoding.ladder_count; i++)
        if (!media_segments_aligned(&a->renditions[0], &a->renditions[i]))
            return video_fail(a->v, COMMAND_FAILED, "renditions do not begin their segments at the same times");
    return true;
}

static bool encode(adding *a)
{
    for (int i = 0; i < a->v->encoding.ladder_count; i++)
        if (!video_step(a, &a->rungs[i]))
            return false;
    a->film.presentation.duration_ms = duration_ms_of(&a->renditions[0]);
    a->film.presentation.segment_ms_max = (uint32_t)segment_ms(a) + (a->source.frames_in > 1);
    a->film.presentation.renditions = a->renditions;
    a->film.frames = a->frames;
    return aligned(a) && (!a->source.sound || sound_step(a)) && stills_step(a);
}

static bool publish(adding *a)
{
    unsigned char version[FILM_VERSION_BYTES / 2];
    char digits[FILM_VERSION_BYTES + 1];
    buf out = buf_make(FILM_RECORD_BYTES_MAX);
    arena *m = &a->v->memory;
    world_random(a->v->world, version, sizeof version);
    for (size_t i = 0; i < sizeof version; i++)
        snprintf(digits + 2 * i, 3, "%02x", version[i]);
    a->film.version = str_copy(m, str_z(digits));
    a->film.added_s = world_wall_s(a->v->world);
    char *record_file = below(a, a->made, FILM_RECORD),
        *final = str_to_z(m, str_format(m, "%s/" STR_FMT, a->v->films, STR_ARG(a->id)));
    bool good = film_write(&a->film, &out) || video_fail(a->v, COMMAND_FAILED, "the film's record is too large");
    good = good && trouble(a, file_replace(a->v->world, record_file, buf_str(&out), 0644), "write", record_file) &&
           trouble(a, dir_sync(a->v->world, a->made), "sync", a->made);
    buf_free(&out);
    // the service's, where it has one of its own: it need not be ours to be read by it
    unsigned user, group;
    if (good && dir_owner(a->v->directory, &user, &group))
        good = dir_give(a->made, 0755, user, group) || trouble(a, E_ACCESS, "give away", a->made);
    good = good && trouble(a, path_rename(a->v->world, a->made, final), "put the film to", final) &&
        trouble(a, dir_sync(a->v->world, a->v->films), "sync", a->v->films);
    if (good)
        directory_remove(a->v->world, str_z(a->work));
    return good;
}

// ---- beginning --------------------------------------------------------------------------------------------------------

static bool names_take(adding *a, str source_name)
{
    video_run *v = a->v;
    file_stat st;
    str title = v->title.len ? v->title : source_name;
    a->id = v->id.len ? v->id : film_id_from(title, &v->memory);
    if (v->id.len == 0 && a->id.len == 0)
        return video_fail(v, COMMAND_USAGE, "no name for URLs can be made of \"" STR_FMT "\": say --id NAME", STR_ARG(title));
    if (!film_id_valid(a->id))
        return video_fail(v, COMMAND_USAGE, "--id takes small letters, digits and single dashes, at most %d",
                          FILM_ID_BYTES_MAX);
    if (title.len > FILM_TITLE_BYTES_MAX)
        return video_fail(v, COMMAND_USAGE, "a title has at most %d bytes", FILM_TITLE_BYTES_MAX);
    a->film = (film){.id = a->id, .constant = v->encoding.constant, .source = source_name};
    a->film.presentation.title = title;
    a->film.presentation.buffer_ms_min = (uint32_t)(v->encoding.segment_ns / NS_PER_MS);
    if (path_stat(v->world, str_to_z(&v->memory, str_format(&v->memory, "%s/" STR_FMT, v->films, STR_ARG(a->id))),
                  &st) == E_OK)
        return video_fail(v, COMMAND_FAILED,
                          "there is a film " STR_FMT " already: say --id ANOTHER, or `naru video remove "
                                                     "" STR_FMT "` first", STR_ARG(a->id), STR_ARG(a->id));
    a->work = video_path(v, ORIGIN_WORK "/" STR_FMT, STR_ARG(a->id));
    a->part = below(a, a->work, "part");
    a->made = below(a, a->work, "film");
    return true;
}

static bool lock_take(adding *a)
{
    char *path = below(a, a->work, "lock");
    // The encoder's user must come through to its own part.
    if (!trouble(a, directory_make(a->v->world, a->v->films, 0755), "make", a->v->films) ||
        !trouble(a, directory_make(a->v->world, a->work, 0711), "make", a->work) ||
        !trouble(a, file_open(a->v->world, path, FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &a->lock), "open", path))
        return false;
    err e = file_lock(a->lock);
    if (e == E_IN_USE)
        return video_fail(a->v, COMMAND_FAILED, "another naru video is making " STR_FMT " already", STR_ARG(a->id));
    return trouble(a, e, "lock", path);
}

// The same job goes on; another one begins anew.
static bool job_take(adding *a, str what)
{
    str before = {0};
    arena *m = &a->v->memory;
    buf now = buf_make(JOB_BYTES_MAX);
    char *path = below(a, a->work, "job");
    const origin_encoding *e = &a->v->encoding;
    buf_format(&now, "naru video job 1\n" STR_FMT "segment %lld\nrate %s\nladder", STR_ARG(what),
               (long long)e->segment_ns, e->constant ? "cbr" : "vbr");
    for (int i = 0; i < e->ladder_count; i++)
        buf_format(&now, " %lld", (long long)e->ladder_bps[i]);
    buf_put(&now, S("\n"));
    bool same = file_read_all(a->v->world, path, m, JOB_BYTES_MAX, &before) == E_OK &&
        str_eq(before, buf_str(&now)), good = true;
    if (!same) {
        str *names;
        int count = 0;
        if (dir_list(a->v->world, a->work, m, &names, &count) != E_OK)
            count = 0;
        for (int i = 0; i < count; i++)
            if (!str_eq(names[i], S("lock")) && path_remove(a->v->world, below(a, a->work, str_to_z(m, names[i]))) != E_OK)
                directory_remove(a->v->world, str_format(m, "%s/" STR_FMT, a->work, STR_ARG(names[i])));
        good = trouble(a, file_replace(a->v->world, path, buf_str(&now), 0600), "write", path);
    }
    buf_free(&now);
    return good && trouble(a, directory_make(a->v->world, a->made, 0755), "make", a->made);
}

static void report(adding *a)
{
    video_run *v = a->v;
    const media_presentation *p = &a->film.presentation;
    if (v->json) {
        catalogue_put(&v->out, &a->film);
        buf_put(&v->out, S("\n"));
        return;
    }
    buf_format(&v->out, STR_FMT ": \"" STR_FMT "\", %llu.%llu s, " STR_FMT "%s\n", STR_ARG(a->id),
               STR_ARG(p->title), (unsigned long long)p->duration_ms / 1000,
               (unsigned long long)p->duration_ms % 1000 / 100, STR_ARG(size_text(&v->memory, film_bytes(&a->film))),
               a->kept ? " (went on from what an earlier run had finished)" : "");
    video_tell_equal(v, &a->film);
}

static bool probe(adding *a)
{
    a->doing = "looking";
    return video_encoder_probe(&a->encoder, &a->source);
}

static void finish(adding *a)
{
    draw_end(a);
    if (a->v->code == COMMAND_OK)
        report(a);
    if (a->lock)
        file_close(a->lock);
}

void video_add(video_run *v)
{
    adding *a = arena_new(&v->memory, adding);
    file_stat st;
    char *path = str_to_z(&v->memory, v->words[1]);
    err e = path_stat(v->world, path, &st);
    *a = (adding){.v = v, .encoder = {.run = v, .source = path, .progress = draw, .arg = a}};
    str name = str_from(v->words[1], str_rfind(v->words[1], '/') + 1);
    if (e || st.is_dir) {
        video_fail(v, COMMAND_USAGE, "%s: %s", path, e ? err_text(e) : "it is a directory");
        return;
    }
    bool good = video_encoder_find(v, &a->encoder.program) && names_take(a, name) && probe(a);
    a->film.source_bytes = st.size_bytes;
    str what = str_format(&v->memory, "source %lld %lld " STR_FMT "\n", (long long)st.size_bytes,
                          (long long)st.modified_ns, STR_ARG(v->words[1]));
    good = good && lock_take(a) && job_take(a, what);
    a->encoder.directory = a->part;
    if (good)
        plan(a);
    good = good && space_there(a) && encode(a) && publish(a);
    finish(a);
}

// ---- a film that is made ----------------------------------------------------------------------------------------------

static bool size_read(str text, uint32_t *width, uint32_t *height)
{
    uint64_t w, h;
    str first = str_cut(&text, 'x');
    bool good = str_to_u64(first, &w) && str_to_u64(text, &h) && w >= 64 && w <= 1920 && h >= 64 && h <= 1080 &&
        w % 4 == 0 && h % 4 == 0;
    *width = good ? (uint32_t)w : 0;
    *height = good ? (uint32_t)h : 0;
    return good;
}

static bool master_make(adding *a, char *master)
{
    char words[VIDEO_WORDS_MAX][VIDEO_WORD_BYTES_MAX];
    int n = timing_words(a, words);
    if (is_recorded(a, "master"))
        return true;
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--width=%u", a->source.width);
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--height=%u", a->source.height);
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--rate=%d", SAMPLE_BPS);
    snprintf(words[n++], VIDEO_WORD_BYTES_MAX, "--duration-ms=%lld", (long long)a->source.duration_ms);
    a->cost_all = a->cost_all ? a->cost_all : 1;
    int64_t bytes = SAMPLE_BPS / 4 * (a->source.duration_ms / 1000 + 1) + SLACK_BYTES;
    return step_run(a, "sample", "master", words, n, bytes, 0) && take_over(a, below(a, a->part, "master.part"),
            master) && record(a, "master");
}

void video_sample(video_run *v)
{
    adding *a = arena_new(&v->memory, adding);
    file_stat st;
    *a = (adding){.v = v, .encoder = {.run = v, .progress = draw, .arg = a},
                  .source = {.duration_ms = v->seconds * 1000, .width = SAMPLE_WIDTH, .height = SAMPLE_HEIGHT,
                             .frames_number = SAMPLE_FRAMES,
                             .frames_in = 1, .sound = true}};
    if (v->seconds < 1 || v->seconds > SAMPLE_SECONDS_MAX ||
        (v->size.len && !size_read(v->size, &a->source.width, &a->source.height))) {
        video_fail(v, COMMAND_USAGE,
                   "--seconds takes 1 to %d, --size a width and height in steps of 4, 64x64 to 1920x1080",
                       SAMPLE_SECONDS_MAX);
        return;
    }
    v->id = v->id.len ? v->id : S(VIDEO_SAMPLE_ID);
    v->title = v->title.len ? v->title : S("Test film");
    if (film_id_valid(v->id) && path_stat(v->world,
                                          str_to_z(&v->memory, str_format(&v->memory, "%s/" STR_FMT, v->films,
                                                  STR_ARG(v->id))), &st) == E_OK) {
        if (!v->json)
            buf_format(&v->out, STR_FMT ": is there already\n", STR_ARG(v->id));
        return;
    }
    str what = str_format(&v->memory, "sample %lld %ux%u\n", (long long)v->seconds, a->source.width, a->source.height);
    bool good = video_encoder_find(v, &a->encoder.program) && names_take(a, S("libavfilter")) &&
        lock_take(a) && job_take(a, what);
    char *master = good ? below(a, a->work, "master.mkv") : NULL;
    a->encoder.directory = a->part;
    if (good)
        plan(a);
    good = good && space_there(a) && master_make(a, master);
    a->encoder.source = master;
    good = good && encode(a) && publish(a);
    finish(a);
}
