// naru video inspect: reading what is drawn, and the JSON.
#include "cmd/video_inspect.h"

#include <stdio.h>

enum { TABLE_BYTES_MAX = 32 << 20, GRAY_BYTES_MAX = 8192, GRAY_BYTES = INSPECT_GRAY_WIDTH * INSPECT_GRAY_HEIGHT };

static const media_rendition *best_of(const film *f, int *index)
{
    *index = -1;
    for (int i = 0; i < f->presentation.rendition_count; i++)
        if (f->presentation.renditions[i].kind == MEDIA_VIDEO)
            *index = i;
    return *index < 0 ? NULL : &f->presentation.renditions[*index];
}

static bool frame_read(str line, inspect_frame *out)
{
    uint64_t bytes;
    bool good = line.len > 2 && (line.at[0] == 'I' || line.at[0] == 'P' || line.at[0] == 'B') &&
        line.at[1] == ' ' && str_to_u64(str_from(line, 2), &bytes) &&
                bytes <= UINT32_MAX;
    *out = good ? (inspect_frame){line.at[0], (uint32_t)bytes} : (inspect_frame){0};
    return good;
}

static int frames_of(const film *f, const media_rendition *r)
{
    const film_frames *k = f->frames[r - f->presentation.renditions];
    int64_t all = 0;
    for (int i = 0; i < FILM_FRAME_KINDS; i++)
        all += k[i].count;
    return all > 0 && all < INT32_MAX ? (int)all : 0;
}

// Decoding order is near enough to showing order for whole seconds.
static void seconds_fill(inspect_table *out, const media_rendition *r)
{
    for (int i = 0; i < out->count; i++) {
        int64_t second = (int64_t)i * r->frames_in / r->frames_number;
        out->bits[second < out->seconds ? second : out->seconds - 1] += out->frames[i].bytes * 8ull;
    }
}

bool inspect_frames_read(world *w, const char *films, const film *f, const media_rendition *r, arena *a, inspect_table *out)
{
    str text;
    char *path = str_to_z(a, str_format(a, "%s/" STR_FMT "/" STR_FMT "/frames.txt", films, STR_ARG(f->id), STR_ARG(r->id)));
    int count = frames_of(f, r);
    *out = (inspect_table){0};
    if (!count || !r->frames_in || !r->frames_number || file_read_all(w, path, a, TABLE_BYTES_MAX, &text) != E_OK)
        return false;
    out->seconds = (int)(((int64_t)count * r->frames_in + r->frames_number - 1) / r->frames_number);
    out->frames = arena_array(a, inspect_frame, count);
    out->bits = arena_array(a, uint64_t, out->seconds);
    if (!out->frames || !out->bits || out->seconds > INSPECT_SECONDS_MAX)
        return false;
    while (text.len && out->count < count)
        if (!frame_read(str_cut(&text, '\n'), &out->frames[out->count++]))
            return false;
    for (out->group = 1; out->group < out->count && out->frames[out->group].type != 'I'; out->group++)
        ;
    seconds_fill(out, r);
    return text.len == 0 && out->count == count;
}

bool inspect_gray_read(world *w, const char *films, const film *f, const char *name, inspect_gray *out)
{
    static const char head[] = "P5\n64 36\n255\n";
    str text;
    arena a = arena_make(2 * GRAY_BYTES_MAX);
    bool good = file_read_all(w, str_to_z(&a, str_format(&a, "%s/" STR_FMT "/%s", films, STR_ARG(f->id), name)),
                              &a, GRAY_BYTES_MAX, &text) == E_OK &&
                str_starts(text, str_z(head)) && text.len == (ptrdiff_t)sizeof head - 1 + GRAY_BYTES;
    *out = (inspect_gray){0};
    for (int i = 0; good && i < GRAY_BYTES; i++) {
        int y = i / INSPECT_GRAY_WIDTH, x = i % INSPECT_GRAY_WIDTH;
        out->level[y][x] = text.at[(ptrdiff_t)sizeof head - 1 + i] / (256 / INSPECT_LEVELS);
        out->runs += x == 0 || out->level[y][x] != out->level[y][x - 1];
    }
    arena_free(&a);
    return good;
}

// ---- JSON -------------------------------------------------------------------------------------------------------------

static void json_rendition(video_run *v, const film *f, int i)
{
    static const char *const names[FILM_FRAME_KINDS] = {"I", "P", "B"};
    const media_rendition *r = &f->presentation.renditions[i];
    inspect_table t;
    buf_format(&v->out, "{\"id\": \"" STR_FMT "\", \"average_bps\": %llu, \"peak_bps\": %llu", STR_ARG(r->id),
               (unsigned long long)r->average_bps,
               (unsigned long long)r->peak_bps);
    for (int k = 0; k < FILM_FRAME_KINDS; k++)
        buf_format(&v->out, ", \"%s\": {\"count\": %lld, \"bytes\": %lld}", names[k],
                   (long long)f->frames[i][k].count, (long long)f->frames[i][k].bytes);
    buf_put(&v->out, S(", \"bits_of_seconds\": ["));
    if (inspect_frames_read(v->world, v->films, f, r, &v->memory, &t))
        for (int s = 0; s < t.seconds; s++)
            buf_format(&v->out, "%s%llu", s ? ", " : "", (unsigned long long)t.bits[s]);
    buf_put(&v->out, S("]}"));
}

