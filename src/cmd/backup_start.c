// naru backup verify, the last part: the restored accounts and mailstore start as they would, and each inbox is read over POP3.
#include "base/must.h"
#include "cmd/backup.h"
#include "rooms/accounts/accounts.h"
#include "rooms/mailstore/mailstore.h"
#include "talk/pop3_fetch.h"

enum { PASSWORD_LETTERS = 32, LETTER_BYTES_MAX = 128 << 20, INBOX_MEMORY_BYTES_MAX = 64 << 20, ANSWER_S = 60 };

// Nobody else ever logs in here: the hashes are cheap.
static const char accounts_settings[] = "hash-memory 64KiB\nhash-passes 1\n", mailstore_settings[] = "listen none\n";

typedef struct {
    node     n;
    room    *accounts;
    arena   *memory;
    str      password;
    started *out;
    str     *why;
} starting;

static bool service_start(starting *s, const room_kind *kind, const char *text, room **out)
{
    config_error error;
    statement *block = config_parse(S("verify"), str_z(text), s->memory, NULL, NULL, &error);
    must(block && config_check(block, kind->settings, s->memory, &error));
    str why = {0};
    err e = node_add(&s->n, kind, block, out, &why);
    if (e)
        *s->why = str_format(s->memory, "%s does not start: " STR_FMT, kind->name, STR_ARG(why.len ? why : str_z(err_text(e))));
    return e == E_OK;
}

// ---- one inbox ------------------------------------------------------------------------------------------------------------------

static bool fail(starting *s, const inbox_expected *x, str what)
{
    *s->why = str_format(s->memory, "the inbox of " STR_FMT " over POP3: " STR_FMT, STR_ARG(x->account), STR_ARG(what));
    return false;
}

static bool letters_read(starting *s, const inbox_expected *x, pop3_client *p, arena *a)
{
    pop3_listed *list;
    int count;
    buf letter = buf_make(LETTER_BYTES_MAX);
    bool good = pop3_client_list(p, a, &list, &count);
    if (good && count != x->inbox)
        good = fail(s, x, str_format(s->memory, "%lld letters are there and %d are shown", (long long)x->inbox, count));
    else if (!good)
        fail(s, x, pop3_client_trouble(p));
    for (int i = 0; i < count && good; i++) {
        buf_clear(&letter);
        if (!pop3_client_retrieve(p, list[i].number, -1, &letter) || letter.len == 0)
            good = fail(s, x, str_format(s->memory, "letter %u: " STR_FMT, list[i].number, STR_ARG(pop3_client_trouble(p))));
        s->out->letters += good;
        s->out->bytes += (int64_t)letter.len;
    }
    buf_free(&letter);
    return good;
}

static bool inbox_read(starting *s, const inbox_expected *x)
{
    err e = accounts_put(s->accounts, x->account, s->password);
    if (e)
        return fail(s, x, str_format(s->memory, "it gets no password: %s", err_text(e)));
    arena a = arena_make(INBOX_MEMORY_BYTES_MAX);
    str why = {0};
    conn *c = room_dial(s->accounts, "mailstore.pop3");
    conn_deadline(c, seconds(ANSWER_S));
    pop3_client *p = pop3_client_start(c, (pop3_client_options){.user = x->account, .password = s->password}, &a, &e, &why);
    bool good = p ? letters_read(s, x, p, &a) : fail(s, x, why);
    if (p && good)
        good = pop3_client_quit(p, &why, &a) || fail(s, x, why);
    else
        pop3_client_drop(p);
    conn_close(c);
    arena_free(&a);
    s->out->inboxes += good;
    return good;
}

// ---- all ------------------------------------------------------------------------------------------------------------------------

static str password_make(world *w, arena *a)
{
    char letters[PASSWORD_LETTERS];
    for (int i = 0; i < PASSWORD_LETTERS; i++)
        letters[i] = (char)('a' + world_random_below(w, 26));
    return str_copy(a, str_of(letters, PASSWORD_LETTERS));
}

bool backup_start(world *w, str directory, const inbox_expected *inboxes, int count, started *out, arena *a, str *why)
{
    starting s = {.memory = a, .password = password_make(w, a), .out = out, .why = why};
    err e = node_start(&s.n, w, S("verify"), directory);
    if (e) {
        *why = str_format(a, "the restored services cannot start: %s", err_text(e));
        return false;
    }
    bool good = service_start(&s, &accounts_kind, accounts_settings, &s.accounts) && service_start(&s, &mailstore_kind, mailstore_settings, NULL);
    for (int i = 0; i < count && good; i++)
        good = inbox_read(&s, &inboxes[i]);
    node_stop(&s.n);
    return good;
}
