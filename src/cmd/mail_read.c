// naru mail list, read and delete: by POP3.
#include <stdio.h>

#include "cmd/mail.h"
#include "rt/json_text.h"
#include "rt/tls.h"
#include "rt/worker.h"
#include "talk/pop3_fetch.h"
#include "wire/mail/mime.h"

enum { TOP_BYTES_MAX = 512 * 1024 };

typedef struct {
    mail_run    *r;
    conn        *c;
    tls_config  *tls;
    pop3_client *p;
    pop3_listed *list;
    int          count;
} mailbox;

static bool mailbox_open(mailbox *m, mail_run *r)
{
    err e;
    str why;
    *m = (mailbox){.r = r};
    if (!mail_find_server(r, "pop3", 110) || !mail_connect(r, r->tls || r->to.port == 995, &m->c, &m->tls))
        return false;
    pop3_client_options options = {.tls = m->tls, .tls_required = !r->plaintext, .tls_host = r->tls_host,
                                   .user = r->account, .password = r->password};
    m->p = pop3_client_start(m->c, options, &r->memory, &e, &why);
    return m->p || mail_fail(r, e && e != E_TLS ? COMMAND_UNREACHABLE : COMMAND_FAILED,
                             str_format(&r->memory, "the server " STR_FMT " refused: " STR_FMT,
                             STR_ARG(addr_text(&r->memory, r->to)), STR_ARG(why)));
}

static bool pop3_failed(mailbox *m)
{
    return mail_fail(m->r, COMMAND_FAILED, str_copy(&m->r->memory, pop3_client_trouble(m->p)));
}

static void mailbox_close(mailbox *m)
{
    str why;
    if (m->p && !pop3_client_quit(m->p, &why, &m->r->memory) && m->r->code == COMMAND_OK)
        mail_fail(m->r, COMMAND_FAILED, why);
    conn_close(m->c);
    tls_free(m->tls);
}

static str field(mail_run *r, const header_block *h, str name)
{
    const header_field *f = header_find(h, name);
    return f ? header_text(f->value, &r->memory, mail_charset, NULL) : (str){0};
}

static void json_pair(buf *out, const char *key, str value, bool first)
{
    buf_format(out, "%s\"%s\":", first ? "" : ",", key);
    json_put(out, value);
}

static void fields_json(mail_run *r, const header_block *h, buf *out)
{
    json_pair(out, "date", field(r, h, S("Date")), false);
    json_pair(out, "from", field(r, h, S("From")), false);
    json_pair(out, "to", field(r, h, S("To")), false);
    json_pair(out, "subject", field(r, h, S("Subject")), false);
}

// A letter typed by hand often has no header at all.
static str field_or(mail_run *r, const header_block *h, str name, str otherwise)
{
    str value = field(r, h, name);
    return value.len ? value : otherwise;
}

// ---- list ------------------------------------------------------------------------------------------------------

static bool list_one(mailbox *m, const pop3_listed *l, bool first, buf *out)
{
    buf top = buf_make(TOP_BYTES_MAX);
    header_block h;
    bool good = pop3_client_retrieve(m->p, l->number, 0, &top);
    if (good) {
        header_read(buf_str(&top), &m->r->memory, &h);
        if (m->r->json) {
            buf_format(out, "%s\n  {\"number\":%u,\"size\":%lld", first ? "" : ",", l->number,
                       (long long)l->size_bytes);
            json_pair(out, "uid", l->uid, false);
            fields_json(m->r, &h, out);
            buf_put(out, S("}"));
        } else {
            printf("%4u %8lld  ", l->number, (long long)l->size_bytes);
            mail_print(field_or(m->r, &h, S("Date"), S("(no date)")), true);
            printf("  ");
            mail_print(field_or(m->r, &h, S("From"), field_or(m->r, &h, S("Return-Path"), S("(no sender)"))), true);
            printf("  ");
            mail_print(field_or(m->r, &h, S("Subject"), S("(no subject)")), true);
            printf("\n");
        }
    }
    buf_free(&top);
    return good || pop3_failed(m);
}

