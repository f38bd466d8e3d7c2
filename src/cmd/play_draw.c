// What naru play shows, in characters.
#include "cmd/play_video.h"

#include <string.h>

#include "base/quantity.h"
#include "base/utf8.h"
#include "rt/json_text.h"

enum { BAR_MIN = 20, BAR_MAX = 60, LABEL_COLUMNS = 16, EIGHTHS = 8, TEXT_MEMORY = 64 * 1024, NAME_BYTES_MAX = 240 };

static const char *const blocks[EIGHTHS + 1] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

void play_history_add(play_history *h, const player_view *v)
{
    h->buffer_ms[h->next] = v->buffer_ms;
    h->throughput_bps[h->next] = v->decision.throughput_bps;
    h->rung[h->next] = (int8_t)v->rung;
    h->next = (h->next + 1) % PLAY_SAMPLES;
    h->count += h->count < PLAY_SAMPLES;
}

// ---- words -----------------------------------------------------------------------------------------------------------------------

static const char *const when_korean[] = {
    "버퍼에 자리가 있음", "버퍼가 참: 조각 하나가 들어갈 때까지 기다림", "이 화질에는 버퍼가 충분함", "받는 중", "너무 느림: 작은 것을 새로 받는 편이 빠름",
    "서버가 아무것도 보내지 않음", "모든 서버가 방금 실패함: 기다림", "영화를 다 받음",
};
static const char *const what_korean[] = {
    "아직 아는 것이 없음: 낮게 시작", "이것뿐임", "가장 좋은 것", "계획 가운데 가장 나은 것", "더 나은 것으로 올림", "낮춤", "더 크면 버퍼가 빔", "처리량이 허락함",
    "버퍼 수위가 정함",
};
static const char *const where_korean[] = {
    "순위의 첫째", "이것뿐임", "앞의 서버가 실패함", "앞의 서버보다 훨씬 빠름", "실패했던 앞 순위 서버를 다시 시도", "받던 곳 그대로",
};

static str when_text(rate_when w, bool korean) { return korean ? str_z(when_korean[w]) : rate_when_text(w); }
static str what_text(rate_what w, bool korean) { return korean ? str_z(what_korean[w]) : rate_what_text(w); }
static str where_text(rate_where w, bool korean) { return korean ? str_z(where_korean[w]) : rate_where_text(w); }

const char *play_state_text(const player_view *v, bool korean)
{
    static const char *const english[] = {"starting", "playing", "stalled", "paused", "ended"};
    static const char *const korean_words[] = {"시작하는 중", "재생", "끊김", "일시 정지", "끝"};
    playout_state s = v->paused && v->state == PLAYOUT_PLAYING ? PLAYOUT_PAUSED : v->state;
    return korean ? korean_words[s] : english[s];
}

static void rate_put(buf *out, uint64_t bps)
{
    if (bps >= 1000000)
        buf_format(out, "%llu.%llu Mbit/s", (unsigned long long)(bps / 1000000), (unsigned long long)(bps / 100000 % 10));
    else
        buf_format(out, "%llu kbit/s", (unsigned long long)(bps / 1000));
}

static void seconds_put(buf *out, int64_t ms) { buf_format(out, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100)); }

static void clock_put(buf *out, int64_t ms)
{
    long long s = ms / 1000;
    if (s >= 3600)
        buf_format(out, "%lld:", s / 3600);
    buf_format(out, "%02lld:%02lld", s / 60 % 60, s % 60);
}

static void label_put(buf *out, const char *text)
{
    buf_put(out, S("  "));
    buf_put(out, str_z(text));
    for (int n = utf8_width(str_z(text)); n < LABEL_COLUMNS; n++)
        buf_put_byte(out, ' ');
}

// What strangers named, made safe for a terminal.
static void name_put(buf *out, str name)
{
    for (str rest = utf8_first(name, NAME_BYTES_MAX); rest.len > 0;) {
        uint32_t code;
        int n = utf8_decode(rest, &code);
        buf_put(out, n == 0 || utf8_is_control(code) ? S("?") : str_first(rest, n));
        rest = str_from(rest, n ? n : 1);
    }
}

// ---- the live view -----------------------------------------------------------------------------------------------------------------

static void bar_put(buf *out, int64_t value, int64_t top, int width)
{
    int64_t filled = top > 0 ? value * width / top : 0;
    for (int i = 0; i < width; i++)
        buf_put(out, i < filled ? S("█") : S("░"));
}

