// naru mail send: composes a letter (MIME) and submits it.
#include <stdio.h>
#include <unistd.h>

#include "cmd/mail.h"
#include "rt/json_text.h"
#include "rt/tls.h"
#include "rt/worker.h"
#include "talk/smtp_send.h"
#include "wire/mail/mime.h"

typedef struct {
    mail_run       *r;
    header_address  from, to[MAIL_RECIPIENTS_MAX], cc[MAIL_RECIPIENTS_MAX];
    int             to_count, cc_count;
    str             text;
    mime_attachment files[MAIL_ATTACHMENTS_MAX];
    int             file_count;
    str             message_id;
    buf             letter;
    smtp_verdict    verdicts[2 * MAIL_RECIPIENTS_MAX], login;
} composing;

// ---- what was typed --------------------------------------------------------------------------------------------

static bool addresses_read(composing *k, str list, header_address *out, int *count)
{
    bool bad = false;
    int n = address_list_read(list, &k->r->memory, out + *count, MAIL_RECIPIENTS_MAX - *count, &bad);
    *count += n;
    return (n > 0 && !bad) ||
           mail_fail(k->r, COMMAND_USAGE, str_format(&k->r->memory, "\"" STR_FMT "\" is no address; one looks like"
                                                     " bob@hamburger.edu", STR_ARG(list)));
}

static bool people_read(composing *k)
{
    mail_run *r = k->r;
    int from_count = 0;
    header_address from[MAIL_RECIPIENTS_MAX];
    if (!addresses_read(k, r->from.len ? r->from : r->account, from, &from_count))
        return false;
    k->from = from[0];
    for (int i = 1; i < r->word_count; i++)
        if (!addresses_read(k, r->words[i], k->to, &k->to_count))
            return false;
    if (r->cc.len && !addresses_read(k, r->cc, k->cc, &k->cc_count))
        return false;
    return k->to_count + k->cc_count > 0 ||
           mail_fail(r, COMMAND_USAGE, S("to whom? naru mail send bob@hamburger.edu --account alice@crepes.fr"));
}

typedef struct { composing *k; err e; str failed; } reading;

static void standard_input(composing *k)
{
    buf all = buf_make(MAIL_LETTER_BYTES_MAX);
    ssize_t n = 0;
    for (unsigned char *room; (room = buf_room(&all, 65536)) && (n = read(0, room, 65536)) > 0;)
        buf_added(&all, (size_t)n);
    k->text = str_copy(&k->r->memory, buf_str(&all));
    buf_free(&all);
}

// Blocking: the text and the attachments.
static void files_read(void *arg)
{
    reading *g = arg;
    mail_run *r = g->k->r;
    g->k->text = r->text;
    if (r->text_file.len) {
        g->failed = r->text_file;
        g->e = file_read_all(r->world, str_to_z(&r->memory, r->text_file), &r->memory, MAIL_LETTER_BYTES_MAX,
                             &g->k->text);
    } else if (!r->text.len) {
        standard_input(g->k);
    }
    for (str rest = r->attach; rest.len && g->e == E_OK;) {
        g->failed = str_cut(&rest, ',');
        if (g->k->file_count == MAIL_ATTACHMENTS_MAX) {
            g->e = E_LIMIT;
            return;
        }
        mime_attachment *f = &g->k->files[g->k->file_count++];
        f->file_name = str_from(g->failed, str_rfind(g->failed, '/') + 1);
        f->type = mime_type_of_file(f->file_name);
        g->e = file_read_all(r->world, str_to_z(&r->memory, g->failed), &r->memory, MAIL_LETTER_BYTES_MAX, &f->bytes);
    }
}

static bool compose(composing *k)
{
    mail_run *r = k->r;
    reading g = {.k = k};
    work(files_read, &g);
    if (g.e != E_OK)
        return mail_fail(r, COMMAND_FAILED, str_format(&r->memory, "cannot read " STR_FMT ": %s", STR_ARG(g.failed),
                                                       err_text(g.e)));
    k->message_id = message_id_make(&r->memory, world_wall_s(r->world), world_random_u64(r->world),
                                    k->from.address.domain);
    mime_letter l = {.from = &k->from, .from_count = 1, .to = k->to, .to_count = k->to_count, .cc = k->cc,
                     .cc_count = k->cc_count,
                     .subject = r->subject, .text = k->text, .attachments = k->files, .attachment_count = k->file_count,
                     .message_id = k->message_id, .time_s = world_wall_s(r->world),
                         .chance = world_random_u64(r->world)};
    k->letter = buf_make(2 * MAIL_LETTER_BYTES_MAX);
    return mime_compose(&l, &k->letter) || mail_fail(r, COMMAND_FAILED, S("the letter is too large"));
}

