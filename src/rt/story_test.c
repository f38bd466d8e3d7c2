#include "rt/story.h"

#include <pthread.h>
#include <time.h>

#include "base/heap_memory.h"
#include "rt/conn_play_test.h"
#include "test.h"

static bool line_is(const story_event *e, str want) { return str_eq(str_of(e->line, e->len), want); }

static void a_trace_is_told(world *w)
{
    story_forget();
    addr me = addr_v4(0x7f000001, 25), you = addr_v4(0x7f000002, 40000);
    uint64_t trace = story_trace_new();
    CHECK(trace != 0);
    fiber_set_trace(trace);
    story_tell("smtp", STORY_IN, me, you, S("HELO crepes.fr\r\n"));
    fiber_set_trace(trace + 1);
    story_tell("dns", STORY_OUT, me, you, S("query 1 a A"));
    fiber_set_trace(trace);
    story_note("disk", S("synced"));

    story_event events[8];
    CHECK_INT(story_read(0, events, 8), 3);
    CHECK_INT(story_read(trace + 7, events, 8), 0);
    CHECK_INT(story_read(trace, events, 8), 2);
    CHECK(line_is(&events[0], S("HELO crepes.fr")) && line_is(&events[1], S("synced")));
    CHECK(events[0].direction == STORY_IN && events[1].direction == STORY_NOTE && events[0].number < events[1].number);
    CHECK(addr_eq(events[0].local, me) && addr_eq(events[0].peer, you) && events[1].peer.family == 0);
    CHECK_STR(str_z(events[0].here), world_name(w));
    CHECK_STR(str_z(events[1].protocol), S("disk"));
    CHECK(events[0].mono_ns <= events[1].mono_ns && events[0].trace == trace);
    CHECK_INT(story_read(trace, events, 1), 1);
    CHECK(line_is(&events[0], S("synced")));                         // the newest when there is no room for all
    CHECK(story_last_trace("dns") == trace + 1 && story_last_trace("smtp") == trace && story_last_trace("pop3") == 0);
    story_forget();
    CHECK_INT(story_read(0, events, 8), 0);
    fiber_set_trace(0);
}

TEST(story_keeps_a_trace) { play_both(a_trace_is_told); }

TEST(story_lines_are_made_harmless)
{
    static const struct { str line; const char *want; } rows[] = {
        {S("a\tb\x1b[0m\n"), "a?b?[0m"},
        {S("caf\xc3\xa9 \xed\x95\x9c"), "caf\xc3\xa9 \xed\x95\x9c"},
        {S("\xff\xfe"), "??"},
        {S("a\xe2\x80\xae" "b"), "a?b"},
        {S(""), ""},
    };
    story_forget();
    story_event e;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        story_tell("smtp", STORY_IN, (addr){0}, (addr){0}, rows[i].line);
        CHECK_ROW(i, story_read(0, &e, 1) == 1 && line_is(&e, str_z(rows[i].want)));
    }
    for (int at = 0; at < 10; at++)
        for (int c = 0; c < 0x80; c++) {
            char text[] = "abcdefghij";
            text[at] = (char)c;
            story_note("smtp", str_of(text, 10));
            bool same = story_read(0, &e, 1) == 1 && line_is(&e, str_of(text, 10));
            CHECK_ROW(c, same == (c >= ' ' && c < 0x7f));
        }
    char many[STORY_LINE_BYTES_MAX * 2];
    memset(many, 'x', sizeof many);
    memcpy(many + STORY_LINE_BYTES_MAX - 1, "\xed\x95\x9c", 3);      // a character over the limit
    story_note("smtp", str_of(many, sizeof many));
    CHECK(story_read(0, &e, 1) == 1 && e.len == STORY_LINE_BYTES_MAX - 1);
    story_tell("a-long-protocol", STORY_IN, (addr){0}, (addr){0}, S("x"));
    CHECK(story_read(0, &e, 1) == 1 && str_eq(str_z(e.protocol), S("a-long-")));
}

