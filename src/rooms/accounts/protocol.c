// The verdicts (docs/accounts.md): one line in, one line out, values as xtext.
#include <string.h>

#include "rooms/accounts/accounts_inside.h"
#include "rt/log.h"
#include "rt/meter.h"
#include "wire/mail/smtp.h"

enum { LINE_BYTES_MAX = 4096, PROTOCOL_ARENA_BYTES = 64 * 1024,
       MARK_SECRET = 1,                              // the same after a restart
       JOIN_ROOM_LEFT = PEOPLE_MAX / 10 };           // of the table, for people that the administrator adds

static meter checks = {.name = "naru_accounts_logins_total", .help = "Login verdicts", .type = METER_COUNTER,
                       .label = "verdict",
                       .values = {"ok", "wrong", "too-many", "trouble"}};
void accounts_meters_show(void) { meter_show(&checks); }

typedef enum { CHECK_OK, CHECK_WRONG, CHECK_TOO_MANY, CHECK_TROUBLE } check_verdict;

typedef struct { str service, client, user, password, fresh, account, address; } request;

static bool request_read(str line, arena *a, request *q)
{
    const struct { str key; str *value; } fields[] = {
        {S("service"), &q->service}, {S("client"), &q->client}, {S("user"), &q->user},
        {S("password"), &q->password}, {S("new"), &q->fresh}, {S("account"), &q->account}, {S("address"), &q->address}};
    *q = (request){0};
    for (str word = str_word(&line); word.len; word = str_word(&line)) {
        str key = str_cut(&word, '=');
        bool known = false;
        for (size_t i = 0; i < sizeof fields / sizeof fields[0] && !known; i++)
            if (str_eq(key, fields[i].key))
                known = xtext_read(word, a, fields[i].value);
        if (!known)
            return false;
    }
    return true;
}

// ---- CHECK -----------------------------------------------------------------------------------------------------

// "bob" is bob@ our domain: mail programs send either.
static str user_key(accounts *s, str user, arena *a)
{
    str why;
    if (str_find(user, '@') < 0 && s->domain.len)
        user = str_format(a, STR_FMT "@" STR_FMT, STR_ARG(user), STR_ARG(s->domain));
    return accounts_key(user, a, &why);
}

// Copies of the hashes to try: the person may be changed while one is computed. Unknown names get nobody's hash.
static int hashes_to_try(accounts *s, const person *who, bool app, char (*out)[PASSWORD_HASH_MAX])
{
    int count = 0;
    for (const app_password *p = app && who ? who->apps : NULL; p && count < APP_PASSWORDS_MAX; p = p->next)
        memcpy(out[count++], p->hash, PASSWORD_HASH_MAX);
    if (!app && who)
        memcpy(out[count++], who->hash, PASSWORD_HASH_MAX);
    if (count == 0)
        memcpy(out[count++], app ? s->nobody_app : s->nobody, PASSWORD_HASH_MAX);
    return count;
}

