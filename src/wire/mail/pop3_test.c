#include "wire/mail/pop3.h"

#include "test.h"

TEST(pop3_commands_are_read)
{
    static const struct { const char *line; pop3_verb verb; const char *argument; unsigned number, lines; bool good; } rows[] = {
        {"USER bob", POP3_USER, "bob", 0, 0, true},       {"user", POP3_USER, "", 0, 0, false},
        {"PASS a b  c ", POP3_PASS, "a b  c ", 0, 0, true}, {"STAT", POP3_STAT, "", 0, 0, true},
        {"STAT 1", POP3_STAT, "1", 0, 0, false},          {"LIST", POP3_LIST, "", 0, 0, true},
        {"LIST 2", POP3_LIST, "2", 2, 0, true},           {"LIST 0", POP3_LIST, "0", 0, 0, false},
        {"RETR", POP3_RETR, "", 0, 0, false},             {"retr 7", POP3_RETR, "7", 7, 0, true},
        {"RETR 99999999999", POP3_RETR, "99999999999", 0, 0, false}, {"RETR 1 2", POP3_RETR, "1 2", 1, 0, false},
        {"TOP 3 10", POP3_TOP, "3 10", 3, 10, true},      {"TOP 3", POP3_TOP, "3", 3, 0, false},
        {"TOP 3 0", POP3_TOP, "3 0", 3, 0, true},         {"UIDL", POP3_UIDL, "", 0, 0, true},
        {"AUTH PLAIN AGEAYg==", POP3_AUTH, "PLAIN", 0, 0, true}, {"AUTH", POP3_AUTH, "", 0, 0, true},
        {"XTND", POP3_UNKNOWN, "", 0, 0, false},          {"GET / HTTP/1.0", POP3_HTTP, "/ HTTP/1.0", 0, 0, true},
        {"QUIT\t", POP3_QUIT, "", 0, 0, true},            {"NO\001OP", POP3_UNKNOWN, "", 0, 0, false},
        {"", POP3_UNKNOWN, "", 0, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pop3_command c = pop3_command_read(str_z(rows[i].line));
        CHECK_ROW(i, c.verb == rows[i].verb);
        CHECK_ROW(i, str_eq(c.argument, str_z(rows[i].argument)));
        CHECK_ROW(i, (c.complaint == NULL) == rows[i].good);
        CHECK_ROW(i, c.number == rows[i].number || !rows[i].good);
        CHECK_ROW(i, c.lines == rows[i].lines);
    }
}

TEST(pop3_replies_hold_one_line)
{
    buf out = buf_make(4096);
    pop3_ok(&out, S("2 320"));
    pop3_err(&out, "AUTH", S("no\r\n+OK yes"));
    pop3_err(&out, "", S("gone"));
    pop3_ok(&out, S(""));
    CHECK_STR(buf_str(&out), S("+OK 2 320\r\n-ERR [AUTH] no??+OK yes\r\n-ERR gone\r\n+OK\r\n"));
    buf_free(&out);
}
