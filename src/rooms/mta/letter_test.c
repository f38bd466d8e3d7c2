#include "rooms/mta/letter.h"
#include "test.h"

static letter *sample(uint64_t id)
{
    letter *l = letter_new(id);
    l->trace = 7;
    l->arrived_s = 1700000000;
    l->from = S("alice@crepes.fr");
    l->body_8bit = true;
    l->size_bytes = 12;
    l->to_count = 2;
    l->to_waiting = 1;
    l->to = arena_array(&l->memory, recipient, 2);
    l->to[0] = (recipient){.address = S("bob@hamburger.edu"), .attempts = 3, .last_try_s = 1700000100, .reply = S("450 later")};
    l->to[1] = (recipient){.address = S("alice@crepes.fr"), .mailbox = S("Sent"), .state = RECIPIENT_DELIVERED};
    return l;
}

TEST(letter_id_survives_its_text)
{
    static const uint64_t rows[] = {1, 31, 32, UINT64_MAX, 0x123456789abcdef0u};
    char text[LETTER_ID_TEXT];
    uint64_t id;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        letter_id_text(rows[i], text);
        CHECK_ROW(i, letter_id_parse(str_z(text), &id) && id == rows[i]);
    }
    CHECK(!letter_id_parse(S("0000000000000"), &id));
    CHECK(!letter_id_parse(S("G000000000000"), &id));           // above 64 bits
    CHECK(!letter_id_parse(S("00000000000U1"), &id));           // U is no digit
    CHECK(!letter_id_parse(S("1"), &id));
}

TEST(letter_record_is_read_back_and_every_shorter_one_is_refused)
{
    letter *l = sample(99);
    buf b = buf_make(10000);
    CHECK(letter_record(l, &b));
    size_t envelope = b.len;
    buf_put(&b, S("hello\r\nyou\r\n"));
    for (size_t n = 0; n <= b.len; n++) {
        reader r = rd_of(str_first(buf_str(&b), (ptrdiff_t)n));
        record_kind kind;
        uint64_t id;
        letter *back = record_open(&r, &kind, &id) ? letter_read(&r, id) : NULL;
        CHECK_ROW(n, (back != NULL) == (n >= envelope));
        if (n == b.len && back) {
            CHECK(kind == RECORD_LETTER && id == 99 && back->trace == 7 && back->arrived_s == l->arrived_s && back->body_8bit);
            CHECK_STR(back->from, l->from);
            CHECK_INT(back->to_count, 2);
            CHECK_INT(back->to_waiting, 1);
            CHECK_STR(back->to[0].reply, S("450 later"));
            CHECK_STR(back->to[1].mailbox, S("Sent"));
            CHECK_STR(rd_rest(&r), S("hello\r\nyou\r\n"));
        }
        letter_free(back);
    }
    letter_free(l);
    buf_free(&b);
}

TEST(letter_outcome_carries_its_bounce_and_the_bounces_text)
{
    letter *l = sample(5), *bounce = sample(6);
    buf nested = buf_make(10000), b = buf_make(20000);
    letter_record(bounce, &nested);
    buf_put(&nested, S("the bounce\r\n"));
    outcome o = {.index = 0, .state = RECIPIENT_FAILED, .reply = S("550 5.1.1 nobody")};
    CHECK(outcome_record(5, &o, 1, 1700000200, buf_str(&nested), &b));
    reader r = rd_of(buf_str(&b));
    record_kind kind;
    uint64_t id;
    str inner, text;
    CHECK(record_open(&r, &kind, &id) && kind == RECORD_OUTCOME && id == 5);
    CHECK(outcome_apply(&r, l, &inner));
    CHECK_INT(l->to_waiting, 0);
    CHECK_INT(l->to[0].state, RECIPIENT_FAILED);
    CHECK_INT(l->to[0].attempts, 4);
    CHECK_STR(l->to[0].reply, S("550 5.1.1 nobody"));
    CHECK(record_text(buf_str(&b), 6, &text));
    CHECK_STR(text, S("the bounce\r\n"));
    CHECK(!record_text(buf_str(&b), 5, &text));
    letter_free(l);
    letter_free(bounce);
    buf_free(&nested);
    buf_free(&b);
}