static void json_film(video_run *v, const film *f)
{
    inspect_gray flat, busy;
    buf_format(&v->out, "{\"id\": \"" STR_FMT "\", \"rate\": \"%s\", \"renditions\": [", STR_ARG(f->id),
               f->constant ? "cbr" : "vbr");
    const char *comma = "";
    for (int i = 0; i < f->presentation.rendition_count; i++)
        if (f->presentation.renditions[i].kind == MEDIA_VIDEO) {
            buf_put(&v->out, str_z(comma));
            json_rendition(v, f, i);
            comma = ",\n  ";
        }
    buf_put(&v->out, S("]"));
    if (inspect_gray_read(v->world, v->films, f, "flat.pgm", &flat) && inspect_gray_read(v->world, v->films, f,
            "busy.pgm", &busy))
        buf_format(&v->out, ", \"run_length\": {\"values\": %d, \"flat_runs\": %d, \"busy_runs\": %d}", GRAY_BYTES,
                   flat.runs, busy.runs);
    buf_put(&v->out, S("}"));
}

// ---- the pictures -----------------------------------------------------------------------------------------------------

static bool ko(const video_run *v) { return str_eq(v->language, S("ko")); }

static void draw_one(video_run *v, const film *f)
{
    int i, columns = terminal_columns();
    const media_rendition *r = best_of(f, &i);
    inspect_table t;
    inspect_gray flat, busy;
    buf_format(&v->out, STR_FMT ": " STR_FMT "\n\n", STR_ARG(f->id), STR_ARG(f->presentation.title));
    if (r && inspect_frames_read(v->world, v->films, f, r, &v->memory, &t)) {
        buf_format(&v->out, ko(v) ? "프레임의 크기, " STR_FMT " (%ux%u):\n" : "Sizes of frames, " STR_FMT " (%ux%u):\n",
                   STR_ARG(r->id), r->width, r->height);
        inspect_frames_draw(&v->out, &t, f->frames[i], columns, ko(v));
    }
    if (inspect_gray_read(v->world, v->films, f, "flat.pgm", &flat) && inspect_gray_read(v->world, v->films, f,
            "busy.pgm", &busy))
        inspect_gray_draw(&v->out, &flat, &busy, ko(v));
}

static void draw_rates(video_run *v, const film *films, int count)
{
    uint64_t top = 0;
    inspect_table t[2] = {{0}};
    const media_rendition *r[2] = {NULL};
    for (int n = 0; n < count; n++) {
        int i;
        r[n] = best_of(&films[n], &i);
        bool there = r[n] && inspect_frames_read(v->world, v->films, &films[n], r[n], &v->memory, &t[n]);
        uint64_t most = there ? inspect_rate_most(&t[n]) : 0;
        top = most > top ? most : top;
    }
    for (int n = 0; n < count; n++) {
        if (!t[n].count)
            continue;
        buf_format(&v->out, ko(v) ? "\n" STR_FMT ", " STR_FMT ": %s, 평균 %llu kbit/s, 한 세그먼트의 최대 %llu kbit/s\n"
                                  : "\n" STR_FMT ", " STR_FMT ": %s bit rate, average %llu kbit/s, at most %llu "
                                                              "kbit/s over a segment\n",
                   STR_ARG(films[n].id), STR_ARG(r[n]->id), ko(v) ? (films[n].constant ? "CBR(고정 비트율)"
                                                                     : "VBR(가변 비트율)") : films[n].constant
                                                                             ? "constant" : "variable",
                   (unsigned long long)r[n]->average_bps / 1000, (unsigned long long)r[n]->peak_bps / 1000);
        inspect_rate_draw(&v->out, &t[n], top, r[n]->average_bps, terminal_columns());
    }
    if (count == 1 && r[0])
        buf_put(&v->out, ko(v) ? S("  줄(─)은 같은 평균의 CBR이 언제나 보낼 양\n")
                : S("  the line (─): what constant bit rate of the same average would always send\n"));
}

void video_inspect(video_run *v)
{
    film films[2];
    int count = v->word_count - 1;
    for (int i = 0; i < count; i++)
        if (!video_film(v, v->words[i + 1], &films[i]))
            return;
    if (v->json) {
        buf_put(&v->out, S("["));
        for (int i = 0; i < count; i++) {
            buf_put(&v->out, i ? S(",\n ") : S(""));
            json_film(v, &films[i]);
        }
        buf_put(&v->out, S("]\n"));
        return;
    }
    if (count == 1)
        draw_one(v, &films[0]);
    draw_rates(v, films, count);
}