void mail_list(mail_run *r)
{
    mailbox m;
    buf out = buf_make(MAIL_LETTER_BYTES_MAX);
    bool good = mailbox_open(&m, r) && (pop3_client_list(m.p, &r->memory, &m.list, &m.count) || pop3_failed(&m));
    for (int i = 0; i < m.count && good; i++)
        good = list_one(&m, &m.list[i], i == 0, &out);
    if (good && r->json)
        printf("[" STR_FMT "]\n", STR_ARG(buf_str(&out)));
    else if (good && m.count == 0)
        printf("No mail for " STR_FMT ".\n", STR_ARG(r->account));
    mailbox_close(&m);
    buf_free(&out);
}

// ---- read ------------------------------------------------------------------------------------------------------

static bool number_read(mail_run *r, int word, uint32_t *out)
{
    uint64_t n = 0;
    bool good = r->word_count > word && str_to_u64(r->words[word], &n) && n > 0 && n <= UINT32_MAX;
    *out = (uint32_t)n;
    return good || mail_fail(r, COMMAND_USAGE, S("which letter? give its number from `naru mail list`"));
}

// A text part as UTF-8.
static str part_text(mail_run *r, const mime_part *p)
{
    buf plain = buf_make(2 * MAIL_LETTER_BYTES_MAX);
    mime_decode(p, &plain);
    str charset = mime_parameter(&p->type, S("charset"), &r->memory, NULL, NULL),
        text = str_copy(&r->memory, buf_str(&plain));
    bool known = charset.len == 0 || str_eq_nocase(charset, S("utf-8")) || str_eq_nocase(charset, S("us-ascii"));
    str converted = known ? text : mail_charset(NULL, charset, text, &r->memory);
    buf_free(&plain);
    return converted.len ? converted : text;
}

static bool is_text(const mime_part *p) { return str_eq(p->type.type, S("text")) && !p->attachment; }
static bool is_leaf(const mime_tree *t, int i)
{
    return i + 1 == t->count || t->parts[i + 1].depth <= t->parts[i].depth;
}
static bool is_file(const mime_tree *t, int i)
{
    return is_leaf(t, i) && (!is_text(&t->parts[i]) || t->parts[i].file_name.len);
}

typedef struct { world *w; const char *dir, *path; str bytes; err e; } saving;

static void save_work(void *arg)
{
    saving *s = arg;
    s->e = dir_make(s->w, s->dir, 0700);
    if (s->e == E_OK)
        s->e = file_replace(s->w, s->path, s->bytes, 0600);
}

// A letter's file name has no directory in it (wire/mail/mime.h), so it stays below --save.
static bool save(mail_run *r, const mime_part *p, int number)
{
    buf bytes = buf_make(2 * MAIL_LETTER_BYTES_MAX);
    mime_decode(p, &bytes);
    str name = p->file_name.len ? p->file_name : str_format(&r->memory, "part-%d", number);
    saving s = {.w = r->world, .bytes = buf_str(&bytes), .dir = str_to_z(&r->memory, r->save)};
    s.path = str_to_z(&r->memory, str_format(&r->memory, STR_FMT "/" STR_FMT, STR_ARG(r->save), STR_ARG(name)));
    work(save_work, &s);
    if (!r->json && s.e == E_OK)
        printf("saved %s (%zu bytes)\n", s.path, bytes.len);
    buf_free(&bytes);
    return s.e == E_OK || mail_fail(r, COMMAND_FAILED, str_format(&r->memory, "cannot write %s: %s", s.path,
                                                                  err_text(s.e)));
}