// The film as a line: played, held, still to come.
static void film_put(buf *out, const player_view *v, int width)
{
    int64_t top = v->duration_ms > 0 ? v->duration_ms : 1, head = v->position_ms * width / top;
    int64_t edge = v->speed_permille < 0 ? head : (v->position_ms + v->buffer_ms) * width / top;
    for (int i = 0; i < width; i++)
        buf_put(out, i < head ? S("━") : i == head ? S("●") : i <= edge ? S("═") : S("─"));
}

static void samples_put(buf *out, const play_history *h, bool throughput)
{
    uint64_t top = 1;
    for (int i = 0; i < h->count; i++) {
        uint64_t x = throughput ? h->throughput_bps[i] : (uint64_t)h->buffer_ms[i];
        top = x > top ? x : top;
    }
    for (int i = 0; i < h->count; i++) {
        int at = (h->next - h->count + i + PLAY_SAMPLES) % PLAY_SAMPLES;
        uint64_t x = throughput ? h->throughput_bps[at] : (uint64_t)h->buffer_ms[at];
        buf_put(out, str_z(blocks[(x * EIGHTHS + top - 1) / top]));
    }
}

static void line_end(buf *out) { buf_put(out, S("\033[K\n")); }

static void ladder_put(buf *out, const player_view *v)
{
    for (int i = 0; i < v->rungs; i++) {
        buf_put(out, i == v->rung ? S("[") : S(" "));
        name_put(out, v->ids[i]);
        buf_put(out, i == v->rung ? S("]") : S(" "));
    }
}

static void servers_put(buf *out, const player_view *v)
{
    for (int rank = 0; rank < v->server_count; rank++)
        for (int i = 0; i < v->server_count; i++)
            if (v->servers[i].rank == rank) {
                buf_format(out, rank ? " > %s" : "%s", i == v->server ? "[" : "");
                name_put(out, v->servers[i].location);
                buf_put(out, i == v->server ? S("]") : S(""));
            }
}

static void first_lines(buf *out, const player_view *v, bool korean, int width)
{
    name_put(out, v->title.len ? v->title : S("naru play"));
    buf_format(out, "   %s", play_state_text(v, korean));
    if (v->speed_permille != PLAYOUT_SPEED_NORMAL)
        buf_format(out, " ×%d", v->speed_permille / 1000);
    line_end(out);
    buf_put(out, S("  "));
    film_put(out, v, width);
    buf_put(out, S("  "));
    clock_put(out, v->position_ms);
    buf_put(out, S(" / "));
    clock_put(out, v->duration_ms);
    line_end(out);
}

static void buffer_lines(buf *out, const player_view *v, const play_history *h, bool korean, int width)
{
    label_put(out, korean ? "버퍼" : "buffer");
    bar_put(out, v->buffer_ms, v->capacity_ms, width / 2);
    buf_put(out, S(" "));
    seconds_put(out, v->buffer_ms);
    line_end(out);
    label_put(out, "");
    samples_put(out, h, false);
    line_end(out);
    label_put(out, korean ? "처리량" : "throughput");
    rate_put(out, v->decision.throughput_bps);
    if (v->decision.throughput_low_bps) {
        buf_put(out, korean ? S("  (열에 아홉은 이보다 많음: ") : S("  (nine times of ten more than "));
        rate_put(out, v->decision.throughput_low_bps);
        buf_put(out, S(")"));
    }
    line_end(out);
    label_put(out, "");
    samples_put(out, h, true);
    line_end(out);
}

static void decision_lines(buf *out, const player_view *v, bool korean)
{
    const rate_decision *d = &v->decision;
    label_put(out, korean ? "언제" : "when");
    buf_put(out, when_text(d->when, korean));
    line_end(out);
    label_put(out, korean ? "무엇을" : "what");
    ladder_put(out, v);
    if (v->rung >= 0) {
        buf_put(out, S("  "));
        rate_put(out, v->bps[v->rung]);
        buf_put(out, S("  "));
        buf_put(out, what_text(d->what, korean));
    }
    line_end(out);
    label_put(out, korean ? "어디서" : "where");
    servers_put(out, v);
    buf_put(out, S("  "));
    buf_put(out, where_text(d->where, korean));
    line_end(out);
}

