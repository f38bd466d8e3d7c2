#include "wire/mail/pop3.h"

typedef enum { TAKES_NOTHING, TAKES_TEXT, TAKES_NUMBER, MAY_NUMBER, TAKES_NUMBER_AND_LINES, MAY_TEXT } pop3_takes;

static const struct { str name; pop3_verb verb; pop3_takes takes; } VERBS[] = {
    {S("USER"), POP3_USER, TAKES_TEXT},                 {S("PASS"), POP3_PASS, TAKES_TEXT},
    {S("APOP"), POP3_APOP, MAY_TEXT},                   {S("AUTH"), POP3_AUTH, MAY_TEXT},
    {S("CAPA"), POP3_CAPA, TAKES_NOTHING},              {S("STLS"), POP3_STLS, TAKES_NOTHING},
    {S("UTF8"), POP3_UTF8, TAKES_NOTHING},              {S("LANG"), POP3_LANG, MAY_TEXT},
    {S("QUIT"), POP3_QUIT, TAKES_NOTHING},              {S("STAT"), POP3_STAT, TAKES_NOTHING},
    {S("LIST"), POP3_LIST, MAY_NUMBER},                 {S("RETR"), POP3_RETR, TAKES_NUMBER},
    {S("DELE"), POP3_DELE, TAKES_NUMBER},               {S("NOOP"), POP3_NOOP, TAKES_NOTHING},
    {S("RSET"), POP3_RSET, TAKES_NOTHING},              {S("TOP"), POP3_TOP, TAKES_NUMBER_AND_LINES},
    {S("UIDL"), POP3_UIDL, MAY_NUMBER},                 {S("GET"), POP3_HTTP, MAY_TEXT},
    {S("POST"), POP3_HTTP, MAY_TEXT},                   {S("PUT"), POP3_HTTP, MAY_TEXT},
    {S("HEAD"), POP3_HTTP, MAY_TEXT},                   {S("OPTIONS"), POP3_HTTP, MAY_TEXT},
    {S("CONNECT"), POP3_HTTP, MAY_TEXT},
};

static bool number_take(str *rest, uint64_t max, uint32_t *out)
{
    uint64_t n = 0;
    str word = str_word(rest);
    if (!str_to_u64(word, &n) || n > max)
        return false;
    *out = (uint32_t)n;
    return true;
}

static const char *numbers_read(pop3_command *c, pop3_takes takes, str rest)
{
    if (str_trim(rest).len) {
        if (!number_take(&rest, UINT32_MAX, &c->number) || c->number == 0)
            return "a message number starts at 1";
        c->has_number = true;
    } else if (takes != MAY_NUMBER) {
        return "which message? give its number";
    }
    if (takes == TAKES_NUMBER_AND_LINES && !number_take(&rest, UINT32_MAX, &c->lines))
        return "the form is TOP message lines";
    return str_trim(rest).len ? "too many arguments" : NULL;
}

pop3_command pop3_command_read(str line)
{
    pop3_command c = {0};
    str rest = line;
    str word = str_word(&rest);
    pop3_takes takes = MAY_TEXT;
    for (size_t i = 0; i < sizeof VERBS / sizeof VERBS[0]; i++)
        if (str_eq_nocase(word, VERBS[i].name)) {
            c.verb = VERBS[i].verb;
            takes = VERBS[i].takes;
        }
    for (ptrdiff_t i = 0; i < line.len; i++)
        if (line.at[i] < 32 && line.at[i] != '\t')
            c.complaint = "control characters in a command";
    // RFC 1939 7: a password may hold blanks, so what follows one blank is taken as it stands.
    c.argument = c.verb == POP3_PASS && rest.len ? str_from(rest, rest.at[0] == ' ' ? 1 : 0) : str_trim(rest);
    if (c.complaint || c.verb == POP3_UNKNOWN) {
        c.complaint = c.complaint ? c.complaint : "command not recognized";
        return c;
    }
    if (takes == TAKES_NOTHING && c.argument.len)
        c.complaint = "this command takes no argument";
    if (takes == TAKES_TEXT && c.argument.len == 0)
        c.complaint = "an argument is missing";
    if (takes == TAKES_NUMBER || takes == MAY_NUMBER || takes == TAKES_NUMBER_AND_LINES)
        c.complaint = numbers_read(&c, takes, c.argument);
    if (c.verb == POP3_AUTH) {
        str mechanism = str_word(&rest);
        c.argument = mechanism;
        c.initial = str_trim(rest);
        c.has_initial = c.initial.len > 0;
    }
    return c;
}

static bool line_put(buf *out, str text)
{
    text = str_first(text, POP3_RESPONSE_MAX - 64);
    for (ptrdiff_t i = 0; i < text.len; i++)
        buf_put_byte(out, text.at[i] < 32 || text.at[i] == 127 ? '?' : text.at[i]);
    return buf_put(out, S("\r\n"));
}

bool pop3_ok(buf *out, str text)
{
    buf_put(out, text.len ? S("+OK ") : S("+OK"));
    return line_put(out, text);
}

bool pop3_err(buf *out, const char *code, str text)
{
    buf_format(out, code[0] ? "-ERR [%s] " : "-ERR %s", code);
    return line_put(out, text);
}