static void print_letter(mail_run *r, const mime_tree *t)
{
    static const str shown[] = {S("Return-Path"), S("Date"), S("From"), S("To"), S("Cc"), S("Subject")};
    bool signed_by_hand = !field(r, &t->parts[0].header, S("From")).len;          // then only the envelope says who sent it
    for (size_t i = signed_by_hand ? 0 : 1; i < sizeof shown / sizeof shown[0]; i++) {
        str value = field(r, &t->parts[0].header, shown[i]);
        if (value.len) {
            printf("%-8.*s ", STR_ARG(shown[i]));
            mail_print(value, true);
            printf("\n");
        }
    }
    printf("\n");
    for (int i = 0; i < t->count; i++)
        if (is_leaf(t, i) && is_text(&t->parts[i])) {
            str text = part_text(r, &t->parts[i]);
            mail_print(text, false);
            printf("%s", text.len && text.at[text.len - 1] != '\n' ? "\n" : "");
        }
    for (int i = 0; i < t->count; i++)
        if (is_file(t, i)) {
            printf("[" STR_FMT "/" STR_FMT " ", STR_ARG(t->parts[i].type.type), STR_ARG(t->parts[i].type.subtype));
            mail_print(t->parts[i].file_name.len ? t->parts[i].file_name : S("without a name"), true);
            printf("]\n");
        }
}

static void print_letter_json(mail_run *r, const mime_tree *t, uint32_t number)
{
    buf out = buf_make(4 * MAIL_LETTER_BYTES_MAX), bytes = buf_make(2 * MAIL_LETTER_BYTES_MAX);
    bool first = true;
    buf_format(&out, "{\"number\":%u", number);
    fields_json(r, &t->parts[0].header, &out);
    json_pair(&out, "message_id", field(r, &t->parts[0].header, S("Message-ID")), false);
    buf_put(&out, S(",\"text\":"));
    for (int i = 0; i < t->count; i++)
        if (is_leaf(t, i) && is_text(&t->parts[i]))
            buf_put(&bytes, part_text(r, &t->parts[i]));
    json_put(&out, buf_str(&bytes));
    buf_put(&out, S(",\"attachments\":["));
    for (int i = 0; i < t->count; i++)
        if (is_file(t, i)) {
            buf_clear(&bytes);
            mime_decode(&t->parts[i], &bytes);
            buf_put(&out, first ? S("{") : S(",{"));
            json_pair(&out, "name", t->parts[i].file_name, true);
            json_pair(&out, "type", str_format(&r->memory, STR_FMT "/" STR_FMT, STR_ARG(t->parts[i].type.type),
                                               STR_ARG(t->parts[i].type.subtype)), false);
            buf_format(&out, ",\"size\":%zu}", bytes.len);
            first = false;
        }
    printf(STR_FMT "]}\n", STR_ARG(buf_str(&out)));
    buf_free(&bytes);
    buf_free(&out);
}

void mail_read(mail_run *r)
{
    mailbox m = {.r = r};
    uint32_t number;
    buf letter = buf_make(MAIL_LETTER_BYTES_MAX);
    if (!number_read(r, 1, &number))
        return;
    if (mailbox_open(&m, r) && (pop3_client_retrieve(m.p, number, -1, &letter) || pop3_failed(&m))) {
        mime_tree t = mime_read(buf_str(&letter), &r->memory);
        if (r->raw)
            fwrite(letter.at, 1, letter.len, stdout);
        else if (r->json)
            print_letter_json(r, &t, number);
        else
            print_letter(r, &t);
        for (int i = 0; i < t.count && r->save.len; i++)
            if (is_file(&t, i) && !save(r, &t.parts[i], i))
                break;
    }
    mailbox_close(&m);
    buf_free(&letter);
}

// ---- delete ----------------------------------------------------------------------------------------------------

void mail_delete(mail_run *r)
{
    mailbox m = {.r = r};
    uint32_t number;
    for (int i = 1; i < r->word_count || i == 1; i++)
        if (!number_read(r, i, &number))
            return;
    bool good = mailbox_open(&m, r);
    for (int i = 1; i < r->word_count && good; i++) {
        number_read(r, i, &number);
        good = pop3_client_delete(m.p, number) || pop3_failed(&m);
    }
    if (m.p && !good) {                            // without QUIT nothing goes: all or none
        pop3_client_drop(m.p);
        m.p = NULL;
    }
    mailbox_close(&m);
    if (r->code == COMMAND_OK && r->json)
        printf("{\"deleted\":%d}\n", r->word_count - 1);
    else if (r->code == COMMAND_OK)
        printf("%d deleted\n", r->word_count - 1);
}