static void count_lines(buf *out, const player_view *v, bool korean)
{
    label_put(out, korean ? "재생 지연" : "playout delay");
    if (v->startup_ms >= 0)
        seconds_put(out, v->startup_ms);
    else
        buf_put(out, S("..."));
    buf_format(out, korean ? "   끊김 %d번 (" : "   stalls %d (", v->stalls);
    seconds_put(out, v->stalled_ms);
    buf_format(out, korean ? ")   화질 바뀜 %d   버린 받기 %d   실패 %d" : ")   switches %d   given up %d   failed %d", v->switches, v->abandoned, v->failed);
    line_end(out);
}

void play_draw(buf *out, const player_view *v, const play_history *h, int columns, bool keys, bool korean)
{
    int width = columns - LABEL_COLUMNS - 20;
    width = width < BAR_MIN ? BAR_MIN : width > BAR_MAX ? BAR_MAX : width;
    first_lines(out, v, korean, width);
    buffer_lines(out, v, h, korean, width);
    decision_lines(out, v, korean);
    count_lines(out, v, korean);
    if (keys) {
        buf_put(out, korean ? S("  [빈칸] 멈춤  [f] ×2 ×8 앞으로  [b] ×2 ×8 뒤로  [n] 보통  [← →] 10초  [0-9] 건너뛰기  [q] 끝")
                            : S("  [space] pause  [f] x2 x8 forward  [b] x2 x8 back  [n] normal  [left right] 10 s  [0-9] jump  [q] quit"));
        line_end(out);
    }
}

// ---- events ------------------------------------------------------------------------------------------------------------------------

static void server_put(buf *out, const player_view *v, int server)
{
    if (server >= 0 && server < v->server_count)
        name_put(out, v->servers[server].location);
}

static void rung_put(buf *out, const player_view *v, int rung)
{
    if (rung >= 0 && rung < v->rungs)
        name_put(out, v->ids[rung]);
}

static void switched_put(buf *out, const player_view *v, const player_event *e, bool korean)
{
    rung_put(out, v, e->rung_before);
    buf_put(out, S(" -> "));
    rung_put(out, v, e->rung);
    buf_put(out, S(": "));
    buf_put(out, what_text(e->decision.what, korean));
}

void play_event_line(buf *out, const player_view *v, const player_event *e, bool korean)
{
    size_t before = out->len;
    buf_format(out, "%4lld.%lld s  ", (long long)(e->at_ms / 1000), (long long)(e->at_ms % 1000 / 100));
    switch (e->type) {
    case PLAYER_LOADED: buf_format(out, korean ? "영화가 있음: 화질 %d가지, 서버 %d곳" : "the film is there: %d rungs, %d servers", v->rungs, v->server_count); break;
    case PLAYER_SWITCHED: switched_put(out, v, e, korean); break;
    case PLAYER_MOVED:
        buf_put(out, korean ? S("서버 ") : S("from "));
        server_put(out, v, e->server);
        buf_put(out, S(": "));
        buf_put(out, where_text(e->decision.where, korean));
        break;
    case PLAYER_ABANDONED: buf_format(out, korean ? "조각 %d 받기를 그만둠" : "segment %d is given up for a smaller one", e->segment + 1); break;
    case PLAYER_FAILED: name_put(out, e->reason); break;
    case PLAYER_STATE: buf_put(out, str_z(play_state_text(v, korean))); break;
    case PLAYER_STEERED: buf_put(out, korean ? S("순위: ") : S("steering: ")); name_put(out, e->reason); break;
    case PLAYER_HELD: case PLAYER_ENDED: out->len = before; return;
    }
    buf_put_byte(out, '\n');
}

// ---- the end -----------------------------------------------------------------------------------------------------------------------

static uint64_t mean_bps(const player_view *v)
{
    int64_t held_ms = 0;
    for (int i = 0; i < v->rungs; i++)
        held_ms += v->held_ms[i];
    return held_ms > 0 ? v->fetched_bits * 1000 / (uint64_t)held_ms : 0;
}