// ---- handing it over -------------------------------------------------------------------------------------------

typedef struct { str text; bool given; } whole;

static bool whole_next(void *arg, str *piece, err *trouble)
{
    whole *w = arg;
    (void)trouble;
    *piece = w->text;
    return !w->given && (w->given = true);
}

static bool submit(composing *k, conn *c, tls_config *tls)
{
    mail_run *r = k->r;
    int count = 0;
    smtp_recipient to[2 * MAIL_RECIPIENTS_MAX];
    for (int i = 0; i < k->to_count; i++)
        to[count++] = (smtp_recipient){.to = k->to[i].address};
    for (int i = 0; i < k->cc_count; i++)
        to[count++] = (smtp_recipient){.to = k->cc[i].address};
    smtp_client_options options = {.helo = S("localhost"), .tls = tls, .tls_required = true, .tls_host = r->tls_host,
                                   .user = r->account,
                                   .password = r->password};
    smtp_client *client = smtp_client_start(c, options, &r->memory, &k->login);
    if (!client)
        return mail_fail(r, k->login.error && k->login.error != E_TLS ? COMMAND_UNREACHABLE : COMMAND_FAILED,
                         str_format(&r->memory, "the server " STR_FMT " refused: " STR_FMT,
                                    STR_ARG(addr_text(&r->memory, r->to)), STR_ARG(k->login.text)));
    whole body = {buf_str(&k->letter), false};
    smtp_letter l = {.from = k->from.address, .to = to, .count = count, .size_bytes = (int64_t)k->letter.len,
                     .body_8bit = mime_has_8bit(buf_str(&k->letter)), .body = whole_next, .body_arg = &body};
    if (smtp_client_send(client, &l, k->verdicts, &r->memory))
        smtp_client_quit(client);
    else
        smtp_client_drop(client);
    return true;
}

// ---- telling ---------------------------------------------------------------------------------------------------

static address recipient_of(const composing *k, int i)
{
    return i < k->to_count ? k->to[i].address : k->cc[i - k->to_count].address;
}

static void tell_json(composing *k)
{
    buf out = buf_make(1 << 20);
    buf_put(&out, S("{\"message_id\":"));
    json_put(&out, k->message_id);
    buf_format(&out, ",\"size\":%zu,\"recipients\":[", k->letter.len);
    for (int i = 0; i < k->to_count + k->cc_count; i++) {
        buf_put(&out, i ? S(",{\"address\":") : S("{\"address\":"));
        json_put(&out, address_text(&k->r->memory, recipient_of(k, i)));
        buf_format(&out, ",\"code\":%d,\"reply\":", k->verdicts[i].code);
        json_put(&out, k->verdicts[i].text);
        buf_put(&out, S("}"));
    }
    printf(STR_FMT "]}\n", STR_ARG(buf_str(&out)));
    buf_free(&out);
}

static void tell(composing *k)
{
    int refused = 0, count = k->to_count + k->cc_count;
    for (int i = 0; i < count; i++) {
        const smtp_verdict *v = &k->verdicts[i];
        bool good = v->error == E_OK && v->code / 100 == 2;
        str who = address_text(&k->r->memory, recipient_of(k, i));
        refused += !good;
        if (good && !k->r->json)
            printf("accepted for " STR_FMT ": %d " STR_FMT "\n", STR_ARG(who), v->code, STR_ARG(v->text));
        else if (!good)
            mail_fail(k->r, COMMAND_FAILED, str_format(&k->r->memory, "not accepted for " STR_FMT ": %d " STR_FMT,
                                                       STR_ARG(who), v->code, STR_ARG(v->text)));
    }
    if (k->r->json)
        tell_json(k);
    if (refused > 1)
        mail_fail(k->r, COMMAND_FAILED, str_format(&k->r->memory,
                                                   "%d of %d recipients were refused; the last: " STR_FMT, refused,
                                                   count, STR_ARG(k->r->trouble)));
}

void mail_send(mail_run *r)
{
    composing *k = arena_new(&r->memory, composing);
    conn *c = NULL;
    tls_config *tls = NULL;
    k->r = r;
    if (r->plaintext) {
        mail_fail(r, COMMAND_USAGE, S("letters are submitted under TLS; --plaintext is for reading"));
        return;
    }
    if (mail_find_server(r, "submission", 587) && people_read(k) && compose(k) &&
        mail_connect(r, r->tls || r->to.port == 465, &c, &tls) && submit(k, c, tls))
        tell(k);
    conn_close(c);
    tls_free(tls);
    buf_free(&k->letter);
}
