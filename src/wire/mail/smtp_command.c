#include "wire/mail/smtp.h"

#include "base/bytes.h"

static const struct { str name; smtp_verb verb; } VERBS[] = {
    {S("HELO"), SMTP_HELO}, {S("EHLO"), SMTP_EHLO}, {S("LHLO"), SMTP_LHLO}, {S("MAIL"), SMTP_MAIL},
    {S("RCPT"), SMTP_RCPT}, {S("DATA"), SMTP_DATA}, {S("BDAT"), SMTP_BDAT}, {S("RSET"), SMTP_RSET},
    {S("NOOP"), SMTP_NOOP}, {S("VRFY"), SMTP_VRFY}, {S("EXPN"), SMTP_EXPN}, {S("HELP"), SMTP_HELP},
    {S("QUIT"), SMTP_QUIT}, {S("STARTTLS"), SMTP_STARTTLS}, {S("AUTH"), SMTP_AUTH},
};
enum { VERBS_LEN = sizeof VERBS / sizeof VERBS[0] };

static const str HTTP_VERBS[] = {S("GET"), S("POST"), S("PUT"), S("HEAD"), S("DELETE"), S("OPTIONS"), S("CONNECT"),
                                 S("TRACE"), S("PATCH"), S("PRI")};
enum { HTTP_VERBS_LEN = sizeof HTTP_VERBS / sizeof HTTP_VERBS[0] };

const char *smtp_verb_name(smtp_verb v)
{
    for (int i = 0; i < VERBS_LEN; i++)
        if (VERBS[i].verb == v)
            return (const char *)VERBS[i].name.at;
    return v == SMTP_HTTP ? "HTTP" : "?";
}

// ---- which verb ----

enum { TYPO_LETTERS_MAX = 10 };