void play_summary(buf *out, const player_view *v, const char *rule, bool korean)
{
    arena a = arena_make(TEXT_MEMORY);
    int64_t quality = player_quality_milli(v);
    buf_put(out, korean ? S("재생 ") : S("played "));
    seconds_put(out, v->played_ms);
    buf_put(out, korean ? S(", 재생 지연 ") : S(", playout delay "));
    seconds_put(out, v->startup_ms < 0 ? 0 : v->startup_ms);
    buf_format(out, korean ? ", 끊김 %d번 (" : ", %d stalls (", v->stalls);
    seconds_put(out, v->stalled_ms);
    buf_put(out, korean ? S(")\n평균 ") : S(")\nmean "));
    rate_put(out, mean_bps(v));
    for (int i = 0; i < v->rungs; i++) {
        buf_put(out, i ? S(", ") : S(": "));
        name_put(out, v->ids[i]);
        buf_format(out, " %lld s", (long long)(v->held_ms[i] / 1000));
    }
    buf_format(out, korean ? "; 화질 바뀜 %d번 (%s)\n" : "; %d switches (%s)\n", v->switches, rule);
    str bytes = size_text(&a, (int64_t)v->bytes), wasted = size_text(&a, (int64_t)v->wasted_bytes);
    buf_format(out, korean ? STR_FMT " 받음 (" STR_FMT " 버림)" : STR_FMT " received (" STR_FMT " of it for nothing)", STR_ARG(bytes), STR_ARG(wasted));
    for (int i = 0; i < v->server_count; i++) {
        buf_put(out, i ? S(", ") : S(": "));
        name_put(out, v->servers[i].location);
        buf_format(out, korean ? " 조각 %llu" : " %llu segments", (unsigned long long)v->servers[i].downloads);
    }
    buf_format(out, korean ? "; 그만둔 받기 %d, 실패 %d\n" : "; %d given up, %d failed\n", v->abandoned, v->failed);
    buf_format(out, korean ? "품질 %s%lld.%03lld (평균 Mbit/s - 4.3 x 기다린 초 - 바뀐 Mbit/s, 조각마다)\n"
                           : "quality %s%lld.%03lld (mean Mbit/s - 4.3 x seconds of waiting - Mbit/s of switches, a segment)\n",
               quality < 0 ? "-" : "", (long long)(quality < 0 ? -quality : quality) / 1000, (long long)(quality < 0 ? -quality : quality) % 1000);
    arena_free(&a);
}

void play_summary_json(buf *out, const player_view *v, const char *rule)
{
    buf_put(out, S("{\"title\": "));
    json_put(out, v->title);
    buf_format(out, ", \"rule\": \"%s\", \"duration_ms\": %lld, \"played_ms\": %lld, \"position_ms\": %lld, \"startup_ms\": %lld,"
               " \"stalls\": %d, \"stalled_ms\": %lld, \"paused_ms\": %lld,\n \"mean_bps\": %llu, \"switches\": %d, \"switched_bps\": %llu, \"quality_milli\": %lld,"
               " \"throughput_bps\": %llu,\n \"bytes\": %llu, \"wasted_bytes\": %llu, \"segments\": %d, \"abandoned\": %d, \"failed\": %d, \"state\": \"%s\",\n \"rungs\": [",
               rule, (long long)v->duration_ms, (long long)v->played_ms, (long long)v->position_ms, (long long)v->startup_ms, v->stalls,
               (long long)v->stalled_ms, (long long)v->paused_ms, (unsigned long long)mean_bps(v), v->switches,
               (unsigned long long)v->switched_bps, (long long)player_quality_milli(v), (unsigned long long)v->decision.throughput_bps,
               (unsigned long long)v->bytes, (unsigned long long)v->wasted_bytes, v->segments, v->abandoned, v->failed, play_state_text(v, false));
    for (int i = 0; i < v->rungs; i++) {
        buf_put(out, i ? S(", {\"id\": ") : S("{\"id\": "));
        json_put(out, v->ids[i]);
        buf_format(out, ", \"bps\": %llu, \"held_ms\": %lld}", (unsigned long long)v->bps[i], (long long)v->held_ms[i]);
    }
    buf_put(out, S("],\n \"servers\": ["));
    for (int i = 0; i < v->server_count; i++) {
        buf_put(out, i ? S(", {\"location\": ") : S("{\"location\": "));
        json_put(out, v->servers[i].location);
        buf_format(out, ", \"rank\": %d, \"segments\": %llu, \"bytes\": %llu, \"failures\": %llu}", v->servers[i].rank + 1,
                   (unsigned long long)v->servers[i].downloads, (unsigned long long)v->servers[i].bytes, (unsigned long long)v->servers[i].failures);
    }
    buf_put(out, S("]}\n"));
}
