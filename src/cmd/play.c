#include "cmd/play.h"

#include <stdio.h>

#include "base/base64.h"
#include "rt/tls.h"

enum { PLAY_LINE_BYTES_MAX = 2048, PLAY_TEXT_BYTES_MAX = 4 << 20, PLAY_REPLY_LINES_MAX = 100 };
#define PLAY_CONVERSATION_NS minutes(2)

bool play_check(play *p, bool ok, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str what = str_vformat(&p->memory, format, args);
    va_end(args);
    p->checks++;
    if (!ok && p->failed++ == 0)
        p->first_failure = what;
    if (!p->quiet)
        printf("  %s " STR_FMT "\n", ok ? "\xe2\x9c\x93" : "\xe2\x9c\x97 FAILED:", STR_ARG(what));
    return ok;
}

void play_tell(play *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!p->quiet) {
        printf("\n");
        vprintf(format, args);
        printf("\n");
    }
    va_end(args);
}

conn *play_connect(play *p, const char *from, const char *to, uint16_t port)
{
    small_host *a = small_find(p->net, str_z(from)), *b = small_find(p->net, str_z(to));
    play_tell(p, "%s opens a TCP connection to %s, port %d", from, to, port);
    conn *c = conn_open(a->world, addr_with_port(b->host->here[0], port), seconds(10));
    conn_deadline(c, PLAY_CONVERSATION_NS);
    play_check(p, c->error == E_OK, "connected%s%s", c->error ? ": " : "", c->error ? err_text(c->error) : "");
    return c;
}

void play_show(play *p, const char *who, str line)
{
    if (!p->quiet)
        printf("    %s: " STR_FMT "\n", who, STR_ARG(line));
}

void play_say(play *p, conn *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str line = str_vformat(&p->memory, format, args);
    va_end(args);
    play_show(p, "C", line);
    conn_put(c, line);
    conn_put(c, S("\r\n"));
}

str play_expect(play *p, conn *c, const char *want)
{
    str line = {0};
    for (int i = 0; i < PLAY_REPLY_LINES_MAX; i++) {
        line = str_chomp(conn_line(c, &p->memory, PLAY_LINE_BYTES_MAX));
        if (!p->quiet && line.len)
            printf("    S: " STR_FMT "\n", STR_ARG(line));
        if (c->error || line.len < 4 || !is_digit(line.at[0]) || line.at[3] != '-')
            break;
    }
    if (!str_starts(line, str_z(want)))
        play_check(p, false, "the answer was to start with \"%s\", it was \"" STR_FMT "\"%s%s", want, STR_ARG(line), c->error ? ": " : "",
                   c->error ? err_text(c->error) : "");
    else
        p->checks++;
    return line;
}

str play_text(play *p, conn *c)
{
    buf out = buf_make(PLAY_TEXT_BYTES_MAX);
    for (;;) {
        str line = str_chomp(conn_line(c, &p->memory, PLAY_LINE_BYTES_MAX));
        if (c->error || str_eq(line, S(".")))
            break;
        buf_put(&out, str_from(line, line.len && line.at[0] == '.'));
        buf_put(&out, S("\r\n"));
    }
    str text = str_copy(&p->memory, buf_str(&out));
    buf_free(&out);
    return text;
}

static conn *pop3_enter(play *p, small_host *h, const small_account *who, int *count)
{
    bool quiet = p->quiet;
    conn *c = conn_open(h->world, addr_with_port(h->host->here[0], 995), seconds(10));
    str why, line;
    tls_config *tls = tls_client_new(h->world, p->net->ca.cert_pem, NULL, &p->memory, &why);
    conn_deadline(c, PLAY_CONVERSATION_NS);
    *count = -1;
    if (!c->error && tls && conn_tls_connect(c, tls, str_format(&p->memory, "mail." STR_FMT, STR_ARG(h->host->mail_domain)))) {
        p->quiet = true;                                 // asked again and again until the letter is there: shown once, by the caller
        play_expect(p, c, "+OK");
        play_say(p, c, "USER " STR_FMT, STR_ARG(who->address));
        play_expect(p, c, "+OK");
        play_say(p, c, "PASS " STR_FMT, STR_ARG(who->password));
        play_expect(p, c, "+OK");
        play_say(p, c, "STAT");
        line = play_expect(p, c, "+OK");
        str_word(&line);
        uint64_t n;
        if (str_to_u64(str_word(&line), &n))
            *count = (int)n;
        p->quiet = quiet;
    }
    tls_free(tls);
    return c;
}

conn *play_mailbox(play *p, const char *host, const char *who, int count, int64_t patience_ns)
{
    small_host *h = small_find(p->net, str_z(host));
    const small_account *account = small_account_of(p->net, str_z(who));
    int64_t until_ns = world_now_ns(h->world) + patience_ns;
    for (;;) {
        int there;
        conn *c = pop3_enter(p, h, account, &there);
        if (there >= count) {
            play_tell(p, "%s signs in by POP3 over TLS and finds %d letter%s", who, there, there == 1 ? "" : "s");
            play_check(p, there == count, "%d in the mailbox", count);
            return c;
        }
        if (there >= 0) {
            conn_put(c, S("QUIT\r\n"));
            conn_line(c, &p->memory, PLAY_LINE_BYTES_MAX);
        }
        conn_close(c);
        if (world_now_ns(h->world) >= until_ns || fiber_sleep(millis(50)) != E_OK) {
            play_check(p, false, "%s was to find %d letters, there are %d", who, count, there);
            return NULL;
        }
    }
}

conn *play_submission(play *p, const char *host, const char *who)
{
    small_host *h = small_find(p->net, str_z(host));
    const small_account *account = small_account_of(p->net, str_z(who));
    conn *c = play_connect(p, host, host, 587);
    str why;
    tls_config *tls = tls_client_new(h->world, p->net->ca.cert_pem, NULL, &p->memory, &why);
    play_expect(p, c, "220");
    play_say(p, c, "EHLO laptop.%s", host);
    play_expect(p, c, "250");
    play_say(p, c, "STARTTLS");
    play_expect(p, c, "220");
    bool locked = conn_tls_connect(c, tls, str_format(&p->memory, "mail.%s", host));
    play_check(p, locked, "under TLS now, the certificate is mail.%s's", host);
    tls_free(tls);
    play_say(p, c, "EHLO laptop.%s", host);
    play_expect(p, c, "250");
    conn_put(c, S("AUTH LOGIN\r\n"));
    play_expect(p, c, "334");
    unsigned char name[128], password[128];
    size_t n = base64_encode(name, account->address), m = base64_encode(password, account->password);
    conn_put(c, str_of(name, n));
    conn_put(c, S("\r\n"));
    play_expect(p, c, "334");
    conn_put(c, str_of(password, m));
    conn_put(c, S("\r\n"));
    play_expect(p, c, "235");
    return c;
}

bool play_until(play *p, int64_t patience_ns, bool (*check)(play *p, void *arg), void *arg)
{
    int64_t until_ns = world_now_ns(p->net->world) + patience_ns;
    while (!check(p, arg))
        if (world_now_ns(p->net->world) >= until_ns || fiber_sleep(millis(20)) != E_OK)
            return false;
    return true;
}