TEST(letter_outcome_about_a_recipient_that_is_not_there_is_refused)
{
    letter *l = sample(5);
    buf b = buf_make(1000);
    outcome o = {.index = 2, .state = RECIPIENT_FAILED};
    CHECK(outcome_record(5, &o, 1, 0, (str){0}, &b));
    reader r = rd_of(buf_str(&b));
    record_kind kind;
    uint64_t id;
    str inner;
    CHECK(record_open(&r, &kind, &id) && !outcome_apply(&r, l, &inner));
    CHECK_INT(l->to_waiting, 1);
    letter_free(l);
    buf_free(&b);
}

typedef struct { int count; attempt last; } attempts_seen;

static void attempt_note(void *arg, const attempt *a)
{
    attempts_seen *s = arg;
    s->count++;
    s->last = *a;
}

TEST(letter_attempts_come_back_from_both_records)
{
    letter *l = sample(5);
    buf b = buf_make(20000), past = buf_make(20000);
    outcome o[2] = {{.index = 0, .state = RECIPIENT_WAITING, .reply = S("451 later"), .host = S("mx.crepes.fr")},
                    {.index = 1, .state = RECIPIENT_FAILED, .reply = S("550 never"), .host = S("mx.crepes.fr")}};
    attempts_seen seen = {0};
    CHECK(outcome_record(5, o, 2, 1700000200, S("\x01not looked at"), &b));
    CHECK(attempts_read(buf_str(&b), 5, attempt_note, &seen));
    CHECK_INT(seen.count, 2);
    CHECK_INT(seen.last.at_s, 1700000200);
    CHECK_INT(seen.last.was.index, 1);
    CHECK_STR(seen.last.was.reply, S("550 never"));
    CHECK_STR(seen.last.was.host, S("mx.crepes.fr"));
    CHECK(!attempts_read(buf_str(&b), 6, attempt_note, &seen));
    for (int i = 0; i < 3; i++)
        CHECK(past_record(5, &(attempt){1700000300 + i, o[0]}, &past));
    seen = (attempts_seen){0};
    CHECK(attempts_read(buf_str(&past), 5, attempt_note, &seen));
    CHECK_INT(seen.count, 3);
    CHECK_INT(seen.last.at_s, 1700000302);
    CHECK_STR(seen.last.was.reply, S("451 later"));
    for (ptrdiff_t n = 10; n < (ptrdiff_t)past.len; n++)
        attempts_read(str_first(buf_str(&past), n), 5, attempt_note, &seen);         // cut anywhere: never past the end
    for (ptrdiff_t n = 0; n < (ptrdiff_t)b.len; n++)
        attempts_read(str_first(buf_str(&b), n), 5, attempt_note, &seen);
    letter_free(l);
    buf_free(&b);
    buf_free(&past);
}

TEST(letter_outcome_of_an_older_naru_has_no_host)
{
    letter *l = sample(5);
    buf b = buf_make(1000);
    outcome o = {.index = 0, .state = RECIPIENT_WAITING, .reply = S("451 later")};
    attempts_seen seen = {0};
    str inner;
    record_kind kind;
    uint64_t id;
    CHECK(outcome_record(5, &o, 1, 7, (str){0}, &b));
    str older = str_first(buf_str(&b), (ptrdiff_t)b.len - 2);
    reader r = rd_of(older);
    CHECK(record_open(&r, &kind, &id) && outcome_apply(&r, l, &inner));
    CHECK(attempts_read(older, 5, attempt_note, &seen));
    CHECK_INT(seen.count, 1);
    CHECK_INT(seen.last.was.host.len, 0);
    letter_free(l);
    buf_free(&b);
}

TEST(letter_remembers_the_newest_attempts)
{
    letter *l = letter_new(5);
    for (uint32_t i = 0; i < LETTER_ATTEMPTS_MAX + 10; i++)
        letter_attempt(l, (journal_place){i, 0});
    CHECK_INT(l->attempt_count, LETTER_ATTEMPTS_MAX);
    CHECK_INT(l->attempts[0].segment, 10);
    letter_free(l);
}
