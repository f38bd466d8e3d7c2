#include "wire/mail/smtp.h"

#include "test.h"

TEST(smtp_command_knows_verbs_in_any_case)
{
    static const struct { const char *line; smtp_verb verb, meant; int code; } rows[] = {
        {"HELO crepes.fr", SMTP_HELO, 0, 0},        {"ehlo crepes.fr", SMTP_EHLO, 0, 0},
        {"LHLO x", SMTP_LHLO, 0, 0},                {"HELO", SMTP_HELO, 0, 501},
        {"data", SMTP_DATA, 0, 0},                  {"DATA now", SMTP_DATA, 0, 501},
        {"  quit  ", SMTP_QUIT, 0, 0},              {"RSET", SMTP_RSET, 0, 0},
        {"NOOP with words", SMTP_NOOP, 0, 0},       {"VRFY bob", SMTP_VRFY, 0, 0},
        {"HELP", SMTP_HELP, 0, 0},                  {"STARTTLS", SMTP_STARTTLS, 0, 0},
        {"AUTH", SMTP_AUTH, 0, 501},                {"", SMTP_EMPTY, 0, 500},
        {"GET / HTTP/1.1", SMTP_HTTP, 0, 0},        {"POST / HTTP/1.1", SMTP_HTTP, 0, 0},
        {"helohsch.ac.kr", SMTP_UNKNOWN, SMTP_HELO, 500},
        {"mial from:<a@b>", SMTP_UNKNOWN, SMTP_MAIL, 500},
        {"mailfrom:<a@b>", SMTP_UNKNOWN, SMTP_MAIL, 500},
        {"rctp to:<a@b>", SMTP_UNKNOWN, SMTP_RCPT, 500},
        {"qiut", SMTP_UNKNOWN, SMTP_QUIT, 500},     {"STATRTLS", SMTP_UNKNOWN, SMTP_STARTTLS, 500},
        {"xyzzy", SMTP_UNKNOWN, SMTP_UNKNOWN, 500}, {"HELO a\001b", SMTP_HELO, 0, 500},
    };
    arena a = arena_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        smtp_command c = smtp_command_read(str_z(rows[i].line), &a);
        CHECK_ROW(i, c.verb == rows[i].verb);
        CHECK_ROW(i, c.meant == rows[i].meant);
        CHECK_ROW(i, c.complaint.code == rows[i].code);
    }
    CHECK_STR(smtp_command_read(S("helohsch.ac.kr"), &a).complaint.text,
              S("command not recognized; did you mean HELO?"));
    arena_free(&a);
}

TEST(smtp_envelope_is_read_as_typed)
{
    static const struct { const char *line, *local; int code; const char *enhanced; } rows[] = {
        {"MAIL FROM:<alice@crepes.fr>", "alice", 0, ""},       {"MAIL FROM: <alice@crepes.fr>", "alice", 0, ""},
        {"mail from: <dhkim@naver.com>", "dhkim", 0, ""},      {"MAIL FROM : a@b.org", "a", 0, ""},
        {"mail FROM:<>", "", 0, ""},                           {"RCPT TO:<>", "", 501, "5.1.3"},
        {"RCPT TO:<postmaster>", "postmaster", 0, ""},         {"MAIL FROM:<bob>", "bob", 501, "5.1.7"},
        {"MAIL <a@b>", "", 501, "5.5.4"},                      {"RCPT FROM:<a@b>", "", 501, "5.5.4"},
        {"MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME", "a", 0, ""}, {"MAIL FROM:<a@b> SIZE=x", "a", 501, "5.5.4"},
        {"MAIL FROM:<a@b> SIZE=99999999999999999999999", "a", 501, "5.5.4"},
        {"MAIL FROM:<a@b> BODY=BINARYMIME", "a", 501, "5.5.4"}, {"MAIL FROM:<a@b> SMTPUTF8", "a", 555, "5.6.7"},
        {"MAIL FROM:<a@b> FUTURE=1", "a", 555, "5.5.4"},       {"MAIL FROM:<a@b> SIZE=1 SIZE=2", "a", 501, "5.5.4"},
        {"RCPT TO:<a@b> SIZE=1", "a", 555, "5.5.4"},           {"RCPT TO:<a@b> NOTIFY=NEVER,DELAY", "a", 501, "5.5.4"},
        {"RCPT TO:<a@b> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a+2Bb@c", "a", 0, ""},
        {"RCPT TO:<a@b> ORCPT=rfc822;a+0D+0Ab", "a", 501, "5.5.4"}, {"RCPT TO:<a@b> ORCPT=x400;a", "a", 501, "5.5.4"},
        {"RCPT TO:<a@b> XDELIVERYID=7f.1-2_x", "a", 0, ""},    {"RCPT TO:<a@b> XDELIVERYID=a/b", "a", 501, "5.5.4"},
        {"RCPT TO:<a@b> XMAILBOX=Sent+20x", "a", 0, ""},       {"RCPT TO:<a@b> XMAILBOX=+00", "a", 501, "5.5.4"},
        {"MAIL FROM:<a@b> XTRACE=00ff", "a", 0, ""},           {"MAIL FROM:<a@b> XTRACE=xyz", "a", 501, "5.5.4"},
        {"MAIL FROM:<\xed\x95\x9c@x.org>", "", 553, "5.6.7"},
    };
    arena a = arena_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        smtp_command c = smtp_command_read(str_z(rows[i].line), &a);
        CHECK_ROW(i, c.complaint.code == rows[i].code);
        CHECK_ROW(i, str_eq(str_z(c.complaint.enhanced), str_z(rows[i].enhanced)));
        CHECK_ROW(i, str_eq(c.path.local, str_z(rows[i].local)));
    }
    smtp_command c = smtp_command_read(S("MAIL FROM:<a@b> SIZE=77 BODY=8bitmime ENVID=QQ+20x RET=HDRS AUTH=<>"), &a);
    CHECK_INT(c.parameters.size_bytes, 77);
    CHECK(c.parameters.body_8bit);
    CHECK_STR(c.parameters.envid, S("QQ x"));
    CHECK_INT(c.parameters.given, SMTP_HAS_SIZE | SMTP_HAS_BODY | SMTP_HAS_ENVID | SMTP_HAS_RET | SMTP_HAS_AUTH);
    c = smtp_command_read(S("AUTH PLAIN AGFiYwB4"), &a);
    CHECK_STR(c.mechanism, S("PLAIN"));
    CHECK_STR(c.argument, S("AGFiYwB4"));
    arena_free(&a);
}

