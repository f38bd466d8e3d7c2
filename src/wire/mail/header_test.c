#include "wire/mail/header.h"

#include "test.h"

TEST(header_ends_at_the_first_line_that_is_no_field)
{
    arena a = arena_make(1 << 16);
    header_block h;
    CHECK(header_read(S("from:ninanooo@naver.com\r\nto:test@sch.ac.kr\r\nsubject:Computer Network Test\r\n"
                        "Hello, nice to meet you!!!\r\nThis is a test mail.\r\n"), &a, &h));        // scene M2
    CHECK_INT(h.count, 3);
    CHECK(!h.has_blank);
    CHECK_STR(h.body, S("Hello, nice to meet you!!!\r\nThis is a test mail.\r\n"));
    CHECK_STR(header_find(&h, S("Subject"))->value, S("Computer Network Test"));

    CHECK(header_read(S("Subject: a\r\n b\r\n\tc\r\nX : y\r\n\r\nbody: x\r\n"), &a, &h));
    CHECK_INT(h.count, 2);
    CHECK(h.has_blank);
    CHECK_STR(h.body, S("body: x\r\n"));
    CHECK_STR(header_unfold(h.fields[0].value, &a), S("a b\tc"));
    CHECK_STR(h.fields[1].name, S("X"));
    CHECK_STR(h.raw, S("Subject: a\r\n b\r\n\tc\r\nX : y\r\n"));

    CHECK(header_read(S("A: 1\n\nbody"), &a, &h));
    CHECK_STR(h.body, S("body"));
    CHECK(header_read(S(""), &a, &h) && h.count == 0 && h.body.len == 0);
    CHECK(header_read(S("\r\nx"), &a, &h) && h.count == 0 && h.has_blank && h.body.len == 1);
    CHECK(header_read(S(" : no\r\n"), &a, &h) && h.count == 0);
    CHECK(header_read(S("Do you like ketchup?\r\n"), &a, &h) && h.count == 0 && !h.has_blank);
    arena_free(&a);
}

TEST(header_has_ceilings)
{
    arena a = arena_make(1 << 20);
    buf b = buf_make(1 << 20);
    header_block h;
    for (int i = 0; i < HEADER_FIELDS_MAX + 1; i++)
        buf_put(&b, S("Received: x\r\n"));
    CHECK(!header_read(buf_str(&b), &a, &h));
    CHECK_INT(h.count, HEADER_FIELDS_MAX);
    CHECK_INT(header_count(&h, S("received")), HEADER_FIELDS_MAX);
    buf_clear(&b);
    buf_put(&b, S("X: "));
    while (b.len < HEADER_BYTES_MAX)
        buf_put(&b, S("long line \r\n "));
    CHECK(!header_read(buf_str(&b), &a, &h));
    buf_free(&b);
    arena_free(&a);
}

TEST(header_text_decodes_encoded_words)
{
    static const struct { const char *in, *out; } rows[] = {
        {"plain", "plain"},
        {"=?UTF-8?B?7ZWc6riA?=", "한글"},
        {"=?utf-8?q?caf=C3=A9_au_lait?= tonight", "café au lait tonight"},
        {"=?UTF-8?B?7ZU=?= =?UTF-8?B?nOq4gA==?=", "한글"},               // a character cut in half
        {"a =?iso-8859-1?q?=E9?=\r\n =?utf-8?q?b?= c", "a éb c"},
        {"=?x-unknown?q?abc?=", "=?x-unknown?q?abc?="},
        {"=?utf-8?q?a?b", "=?utf-8?q?a?b"},
        {"=?utf-8?q?line=0D=0AX-Evil:_1?=", "line  X-Evil: 1"},
        {"bad \xff byte", "bad \xef\xbf\xbd byte"},
        {"=?utf-8*ko?b?7ZWc?=", "한"},
        {"=", "="},
        {"1 = 2", "1 = 2"},
    };
    arena a = arena_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        str got = header_text(str_z(rows[i].in), &a, NULL, NULL);
        CHECK_ROW(i, str_eq(got, str_z(rows[i].out)));
    }
    arena_free(&a);
}

static str convert_once(void *arg, str charset, str bytes, arena *msg)
{
    ++*(int *)arg;
    return str_eq(charset, S("euc-kr")) ? str_format(msg, "[%d bytes]", (int)bytes.len) : (str){0};
}