static check_verdict check(accounts *s, const request *q, arena *a, str *account, str *role, int64_t *wait_ns)
{
    unsigned char client_key[16];
    char (*hashes)[PASSWORD_HASH_MAX] = arena_alloc(a, APP_PASSWORDS_MAX, PASSWORD_HASH_MAX, 1);
    addr client = {0};
    if (q->client.len)
        addr_parse_ip(q->client, 0, &client);
    str key = user_key(s, q->user, a), from = backoff_client(client, client_key);
    int64_t now = world_now_ns(s->w), for_client = from.len ? backoff_wait_ns(&s->clients, from, now) : 0;
    int64_t for_name = backoff_wait_ns(&s->names, key, now);
    *wait_ns = for_client > for_name ? for_client : for_name;
    if (*wait_ns > 0)
        return CHECK_TOO_MANY;
    person *who = people_find(s->people, key);
    if (who && people_is_viewer(who) && !str_eq(q->service, S("console")))
        who = NULL;                                    // a viewer has nothing but the console
    int count = hashes ? hashes_to_try(s, who, app_password_looks(q->password), hashes) : 0;
    bool good = false, known = who != NULL;
    for (int i = 0; i < count && !good; i++)
        if (accounts_verify(s, hashes[i], q->password, &good) != E_OK)
            return CHECK_TROUBLE;
    // Guesses that were under way together: when the others have made this name or address wait meanwhile, not even a
    // right one is told apart from them.
    now = world_now_ns(s->w);
    for_client = from.len ? backoff_wait_ns(&s->clients, from, now) : 0;
    for_name = backoff_wait_ns(&s->names, key, now);
    *wait_ns = for_client > for_name ? for_client : for_name;
    if (*wait_ns > 0)
        return CHECK_TOO_MANY;
    who = people_find(s->people, key);
    if (good && known && who) {
        backoff_forgive(&s->names, key);
        *account = key;
        *role = str_copy(a, str_z(who->role));
        return CHECK_OK;
    }
    if (from.len)
        backoff_failed(&s->clients, from, now);
    backoff_failed(&s->names, key, now);
    return CHECK_WRONG;
}

static void account_put(buf *out, const char *word, str account)
{
    buf_format(out, "%s account=", word);
    xtext_write(out, account);
    buf_put(out, S("\n"));
}

// A verdict that is not OK: the log's line and the answer's.
static void refuse(const request *q, check_verdict v, int64_t wait_ns, buf *out)
{
    if (v == CHECK_WRONG || v == CHECK_TOO_MANY)
        log_line("accounts", LOG_NOTICE, v == CHECK_WRONG ? "login-failed" : "login-refused",
                 F_STR("service_asking", q->service),
                 F_STR("client", q->client), F_STR("user", q->user));
    if (v == CHECK_TOO_MANY)
        buf_format(out, "NO too-many wait=%lld\n", (long long)(wait_ns / NS_PER_S + 1));
    else
        buf_put(out, v == CHECK_WRONG ? S("NO wrong\n") : S("TROUBLE\n"));
}

static void answer_check(accounts *s, const request *q, arena *a, buf *out)
{
    str account = {0}, role = {0};
    int64_t wait_ns = 0;
    check_verdict v = check(s, q, a, &account, &role, &wait_ns);
    meter_add_at(&checks, (int)v, 1);
    if (v != CHECK_OK)
        return refuse(q, v, wait_ns, out);
    buf_format(out, "OK role=" STR_FMT, STR_ARG(role));
    account_put(out, "", account);
}

// ---- CHANGE ----------------------------------------------------------------------------------------------------

// A person changes the password, knowing the old one: an app password, which programs keep, does not do. Guessing here is guessing.
static void answer_change(accounts *s, const request *q, arena *a, buf *out)
{
    char hash[PASSWORD_HASH_MAX];
    str why, account = {0}, role = {0};
    int64_t wait_ns = 0;
    request asked = *q;
    if (!accounts_password_usable(q->fresh, &why) || app_password_looks(q->fresh)) {
        buf_put(out, S("NO password\n"));
        return;
    }
    if (app_password_looks(q->password))
        asked.password = S("");                          // right for nobody
    check_verdict v = check(s, &asked, a, &account, &role, &wait_ns);
    meter_add_at(&checks, (int)v, 1);
    if (v != CHECK_OK)
        return refuse(q, v, wait_ns, out);
    err e = accounts_hash(s, q->fresh, s->cost, hash);
    person *who = people_find(s->people, account);       // hashing parked
    if (!e)
        e = who ? people_set_hash(s->people, who, hash) : E_NO_ENTRY;
    if (e) {
        buf_put(out, S("TROUBLE\n"));
        return;
    }
    log_line("accounts", LOG_NOTICE, "password-changed", F_STR("account", account), F_STR("client", q->client));
    account_put(out, "OK", account);
}

// ---- JOIN ------------------------------------------------------------------------------------------------------

