#include "talk/login.h"

#include "wire/mail/smtp.h"

enum {
    LOGIN_LINE_BYTES_MAX = 4096,
    LOGIN_WORD_BYTES_MAX = 1024,     // a user name or password; xtext may make it three times as long
};
#define LOGIN_WAIT_NS minutes(1)

// ---- the line protocol (docs/accounts.md) ----------------------------------------------------------------------

// " key=value" with the value as xtext: nothing in it can end the line or begin another key.
static bool word_put(buf *line, const char *key, str value)
{
    return value.len <= LOGIN_WORD_BYTES_MAX && buf_format(line, " %s=", key) && xtext_write(line, value);
}

// One request, one answer line, in `a`; empty when the service cannot be asked.
static str ask(room *r, const buf *line, arena *a)
{
    if (line->full)
        return (str){0};
    conn *c = room_dial(r, "accounts.login");
    conn_deadline(c, LOGIN_WAIT_NS);
    conn_put(c, buf_str(line));
    conn_put(c, S("\n"));
    str answer = conn_line(c, a, LOGIN_LINE_BYTES_MAX);
    conn_close(c);
    return str_ends(answer, S("\n")) ? str_chomp(answer) : (str){0};
}

// The value of " KEY=..." in an answer.
static str value_of(str answer, str key, arena *a)
{
    str decoded;
    for (str word = str_word(&answer); word.len; word = str_word(&answer)) {
        str name = str_cut(&word, '=');
        if (str_eq(name, key) && xtext_read(word, a, &decoded))
            return decoded;
    }
    return (str){0};
}

static str account_of(str answer, arena *a) { return value_of(answer, S("account"), a); }

// "VERB service=S client=IP user=U password=P [new=F]"; the answer, `unsound` when the words are longer than anybody's.
static str ask_about(room *r, const char *verb, const char *service, addr client, str user, str password, str fresh, str unsound, arena *a)
{
    buf line = buf_make(LOGIN_LINE_BYTES_MAX);
    bool sound = buf_put(&line, str_z(verb)) && word_put(&line, "service", str_z(service)) &&
                 (client.family == 0 || word_put(&line, "client", addr_ip_text(a, client))) &&
                 word_put(&line, "user", user) && word_put(&line, "password", password) && (!fresh.len || word_put(&line, "new", fresh));
    str answer = sound ? ask(r, &line, a) : unsound;
    buf_free(&line);
    return answer;
}

login_verdict login_check(room *r, const char *service, addr client, str user, str password, arena *a, str *account)
{
    str role;
    return login_check_role(r, service, client, user, password, a, account, &role);
}

join_verdict login_join(room *r, const char *service, addr client, str user, str password, arena *a, str *account)
{
    static const struct { const char *word; join_verdict verdict; } refusals[] = {
        {"taken", JOIN_TAKEN}, {"closed", JOIN_CLOSED}, {"name", JOIN_NAME}, {"password", JOIN_PASSWORD},
    };
    str answer = ask_about(r, "JOIN", service, client, user, password, (str){0}, S("NO name"), a);
    str word = str_word(&answer), rest = answer, reason = str_word(&rest);
    *account = str_eq(word, S("OK")) ? account_of(answer, a) : (str){0};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals && str_eq(word, S("NO")); i++)
        if (str_eq(reason, str_z(refusals[i].word)))
            return refusals[i].verdict;
    return account->len ? JOIN_OK : JOIN_TROUBLE;
}

change_verdict login_change(room *r, const char *service, addr client, str user, str password, str fresh, arena *a)
{
    str answer = ask_about(r, "CHANGE", service, client, user, password, fresh, S("NO password"), a);
    str word = str_word(&answer), rest = answer, reason = str_word(&rest);
    return str_eq(word, S("OK"))         ? CHANGE_OK
         : str_eq(reason, S("wrong"))    ? CHANGE_WRONG
         : str_eq(reason, S("too-many")) ? CHANGE_TOO_MANY
         : str_eq(reason, S("password")) ? CHANGE_PASSWORD
                                         : CHANGE_TROUBLE;
}

login_verdict login_check_role(room *r, const char *service, addr client, str user, str password, arena *a, str *account, str *role)
{
    *account = *role = (str){0};
    str answer = ask_about(r, "CHECK", service, client, user, password, (str){0}, S("NO wrong"), a);
    str word = str_word(&answer), rest = answer, reason = str_word(&rest);
    if (str_eq(word, S("OK"))) {
        *account = account_of(answer, a);
        *role = value_of(answer, S("role"), a);
    }
    return account->len                        ? LOGIN_OK
         : str_eq(reason, S("wrong"))          ? LOGIN_WRONG
         : str_eq(reason, S("too-many"))       ? LOGIN_TOO_MANY
         : str_eq(reason, S("locked"))         ? LOGIN_LOCKED
                                               : LOGIN_TROUBLE;
}

role_verdict login_role(room *r, str account, arena *a, str *role, str *mark)
{
    buf line = buf_make(LOGIN_LINE_BYTES_MAX);
    bool sound = buf_put(&line, S("ROLE")) && word_put(&line, "account", account);
    str answer = sound ? ask(r, &line, a) : (str){0}, word = str_word(&answer);
    buf_free(&line);
    *role = value_of(answer, S("role"), a);
    *mark = value_of(answer, S("mark"), a);
    return str_eq(word, S("NO")) ? ROLE_GONE : str_eq(word, S("OK")) && role->len ? ROLE_IS : ROLE_TROUBLE;
}

mailbox_verdict login_mailbox(room *r, str who, arena *a, str *account)
{
    buf line = buf_make(LOGIN_LINE_BYTES_MAX);
    *account = (str){0};
    bool sound = buf_put(&line, S("MAILBOX")) && word_put(&line, "address", who);
    str answer = sound ? ask(r, &line, a) : S("UNKNOWN");
    buf_free(&line);
    str word = str_word(&answer);
    if (str_eq(word, S("HERE")))
        *account = account_of(answer, a);
    return account->len ? MAILBOX_HERE : str_eq(word, S("UNKNOWN")) ? MAILBOX_UNKNOWN : MAILBOX_TROUBLE;
}

bool login_may_send_as(room *r, str account, str who, arena *a)
{
    buf line = buf_make(LOGIN_LINE_BYTES_MAX);
    bool sound = buf_put(&line, S("SENDAS")) && word_put(&line, "account", account) && word_put(&line, "address", who);
    str answer = sound ? ask(r, &line, a) : S("NO");
    buf_free(&line);
    return str_eq(answer, S("YES"));
}