TEST(header_text_hands_other_charsets_to_the_converter_a_run_at_a_time)
{
    arena a = arena_make(1 << 16);
    int calls = 0;
    str got = header_text(S("=?euc-kr?B?vsiz?= =?euc-kr?q?=e7?= and =?koi8-r?q?=c1?="), &a, convert_once, &calls);
    CHECK_STR(got, S("[4 bytes] and =?koi8-r?q?=c1?="));             // a letter cut in half is put together first
    CHECK_INT(calls, 2);
    arena_free(&a);
}

static int lines_longer_than(str text, ptrdiff_t columns)
{
    int count = 0;
    while (text.len)
        count += str_chomp(str_cut(&text, '\n')).len > columns;
    return count;
}

TEST(header_writer_folds_and_cannot_be_injected)
{
    buf out = buf_make(1 << 16);
    arena a = arena_make(1 << 16);
    header_block h;
    CHECK(header_put(&out, S("X-A"), S("one\r\nX-Evil: two\0three")));
    CHECK_STR(buf_str(&out), S("X-A: one X-Evil: two three\r\n"));
    CHECK(!header_put(&out, S("X A"), S("x")));
    CHECK(!header_put(&out, S("X\r\nY"), S("x")));
    buf_clear(&out);

    char words[2000];
    memset(words, 'w', sizeof words);
    for (int i = 10; i < 900; i += 11)
        words[i] = ' ';
    CHECK(header_put(&out, S("Subject"), str_of(words, sizeof words)));
    CHECK_INT(lines_longer_than(buf_str(&out), HEADER_LINE_MAX), 0);
    CHECK(header_read(buf_str(&out), &a, &h) && h.count == 1);
    buf_clear(&out);

    str korean = S("안녕하세요, 컴퓨터 네트워크 수업의 시험 편지입니다. 잘 도착했는지 알려 주세요!");
    CHECK(header_put_text(&out, S("Subject"), korean));
    CHECK_INT(lines_longer_than(buf_str(&out), HEADER_COLUMNS), 0);
    CHECK(header_read(buf_str(&out), &a, &h) && h.count == 1);
    CHECK_STR(header_text(h.fields[0].value, &a, NULL, NULL), korean);
    buf_clear(&out);

    header_address who[] = {{.name = S("Kim, \"Bob\"\r\nBcc: x"), .address = {S("bob"), S("x.org")}},
                            {.name = S("김대희"), .address = {S("daeheekim"), S("sch.ac.kr")}},
                            {.address = {S("plain"), S("x.org")}}};
    header_address back[4];
    CHECK(header_put_addresses(&out, S("To"), who, 3));
    CHECK(header_read(buf_str(&out), &a, &h) && h.count == 1);
    CHECK_INT(address_list_read(header_unfold(h.fields[0].value, &a), &a, back, 4, NULL), 3);
    CHECK_STR(back[0].name, S("Kim, \"Bob\"  Bcc: x"));
    CHECK_STR(header_text(back[1].name, &a, NULL, NULL), S("김대희"));
    CHECK(address_eq(back[2].address, who[2].address));
    buf_free(&out);
    arena_free(&a);
}

TEST(received_line_is_one_field_whatever_the_peer_says)
{
    buf out = buf_make(1 << 16);
    arena a = arena_make(1 << 16);
    header_block h;
    addr peer;
    addr_parse_ip(S("127.0.0.11"), 0, &peer);
    received_line r = {.helo = S("crepes.fr"), .peer = peer, .by = S("hamburger.edu"), .with = S("SMTP"),
                       .id = S("8A3F"),
                       .recipient = {S("bob"), S("hamburger.edu")}, .time_s = 1795298007, .zone_minutes = 540};
    CHECK(received_put(&out, &r, &a));
    CHECK_STR(buf_str(&out), S("Received: from crepes.fr ([127.0.0.11])\r\n\tby hamburger.edu with SMTP id 8A3F\r\n"
                               "\tfor <bob@hamburger.edu>;\r\n\tSun, 22 Nov 2026 06:53:27 +0900\r\n"));
    buf_clear(&out);
    r.helo = S("a b\r\nX-Evil: (x");
    CHECK(received_put(&out, &r, &a));
    CHECK(header_read(buf_str(&out), &a, &h) && h.count == 1);
    CHECK(str_starts(h.fields[0].value, S(" from a?b??X-Evil:??x (")));
    CHECK_STR(message_id_make(&a, 1795298007, 0xabc, S("x.org")), S("<20261121215327.0000000000000abc@x.org>"));
    buf_free(&out);
    arena_free(&a);
}
