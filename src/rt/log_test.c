#include "rt/log.h"

#include <pthread.h>

#include "base/buf.h"
#include "test.h"

static void keep_line(void *arg, str line)
{
    buf_put(arg, line);
    buf_put_byte(arg, '\n');
}

// The line of one log_write without its time, which is the machine's here.
static str line_without_time(log_form form, buf *out, const log_field *fields, int count)
{
    buf_clear(out);
    log_setup(form, LOG_INFO, keep_line, out);
    log_write("mta", LOG_INFO, "accepted", fields, count);
    log_setup(LOG_LOGFMT, LOG_INFO, NULL, NULL);
    str line = str_chomp(buf_str(out));
    ptrdiff_t at = str_find_str(line, form == LOG_JSON ? S("\"level\"") : S("level="));
    CHECK(at > 0);
    return str_from(line, at);
}

TEST(log_escapes_what_strangers_send)
{
    static const struct { str value; const char *logfmt, *json; } rows[] = {
        {S("alice@crepes.fr"), "x=alice@crepes.fr", "\"x\":\"alice@crepes.fr\""},
        {S(""), "x=\"\"", "\"x\":\"\""},
        {S("two words"), "x=\"two words\"", "\"x\":\"two words\""},
        {S("a=b"), "x=\"a=b\"", "\"x\":\"a=b\""},
        {S("say \"hi\""), "x=\"say \\\"hi\\\"\"", "\"x\":\"say \\\"hi\\\"\""},
        {S("back\\slash"), "x=\"back\\\\slash\"", "\"x\":\"back\\\\slash\""},
        {S("a\r\nlevel=error b"), "x=\"a\\r\\nlevel=error b\"", "\"x\":\"a\\r\\nlevel=error b\""},
        {S("\x1b[31m\x7f"), "x=\"\\x1b[31m\\x7f\"", "\"x\":\"\\u001b[31m\\u007f\""},
        {S("\xff\xc0\x80"), "x=\"\\xff\\xc0\\x80\"", "\"x\":\"\\ufffd\\ufffd\\ufffd\""},
        {S("\xed\x95\x9c\xea\xb8\x80"), "x=\"\xed\x95\x9c\xea\xb8\x80\"", "\"x\":\"\xed\x95\x9c\xea\xb8\x80\""},
        {S("a\xe2\x80\xae" "b"), "x=\"a\\u202eb\"", "\"x\":\"a\\u202eb\""},        // right-to-left override
        {S("\xc2\x85"), "x=\"\\x85\"", "\"x\":\"\\u0085\""},
    };
    buf out = buf_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(1 << 16);
        log_field f = F_STR("x", rows[i].value);
        str got = line_without_time(LOG_LOGFMT, &out, &f, 1);
        CHECK_STR(got, str_format(&a, "level=info service=mta event=accepted %s", rows[i].logfmt));
        got = line_without_time(LOG_JSON, &out, &f, 1);
        CHECK_STR(got, str_format(&a, "\"level\":\"info\",\"service\":\"mta\",\"event\":\"accepted\",%s}", rows[i].json));
        arena_free(&a);
    }
    buf_free(&out);
}

TEST(log_writes_every_type)
{
    buf out = buf_make(1 << 16);
    addr peer = addr_v4(0x7f000001, 25);
    log_field fields[] = {F_INT("n", INT64_MIN), F_INT("m", 7), F_ADDR("peer", &peer), F_ADDR("none", NULL), F_NS("ms", 1234567890),
                          F_NS("least", 1999), F_NS("negative", -5)};
    CHECK_STR(line_without_time(LOG_LOGFMT, &out, fields, 7),
              S("level=info service=mta event=accepted n=-9223372036854775808 m=7 peer=127.0.0.1:25 none=inside ms=1234.567 "
                "least=0.001 negative=0.000"));
    CHECK(str_find_str(line_without_time(LOG_JSON, &out, fields, 2), S("\"n\":-9223372036854775808,\"m\":7}")) > 0);
    buf_free(&out);
}

// Balanced quotes, and the mark at the end: a cut line is still one that a program can read.
static bool is_whole(str line, log_form form)
{
    int quotes = 0;
    for (ptrdiff_t i = 0; i < line.len; i++) {
        if (line.at[i] == '\\')
            i++;
        else
            quotes += line.at[i] == '"';
    }
    return quotes % 2 == 0 && str_ends(line, form == LOG_JSON ? S(",\"cut\":true}") : S(" cut=true"));
}

TEST(log_cuts_long_lines_and_says_so)
{
    static unsigned char bytes[LOG_LINE_BYTES_MAX * 2];
    static const unsigned char fills[] = {'a', ' ', '"', 0x01, 0xff, 0xed};
    buf out = buf_make(1 << 20);
    for (size_t fill = 0; fill < sizeof fills; fill++) {
        memset(bytes, fills[fill], sizeof bytes);
        for (size_t len = LOG_LINE_BYTES_MAX / 8; len < sizeof bytes; len += 37) {
            log_field fields[] = {F_STR("first", str_of(bytes, len)), F_INT("n", 1), F_STR("second", str_of(bytes, len))};
            for (int form = LOG_LOGFMT; form <= LOG_JSON; form++) {
                str line = line_without_time((log_form)form, &out, fields, 3);
                bool room = str_find_str(line, S("second")) > 0 && out.len < 8 * len;
                if (out.len > LOG_LINE_BYTES_MAX || (!room && !is_whole(line, (log_form)form)))
                    test_failed(__FILE__, __LINE__, "fill %d len %d form %d: %d bytes", (int)fill, (int)len, form, (int)out.len);
            }
        }
    }
    log_field many[400];
    for (int i = 0; i < 400; i++)
        many[i] = F_INT("a_long_name_of_a_number", i);
    CHECK(is_whole(line_without_time(LOG_LOGFMT, &out, many, 400), LOG_LOGFMT));
    CHECK(is_whole(line_without_time(LOG_JSON, &out, many, 400), LOG_JSON));
    buf_free(&out);
}

TEST(log_leaves_out_what_is_below_the_level)
{
    buf out = buf_make(1 << 16);
    log_setup(LOG_LOGFMT, LOG_WARNING, keep_line, &out);
    log_line("mta", LOG_NOTICE, "hidden", F_INT("n", 1));
    log_line("mta", LOG_WARNING, "shown", F_INT("n", 1));
    log_setup(LOG_LOGFMT, LOG_INFO, NULL, NULL);
    CHECK(str_find_str(buf_str(&out), S("hidden")) < 0 && str_find_str(buf_str(&out), S("event=shown n=1")) > 0);
    CHECK(str_starts(buf_str(&out), S("time=20")));
    buf_free(&out);
}

static void *write_lines(void *arg)
{
    for (int i = 0; i < 500; i++)
        log_line("test", LOG_INFO, "line", F_STR("who", str_z(arg)), F_INT("n", i));
    return NULL;
}

TEST(log_lines_of_threads_stay_whole)
{
    buf out = buf_make(1 << 20);
    log_setup(LOG_LOGFMT, LOG_INFO, keep_line, &out);
    static char names[4][8] = {"one", "two", "three", "four"};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    log_setup(LOG_LOGFMT, LOG_INFO, NULL, NULL);
    int lines = 0;
    for (str rest = buf_str(&out); rest.len; lines++) {
        str line = str_cut(&rest, '\n');
        CHECK_ROW(lines, str_starts(line, S("time=")) && str_find_str(line, S(" who=")) > 0 && str_find_str(str_from(line, 1), S("time=")) < 0);
    }
    CHECK_INT(lines, 2000);
    buf_free(&out);
}
