// decision-session segments|record|whole DIRECTORY: a film that `naru play`'s player plays in the simulator while its line falls to a tenth and
// returns, and one server dies: what it told the rate decision and what that said, a line each; what it read of the film lies in DIRECTORY.
// tests/web/session.mjs reads the same film with the page's own code, tells the same throughput, and compares.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "rooms/player/rehearsal.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "wire/media/boxes.h"

enum { WIDE_BYTES_PER_S = 800000, DELAY_MS = 20, FALL_S = 20, RETURN_S = 45, DEATH_S = 60 };

// ---- what passes (the linker puts these before the functions: meson.build) ------------------------------------------------------------

rate_decision __real_rate_decide(const rate_situation *s, rate_memory *m);
rate_decision __wrap_rate_decide(const rate_situation *s, rate_memory *m);
void __real_rate_learn(rate_memory *m, const rate_download *d);
void __wrap_rate_learn(rate_memory *m, const rate_download *d);
void __real_rate_memory_start(rate_memory *m, rate_rule rule);
void __wrap_rate_memory_start(rate_memory *m, rate_rule rule);
void __real_rate_memory_jump(rate_memory *m);
void __wrap_rate_memory_jump(rate_memory *m);

rate_decision __wrap_rate_decide(const rate_situation *s, rate_memory *m)
{
    const rate_running *r = &s->running;
    printf("situation %" PRId64 " %d %u %u %u %u %d %d\n", s->now_ms, (int)s->playout, s->buffer_ms, s->capacity_ms, s->segment_ms, s->segments_left, s->servers, s->ahead);
    printf("bps");
    for (int i = 0; i < s->rungs; i++)
        printf(" %" PRIu64, s->bps[i]);
    printf("\nbytes");
    for (int i = 0; i < s->ahead * s->rungs; i++)
        printf(" %" PRIu64, s->bytes[i]);
    printf("\n");
    if (r->is)
        printf("running %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u\n", r->rung, r->server, r->bytes, r->bytes_got, r->elapsed_us, r->first_byte_us, r->silent_ms);
    rate_decision d = __real_rate_decide(s, m);
    printf("decided %d %d %d %u %d %d %d %" PRIu64 " %" PRIu64 " %u %u %" PRId64 " %" PRId64 "\n", (int)d.act, d.rung, d.server, d.wait_ms, (int)d.when, (int)d.what,
           (int)d.where, d.throughput_bps, d.throughput_low_bps, d.download_ms, d.buffer_after_ms, d.worth_milli, d.next_worth_milli);
    return d;
}

void __wrap_rate_learn(rate_memory *m, const rate_download *d)
{
    printf("learn %" PRId64 " %d %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %d\n", d->now_ms, d->server, d->rung, d->bytes, d->first_byte_us, d->elapsed_us, (int)d->end);
    __real_rate_learn(m, d);
}

void __wrap_rate_memory_start(rate_memory *m, rate_rule rule)
{
    printf("start %d\n", (int)rule);
    __real_rate_memory_start(m, rule);
}

void __wrap_rate_memory_jump(rate_memory *m)
{
    printf("jump\n");
    __real_rate_memory_jump(m);
}

// ---- the session ------------------------------------------------------------------------------------------------------------------------

static void script(rehearsal *r)
{
    sim_link wide = {.delay_min_ns = millis(DELAY_MS), .delay_max_ns = millis(DELAY_MS), .bytes_per_s = WIDE_BYTES_PER_S}, narrow = wide;
    narrow.bytes_per_s /= 10;
    fiber_sleep(seconds(FALL_S));
    rehearsal_link(r, -1, narrow);
    fiber_sleep(seconds(RETURN_S - FALL_S));
    rehearsal_link(r, -1, wide);
    fiber_sleep(seconds(DEATH_S - RETURN_S));
    sim_crash(r->servers[0]);
}

static void file_put(const char *directory, const char *name, str text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "wb");
    must(f && fwrite(text.at, 1, (size_t)text.len, f) == (size_t)text.len && fclose(f) == 0);
}

static void film_put(const made_film *m, const char *directory)
{
    char name[64];
    file_put(directory, "manifest.mpd", m->mpd);
    if (m->record.len)
        file_put(directory, "presentation.json", m->record);
    for (int i = 0; i < m->film.rendition_count && m->on_demand; i++) {
        buf out = buf_make(1 << 20);
        must(sidx_write(&m->film.renditions[i], 1, &out));
        snprintf(name, sizeof name, "%.*s.sidx", (int)m->film.renditions[i].id.len, (const char *)m->film.renditions[i].id.at);
        file_put(directory, name, buf_str(&out));
        buf_free(&out);
    }
}

int main(int argc, char **argv)
{
    static rehearsal r;
    if (argc != 3)
        return 2;
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    rehearsal_plan plan = {
        .seed = 5, .servers = 2, .script = script, .options = {.rung_fixed = -1},
        .film = {.segments = 26, .segment_ms = 4000, .rungs = 4, .bps = {300000, 1000000, 3000000, 5000000}, .sound_bps = 128000, .varies_percent = 60,
                 .on_demand = strcmp(argv[1], "whole") == 0, .record = strcmp(argv[1], "record") == 0},
        .link = {.delay_min_ns = millis(DELAY_MS), .delay_max_ns = millis(DELAY_MS), .bytes_per_s = WIDE_BYTES_PER_S},
    };
    rehearsal_play(&plan, &r);
    film_put(&r.films[1], argv[2]);
    bool good = r.outcome == E_OK;
    rehearsal_end(&r);
    return good ? 0 : 1;
}