// A stranger becomes a viewer. Addresses of domains whose mail is kept here are given by the administrator alone.
static const char *join_refused(accounts *s, const request *q, str key)
{
    str why;
    return !s->registration                                                          ? "closed"
         : !key.len || people_have_mail_at(s->people, str_from(key, str_rfind(key, '@') + 1)) ? "name"
         : !accounts_password_usable(q->password, &why)                              ? "password"
         : people_find(s->people, key)                                               ? "taken"
         : people_count(s->people) >= PEOPLE_MAX - JOIN_ROOM_LEFT                    ? "closed"
                                                                                     : NULL;
}

static void answer_join(accounts *s, const request *q, arena *a, buf *out)
{
    char hash[PASSWORD_HASH_MAX];
    str why, key = accounts_key(q->user, a, &why);
    const char *refused = join_refused(s, q, key);
    if (refused) {
        buf_format(out, "NO %s\n", refused);
        return;
    }
    err e = accounts_hash(s, q->password, s->cost, hash);
    if (e == E_OK)
        e = people_add(s->people, key, hash, S("viewer"));
    if (e == E_OK) {
        log_line("accounts", LOG_NOTICE, "joined", F_STR("account", key), F_STR("client", q->client));
        account_put(out, "OK", key);
    } else {
        buf_put(out, e == E_EXISTS ? S("NO taken\n") : S("TROUBLE\n"));
    }
}

// ---- ROLE ------------------------------------------------------------------------------------------------------

// What somebody who signed in once is now. The mark changes with the password: who knew another one is not signed in any more.
static void answer_role(accounts *s, const request *q, buf *out)
{
    person *who = people_find(s->people, q->account);
    if (who)
        buf_format(out, "OK role=%s mark=%016llx\n", who->role, (unsigned long long)str_hash(str_z(who->hash), MARK_SECRET));
    else
        buf_put(out, S("NO\n"));
}

// ---- MAILBOX and SENDAS ----------------------------------------------------------------------------------------

static person *mailbox_of(accounts *s, const request *q, arena *a)
{
    str why, key = accounts_key(q->address, a, &why);
    return key.len ? people_mailbox(s->people, key) : NULL;
}

static void answer_mailbox(accounts *s, const request *q, arena *a, buf *out)
{
    person *who = mailbox_of(s, q, a);
    if (who)
        account_put(out, "HERE", who->address);
    else
        buf_put(out, S("UNKNOWN\n"));
}

static void answer_send_as(accounts *s, const request *q, arena *a, buf *out)
{
    person *who = mailbox_of(s, q, a);
    buf_put(out, who && str_eq(who->address, q->account) ? S("YES\n") : S("NO\n"));
}

static void answer(accounts *s, str line, arena *a, buf *out)
{
    request q;
    str verb = str_word(&line);
    if (!request_read(line, a, &q))
        buf_put(out, S("TROUBLE malformed\n"));
    else if (str_eq(verb, S("CHECK")))
        answer_check(s, &q, a, out);
    else if (str_eq(verb, S("CHANGE")))
        answer_change(s, &q, a, out);
    else if (str_eq(verb, S("ROLE")))
        answer_role(s, &q, out);
    else if (str_eq(verb, S("JOIN")))
        answer_join(s, &q, a, out);
    else if (str_eq(verb, S("MAILBOX")))
        answer_mailbox(s, &q, a, out);
    else if (str_eq(verb, S("SENDAS")))
        answer_send_as(s, &q, a, out);
    else
        buf_put(out, S("TROUBLE unknown request\n"));
}

void accounts_converse(conn *c, void *arg)
{
    arena msg = arena_make(PROTOCOL_ARENA_BYTES);
    buf out = buf_make(LINE_BYTES_MAX);
    for (;;) {
        arena_reset(&msg);
        buf_clear(&out);
        str line = conn_line(c, &msg, LINE_BYTES_MAX);
        if (!str_ends(line, S("\n")))
            break;
        answer(arg, str_chomp(line), &msg, &out);
        conn_put(c, buf_str(&out));
    }
    buf_free(&out);
    arena_free(&msg);
}