TEST(story_ring_forgets_the_oldest)
{
    story_forget();
    char line[32];
    for (int i = 0; i < STORY_RING_EVENTS + 100; i++)
        story_note("test", str_of(line, (size_t)snprintf(line, sizeof line, "event %d", i)));
    story_event *events = memory_new((STORY_RING_EVENTS + 10) * sizeof *events);
    CHECK_INT(story_read(0, events, STORY_RING_EVENTS + 10), STORY_RING_EVENTS);
    CHECK(line_is(&events[0], S("event 100")));
    for (int i = 1; i < STORY_RING_EVENTS; i++)
        if (events[i].number != events[i - 1].number + 1)
            CHECK_ROW(i, false);
    memory_free(events);
}

static void *tell_many(void *arg)
{
    for (int i = 0; i < 20000; i++)
        story_note("test", str_z(arg));
    return NULL;
}

TEST(story_events_of_threads_stay_whole)
{
    story_forget();
    static char lines[3][16] = {"aaaaaaaaaaaa", "bbbbbb", "c"};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, tell_many, lines[i]), 0);
    story_event *events = memory_new(STORY_RING_EVENTS * sizeof *events);
    for (int round = 0; round < 20; round++) {
        int n = story_read(0, events, STORY_RING_EVENTS);
        for (int i = 0; i < n; i++)
            if (!line_is(&events[i], str_z(lines[0])) && !line_is(&events[i], str_z(lines[1])) && !line_is(&events[i], str_z(lines[2])))
                CHECK_ROW(i, false);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK(story_read(0, events, STORY_RING_EVENTS) > STORY_RING_EVENTS * 9 / 10);
    memory_free(events);
    story_forget();
}

TEST(story_json_reads_back)
{
    story_forget();
    story_tell("smtp", STORY_IN, addr_v4(0x7f000001, 25), addr_v4(0x7f000002, 40000), S("MAIL FROM: <\"a\\b\"@crepes.fr>"));
    story_tell("smtp", STORY_OUT, addr_v4(0x7f000001, 25), addr_v4(0x7f000002, 40000), S("250 2.1.0 \xed\x95\x9c"));
    story_note("disk", S(""));
    story_event events[3];
    CHECK_INT(story_read(0, events, 3), 3);
    buf out = buf_make(1 << 16);
    arena a = arena_make(1 << 20);
    story_json(events, 3, &out);
    story_event *back;
    int count;
    CHECK(story_from_json(buf_str(&out), &a, &back, &count));
    CHECK_INT(count, 3);
    buf again = buf_make(1 << 16);
    story_json(back, count, &again);
    CHECK_STR(buf_str(&again), buf_str(&out));

    static const char *const bad[] = {
        "", "{}", "[1]", "[{}]", "[", "[{\"number\": 1, \"number\": 2}]",
        "[{\"number\": 1, \"wall_ns\": 1, \"mono_ns\": 1, \"trace\": \"xyz\", \"host\": \"a\", \"protocol\": \"b\", \"direction\": \"in\", \"line\": \"\"}]",
        "[{\"number\": 1, \"wall_ns\": 1, \"mono_ns\": 1, \"trace\": \"1\", \"host\": \"a\", \"protocol\": \"toolongaprotocol\", \"direction\": \"in\", \"line\": \"\"}]",
        "[{\"number\": 1, \"wall_ns\": 1, \"mono_ns\": 1, \"trace\": \"1\", \"host\": \"a\", \"protocol\": \"b\", \"direction\": \"up\", \"line\": \"\"}]",
        "[{\"number\": 1, \"wall_ns\": 1, \"mono_ns\": 1, \"trace\": \"1\", \"host\": \"a\", \"protocol\": \"b\", \"direction\": \"in\", \"local\": \"nowhere\", \"line\": \"\"}]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_ROW(i, !story_from_json(str_z(bad[i]), &a, &back, &count) && count == 0);
    buf_free(&out);
    buf_free(&again);
    arena_free(&a);
}

TEST(story_traces_as_text)
{
    char text[17];
    uint64_t trace;
    story_trace_text(text, 0xabc);
    CHECK_STR(str_z(text), S("0000000000000abc"));
    CHECK(story_trace_parse(str_z(text), &trace) && trace == 0xabc);
    CHECK(story_trace_parse(S("ABC"), &trace) && trace == 0xabc);
    CHECK(!story_trace_parse(S(""), &trace) && !story_trace_parse(S("0"), &trace) && !story_trace_parse(S("x"), &trace)
          && !story_trace_parse(S("00000000000000001"), &trace));
}