TEST(smtp_line_edit_applies_backspace)
{
    arena a = arena_make(1 << 16);
    CHECK_STR(smtp_line_edit(S("helo x"), &a), S("helo x"));
    CHECK_STR(smtp_line_edit(S("hep\blo x\177y"), &a), S("helo y"));
    CHECK_STR(smtp_line_edit(S("\b\b\bhelo"), &a), S("helo"));
    CHECK_STR(smtp_line_edit(S("a\xed\x95\x9c\177b"), &a), S("ab"));
    arena_free(&a);
}

TEST(smtp_reply_is_written_and_read_back)
{
    buf out = buf_make(1 << 16);
    CHECK(smtp_reply_write(&out, 250, "2.1.0", S("ok")));
    CHECK_STR(buf_str(&out), S("250 2.1.0 ok\r\n"));
    buf_clear(&out);
    CHECK(smtp_reply_write(&out, 250, "", S("mx.x.org\nPIPELINING\nSIZE 1000")));
    CHECK_STR(buf_str(&out), S("250-mx.x.org\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"));
    buf_clear(&out);
    CHECK(smtp_reply_write(&out, 550, "5.1.1", S("no\r250 fine")));       // nothing a peer sent starts a line
    CHECK_STR(buf_str(&out), S("550 5.1.1 no?250 fine\r\n"));
    buf_free(&out);

    smtp_reply r = {0};
    CHECK_INT(smtp_reply_line(&r, S("250-mx.x.org at your service")), SMTP_REPLY_MORE);
    CHECK_INT(smtp_reply_line(&r, S("250-PIPELINING")), SMTP_REPLY_MORE);
    CHECK_INT(smtp_reply_line(&r, S("250-size 35882577")), SMTP_REPLY_MORE);
    CHECK_INT(smtp_reply_line(&r, S("250-AUTH LOGIN PLAIN CRAM-MD5")), SMTP_REPLY_MORE);
    CHECK_INT(smtp_reply_line(&r, S("250 8BITMIME")), SMTP_REPLY_DONE);
    smtp_capabilities c = smtp_capabilities_read(buf_str(&r.text));
    CHECK(c.pipelining && c.size && c.auth_plain && c.auth_login && c.eight_bit_mime && !c.starttls && !c.dsn);
    CHECK_INT(c.size_bytes_max, 35882577);

    static const char *bad[] = {"", "25", "abc", "250_x", "150 x", "600 x", "2500 x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        smtp_reply_begin(&r);
        CHECK_ROW(i, smtp_reply_line(&r, str_z(bad[i])) == SMTP_REPLY_BAD);
    }
    smtp_reply_begin(&r);
    CHECK_INT(smtp_reply_line(&r, S("250")), SMTP_REPLY_DONE);
    smtp_reply_begin(&r);
    CHECK_INT(smtp_reply_line(&r, S("250-a")), SMTP_REPLY_MORE);
    CHECK_INT(smtp_reply_line(&r, S("550 b")), SMTP_REPLY_BAD);
    smtp_reply_begin(&r);
    int lines = 0;
    while (lines < 1000 && smtp_reply_line(&r, S("220-banner")) == SMTP_REPLY_MORE)
        lines++;
    CHECK_INT(lines, SMTP_REPLY_LINES_MAX);
    smtp_reply_free(&r);
    CHECK_STR(smtp_reply_enhanced(550, S("5.1.1 no such user")), S("5.1.1"));
    CHECK_STR(smtp_reply_enhanced(250, S("5.1.1 no such user")), S(""));
    CHECK_STR(smtp_reply_enhanced(450, S("4.7.1x no")), S(""));
}
