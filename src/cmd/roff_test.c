#include "cmd/roff.h"
#include "test.h"

TEST(roff_text_stands_for_itself)
{
    static const struct { const char *text, *roff; } rows[] = {
        {"plain", "plain"},
        {"", ""},
        {"--dir DIR", "\\-\\-dir DIR"},
        {".TH is no request here", "\\&.TH is no request here"},
        {"a.b\n.c\n'd", "a.b\n\\&.c\n\\(aqd"},
        {"\\n ^ ~ `x` \"y\"", "\\en \\(ha \\(ti \\(gax\\(ga \\(dqy\\(dq"},
        {"존 파일", "존 파일"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf out = buf_make(1024);
        roff_put_z(&out, rows[i].text);
        CHECK_ROW(i, str_eq(buf_str(&out), str_z(rows[i].roff)));
        buf_free(&out);
    }
}

TEST(roff_head_and_lines)
{
    buf out = buf_make(1024);
    roff_head(&out, S("naru-try"), 1);
    roff_lines(&out, ".one\n  two\n");
    CHECK_STR(buf_str(&out), S(".TH \"NARU\\-TRY\" 1 \"\" \"naru " NARU_VERSION "\" \"naru\"\n.nh\n.ad l\n.nf\n\\&.one\n  two\n.fi\n"));
    buf_free(&out);
}