// Edit distance with swapped neighbours; both words are short.
static int typo_distance(str a, str b)
{
    int d[TYPO_LETTERS_MAX + 1][TYPO_LETTERS_MAX + 1];
    for (int i = 0; i <= a.len; i++)
        for (int j = 0; j <= b.len; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            unsigned char x = lower(a.at[i - 1]), y = lower(b.at[j - 1]);
            int best = d[i - 1][j - 1] + (x != y);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && x == lower(b.at[j - 2]) && y == lower(a.at[i - 2]);
            if (swapped && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[a.len][b.len];
}

// "helohsch.ac.kr" is HELO with its blank forgotten, "mial" is MAIL. Two mistakes in a short word are another word.
static smtp_verb verb_near(str word)
{
    for (int i = 0; i < VERBS_LEN; i++)
        if (str_starts_nocase(word, VERBS[i].name))
            return VERBS[i].verb;
    ptrdiff_t colon = str_find(word, ':');
    if (colon > 0)
        word = str_first(word, colon);
    if (word.len > TYPO_LETTERS_MAX)
        return SMTP_UNKNOWN;
    for (int i = 0; i < VERBS_LEN; i++)
        if (typo_distance(word, VERBS[i].name) <= (VERBS[i].name.len > 4 ? 2 : 1))
            return VERBS[i].verb;
    return SMTP_UNKNOWN;
}

static smtp_verb verb_of(str word)
{
    for (int i = 0; i < VERBS_LEN; i++)
        if (str_eq_nocase(word, VERBS[i].name))
            return VERBS[i].verb;
    for (int i = 0; i < HTTP_VERBS_LEN; i++)
        if (str_eq(word, HTTP_VERBS[i]))
            return SMTP_HTTP;
    return SMTP_UNKNOWN;
}

static void complain(smtp_command *c, int code, const char *enhanced, str text)
{
    if (c->complaint.code)
        return;                                    // the first reason is the useful one
    c->complaint.code = code;
    c->complaint.enhanced = enhanced;
    c->complaint.text = text;
}

// ---- MAIL FROM:<a@b> and RCPT TO:<a@b> ----

static void path_complain(smtp_command *c)
{
    bool sender = c->verb == SMTP_MAIL;
    switch (c->path_verdict) {
    case ADDRESS_OK:
        return;
    case ADDRESS_NULL:
        if (!sender)
            complain(c, 501, "5.1.3", S("a recipient must be named: RCPT TO:<name@example.org>"));
        return;
    case ADDRESS_NO_DOMAIN:
        if (sender)
            complain(c, 501, "5.1.7", S("the sender needs a domain: MAIL FROM:<name@example.org>"));
        return;
    case ADDRESS_TOO_LONG:
        return complain(c, 501, sender ? "5.1.7" : "5.1.3", S("address too long (64 before the @, 255 after it)"));
    case ADDRESS_NOT_ASCII:
        return complain(c, 553, "5.6.7", S("addresses beyond ASCII (SMTPUTF8) are not supported here"));
    case ADDRESS_SYNTAX:
        return complain(c, 501, sender ? "5.1.7" : "5.1.3",
                        sender ? S("not an address; try MAIL FROM:<name@example.org>")
                               : S("not an address; try RCPT TO:<name@example.org>"));
    }
}

static void size_read(smtp_command *c, str value)
{
    if (value.len > 20 || !str_to_u64(value, &c->parameters.size_bytes))
        complain(c, 501, "5.5.4", S("SIZE= takes a number of bytes"));
}

static void body_read(smtp_command *c, str value)
{
    c->parameters.body_8bit = str_eq_nocase(value, S("8BITMIME"));
    if (!c->parameters.body_8bit && !str_eq_nocase(value, S("7BIT")))
        complain(c, 501, "5.5.4", S("BODY= takes 7BIT or 8BITMIME"));
}

static void ret_read(smtp_command *c, str value)
{
    c->parameters.return_full = str_eq_nocase(value, S("FULL"));
    if (!c->parameters.return_full && !str_eq_nocase(value, S("HDRS")))
        complain(c, 501, "5.5.4", S("RET= takes FULL or HDRS"));
}

static void notify_read(smtp_command *c, str value)
{
    static const struct { str name; unsigned bit; } WORDS[] = {
        {S("NEVER"), SMTP_NOTIFY_NEVER}, {S("SUCCESS"), SMTP_NOTIFY_SUCCESS},
        {S("FAILURE"), SMTP_NOTIFY_FAILURE}, {S("DELAY"), SMTP_NOTIFY_DELAY}};
    bool bad = value.len == 0;
    while (value.len && !bad) {
        str word = str_cut(&value, ',');
        unsigned bit = 0;
        for (int i = 0; i < 4; i++)
            if (str_eq_nocase(word, WORDS[i].name))
                bit = WORDS[i].bit;
        bad = bit == 0;
        c->parameters.notify |= bit;
    }
    if (bad || ((c->parameters.notify & SMTP_NOTIFY_NEVER) && c->parameters.notify != SMTP_NOTIFY_NEVER))
        complain(c, 501, "5.5.4", S("NOTIFY= takes NEVER, or some of SUCCESS,FAILURE,DELAY"));
}

static void xtext_take(smtp_command *c, str value, ptrdiff_t max, arena *msg, str *out)
{
    if (value.len > max || !xtext_read(value, msg, out))
        complain(c, 501, "5.5.4", S("malformed xtext (RFC 3461 section 4)"));
}

static void orcpt_read(smtp_command *c, str value, arena *msg)
{
    str type = str_cut(&value, ';');
    if (!str_eq_nocase(type, S("rfc822")))
        complain(c, 501, "5.5.4", S("ORCPT= takes rfc822;address"));
    xtext_take(c, value, SMTP_ORCPT_MAX, msg, &c->parameters.orcpt);
}

static void delivery_id_read(smtp_command *c, str value)
{
    bool good = value.len > 0 && value.len <= SMTP_DELIVERY_ID_MAX;
    for (ptrdiff_t i = 0; i < value.len && good; i++)
        good = is_alnum(value.at[i]) || (value.at[i] && str_find(S("-_."), value.at[i]) >= 0);
    c->parameters.delivery_id = value;
    if (!good)
        complain(c, 501, "5.5.4", S("XDELIVERYID= takes up to 64 letters, digits, '-', '_' and '.'"));
}

static void trace_read(smtp_command *c, str value)
{
    if (value.len > 16 || !str_hex_to_u64(value, &c->parameters.trace))
        complain(c, 501, "5.5.4", S("XTRACE= takes up to 16 hexadecimal digits"));
}

static void parameter_read(smtp_command *c, str name, str value, arena *msg)
{
    static const struct { str name; smtp_verb verb; smtp_parameter bit; } KNOWN[] = {
        {S("SIZE"), SMTP_MAIL, SMTP_HAS_SIZE}, {S("BODY"), SMTP_MAIL, SMTP_HAS_BODY},
        {S("AUTH"), SMTP_MAIL, SMTP_HAS_AUTH}, {S("RET"), SMTP_MAIL, SMTP_HAS_RET},
        {S("ENVID"), SMTP_MAIL, SMTP_HAS_ENVID}, {S("SMTPUTF8"), SMTP_MAIL, SMTP_HAS_SMTPUTF8},
        {S("NOTIFY"), SMTP_RCPT, SMTP_HAS_NOTIFY}, {S("ORCPT"), SMTP_RCPT, SMTP_HAS_ORCPT},
        {S("XDELIVERYID"), SMTP_RCPT, SMTP_HAS_DELIVERY_ID}, {S("XMAILBOX"), SMTP_RCPT, SMTP_HAS_MAILBOX},
        {S("XTRACE"), SMTP_MAIL, SMTP_HAS_TRACE}};
    unsigned bit = 0;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
        if (KNOWN[i].verb == c->verb && str_eq_nocase(name, KNOWN[i].name))
            bit = KNOWN[i].bit;
    if (c->parameters.given & bit)
        complain(c, 501, "5.5.4", S("a parameter stands there twice"));
    c->parameters.given |= bit;
    switch (bit) {
    case SMTP_HAS_SIZE:        size_read(c, value); break;
    case SMTP_HAS_BODY:        body_read(c, value); break;
    case SMTP_HAS_AUTH:        xtext_take(c, value, SMTP_ORCPT_MAX, msg, &c->parameters.auth); break;
    case SMTP_HAS_RET:         ret_read(c, value); break;
    case SMTP_HAS_ENVID:       xtext_take(c, value, SMTP_ENVID_MAX, msg, &c->parameters.envid); break;
    case SMTP_HAS_NOTIFY:      notify_read(c, value); break;
    case SMTP_HAS_ORCPT:       orcpt_read(c, value, msg); break;
    case SMTP_HAS_DELIVERY_ID: delivery_id_read(c, value); break;
    case SMTP_HAS_MAILBOX:     xtext_take(c, value, SMTP_MAILBOX_MAX, msg, &c->parameters.mailbox); break;
    case SMTP_HAS_TRACE:       trace_read(c, value); break;
    case SMTP_HAS_SMTPUTF8:    complain(c, 555, "5.6.7", S("SMTPUTF8 is not supported here")); break;
    default:                   complain(c, 555, "5.5.4", S("unknown parameter")); break;
    }
}

static void parameters_read(smtp_command *c, str rest, arena *msg)
{
    int count = 0;
    for (str word = str_word(&rest); word.len; word = str_word(&rest)) {
        if (++count > SMTP_PARAMETERS_MAX)
            return complain(c, 555, "5.5.4", S("too many parameters"));
        str name = str_cut(&word, '=');
        parameter_read(c, name, word, msg);
    }
}

static void envelope_read(smtp_command *c, str keyword, arena *msg)
{
    str rest = c->argument;
    str typed = str_first(rest, keyword.len);
    str after = str_trim(str_from(rest, keyword.len));
    if (!str_eq_nocase(typed, keyword) || !str_starts(after, S(":")))
        return complain(c, 501, "5.5.4", c->verb == SMTP_MAIL ? S("the form is MAIL FROM:<name@example.org>")
                                                              : S("the form is RCPT TO:<name@example.org>"));
    rest = str_from(after, 1);
    c->path_verdict = address_path_read(&rest, msg, &c->path);
    path_complain(c);
    if (!c->complaint.code)
        parameters_read(c, rest, msg);
}

// ---- the whole line ----

static void hello_read(smtp_command *c)
{
    str rest = c->argument;
    c->argument = str_word(&rest);
    // The name is recorded in Received lines; anything printable is tolerated there, as every server does.
    if (c->argument.len == 0)
        complain(c, 501, "5.5.4", S("say who you are: HELO your.host.name"));
    else if (c->argument.len > ADDRESS_DOMAIN_MAX)
        complain(c, 501, "5.5.4", S("that name is too long"));
}

static void auth_read(smtp_command *c)
{
    str rest = c->argument;
    c->mechanism = str_word(&rest);
    c->argument = str_trim(rest);
    if (c->mechanism.len == 0)
        complain(c, 501, "5.5.4", S("name a mechanism: AUTH PLAIN"));
}

static bool has_control(str line)
{
    for (ptrdiff_t i = 0; i < line.len; i++)
        if ((line.at[i] < 32 && line.at[i] != '\t') || line.at[i] == 127)
            return true;
    return false;
}

static void unknown_hint(smtp_command *c, arena *msg)
{
    c->meant = verb_near(c->word);
    str text = c->meant == SMTP_UNKNOWN
        ? S("command not recognized; HELP lists what is understood")
        : str_format(msg, "command not recognized; did you mean %s?", smtp_verb_name(c->meant));
    complain(c, 500, "5.5.1", text);
}

smtp_command smtp_command_read(str line, arena *msg)
{
    smtp_command c = {0};
    str rest = line;
    c.word = str_word(&rest);
    c.argument = str_trim(rest);
    c.verb = c.word.len ? verb_of(c.word) : SMTP_EMPTY;
    if (has_control(line))
        complain(&c, 500, "5.5.2", S("control characters in a command"));
    switch (c.verb) {
    case SMTP_UNKNOWN: unknown_hint(&c, msg); break;
    case SMTP_EMPTY:   complain(&c, 500, "5.5.2", S("an empty line; HELP lists what is understood")); break;
    case SMTP_MAIL:    envelope_read(&c, S("FROM"), msg); break;
    case SMTP_RCPT:    envelope_read(&c, S("TO"), msg); break;
    case SMTP_AUTH:    auth_read(&c); break;
    case SMTP_HELO: case SMTP_EHLO: case SMTP_LHLO:
        hello_read(&c);
        break;
    case SMTP_DATA: case SMTP_RSET: case SMTP_QUIT: case SMTP_STARTTLS:
        if (c.argument.len)
            complain(&c, 501, "5.5.4", str_format(msg, "%s takes no argument", smtp_verb_name(c.verb)));
        break;
    default:
        break;
    }
    return c;
}

// ---- typed by hand ----

str smtp_line_edit(str line, arena *msg)
{
    if (str_find(line, '\b') < 0 && str_find(line, 127) < 0)
        return line;
    unsigned char *text = arena_array(msg, unsigned char, line.len);
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; text && i < line.len; i++) {
        if (line.at[i] != '\b' && line.at[i] != 127) {
            text[n++] = line.at[i];
            continue;
        }
        while (n > 0 && (text[n - 1] & 0xC0) == 0x80)    // the rest of a UTF-8 character
            n--;
        n -= n > 0;
    }
    return text ? str_of(text, (size_t)n) : line;
}
