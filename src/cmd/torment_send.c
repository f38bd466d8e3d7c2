// naru torment: the senders, who follow RFC 5321 (what was not answered with 250 is sent again), and the vandals, who do not.
#include "base/crc32c.h"
#include "base/must.h"
#include "cmd/torment.h"
#include "rt/conn.h"
#include "talk/smtp_send.h"

enum {
    SMALL_BYTES = 4000, LARGE_BYTES = 300000, LARGE_ONE_IN = 100,    // the large ones become blobs
    OUTSIDE_ONE_IN = 10,                     // submitted letters that go to our own receiver too
    CUT_ONE_IN = 60,                         // attempts that break off in the middle of the text
    RETRY_MS = 100, LETTERS_A_CONNECTION = 50, SENDER_ARENA_BYTES = 4 << 20,
    LINE_COLUMNS = 70,
};
typedef enum { CHANCE_COUNT, CHANCE_FIRST, CHANCE_LARGE, CHANCE_SIZE, CHANCE_CUT, CHANCE_VANDAL, CHANCE_FROM, CHANCE_OUTSIDE } purpose;

uint64_t torment_chance(const torment *t, int number, int what, uint64_t below)
{
    uint64_t x = (uint64_t)t->seed * 0x9e3779b97f4a7c15u + (uint64_t)number * 0xd1342543de82ef95u + (uint64_t)what * 0xaf251af3b0f025b5u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % below;
}

// ---- the letters ------------------------------------------------------------------------------------------------------

// Every host has two doors: for strangers (who may write to its own people) and for its own people (who may write to all).
static int door_count(const torment *t) { return 2 * t->host_count; }
static bool door_is_submission(int door) { return door & 1; }

// Lines that a careless program would take for the end, or lose: dots in front, empty ones.
static void body_put(const torment *t, int n, buf *out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz 0123456789";
    bool large = torment_chance(t, n, CHANCE_LARGE, LARGE_ONE_IN) == 0;
    size_t size = 100 + torment_chance(t, n, CHANCE_SIZE, large ? LARGE_BYTES : SMALL_BYTES);
    uint64_t x = torment_chance(t, n, CHANCE_SIZE, UINT64_MAX) | 1;
    while (out->len < size && !out->full) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        int columns = (int)(x % LINE_COLUMNS);
        unsigned char line[LINE_COLUMNS];
        for (int i = 0; i < columns; i++)
            line[i] = (unsigned char)letters[(x >> (i % 50) ^ (uint64_t)i) % (sizeof letters - 1)];
        if (x >> 60 == 0 && columns)
            line[0] = '.';
        buf_put(out, str_of(line, (size_t)columns));
        buf_put(out, S("\r\n"));
    }
}

void torment_letters_plan(torment *t)
{
    buf body = buf_make(TORMENT_LETTER_BYTES_MAX);
    for (int n = 0; n < t->letters; n++) {
        torment_letter *l = &t->ledger[n];
        int door = n % door_count(t), host = door / 2;
        int insiders = t->outside < 0 ? t->people_count : t->outside;
        int among = door_is_submission(door) ? insiders : t->hosts[host].people_count;
        int wish = 1 + (int)torment_chance(t, n, CHANCE_COUNT, TORMENT_RECIPIENTS_MAX);
        int first = (int)torment_chance(t, n, CHANCE_FIRST, (uint64_t)among);
        l->count = (uint8_t)(wish < among ? wish : among);
        for (int i = 0; i < l->count; i++) {
            int who = (first + i) % among;
            l->to[i] = (uint8_t)(door_is_submission(door) ? who : t->hosts[host].people[who]);
        }
        if (t->outside >= 0 && door_is_submission(door) && torment_chance(t, n, CHANCE_OUTSIDE, OUTSIDE_ONE_IN) == 0)
            l->to[l->count - 1] = (uint8_t)t->outside;
        buf_clear(&body);
        body_put(t, n, &body);
        l->sum = crc32c(0, buf_str(&body));
    }
    buf_free(&body);
}

// ---- a sender ---------------------------------------------------------------------------------------------------------

typedef struct {
    torment     *t;
    int          door;
    conn        *c;
    smtp_client *client;
    int          life;                       // which start of the small Internet the connection belongs to
    int          letters;                    // over it
    arena        memory, msg;
    buf          text;
} sender;

typedef struct { str text; bool given, cut; } body_source;

// A sender that cuts gives half of the letter and then has trouble of its own: no dot, no letter.
static bool body_next(void *arg, str *piece, err *trouble)
{
    body_source *b = arg;
    if (b->given) {
        *trouble = b->cut ? E_CANCELED : E_OK;
        return false;
    }
    *piece = b->cut ? str_first(b->text, b->text.len / 2) : b->text;
    return b->given = true;
}

static void hang_up(sender *s, bool politely)
{
    if (s->client && politely)
        smtp_client_quit(s->client);
    else if (s->client)
        smtp_client_drop(s->client);
    if (s->c && !politely)
        conn_abort(s->c);
    else
        conn_close(s->c);
    s->client = NULL;
    s->c = NULL;
}

static bool reach(sender *s)
{
    torment *t = s->t;
    const torment_host *h = &t->hosts[s->door / 2];
    bool own = door_is_submission(s->door);
    if (s->client && (s->life != t->starts || s->letters >= LETTERS_A_CONNECTION))
        hang_up(s, s->life == t->starts);
    if (s->client)
        return true;
    smtp_verdict v;
    arena_reset(&s->memory);
    const torment_person *who = &t->people[h->people[0]];
    smtp_client_options options = {.helo = S("torment.example"), .tls = own ? t->tls : NULL, .tls_required = own,
                                   .tls_host = str_format(&s->memory, "mail." STR_FMT, STR_ARG(h->name)),
                                   .user = own ? str_copy(&s->memory, who->address) : (str){0},
                                   .password = own ? str_copy(&s->memory, who->password) : (str){0}};
    s->life = t->starts;
    s->letters = 0;
    s->c = conn_open(t->world, own ? h->submission : h->smtp, seconds(5));
    s->client = s->c->error ? NULL : smtp_client_start(s->c, options, &s->memory, &v);
    if (!s->client)
        hang_up(s, false);
    return s->client;
}

static void compose(sender *s, int n)
{
    torment *t = s->t;
    buf_clear(&s->text);
    buf body = buf_make(TORMENT_LETTER_BYTES_MAX);
    body_put(t, n, &body);
    buf_format(&s->text, "From: torment@torment.example\r\nSubject: letter %d\r\nX-Torment: %d\r\n\r\n", n, n);
    buf_put(&s->text, buf_str(&body));
    buf_free(&body);
}

// One attempt for the recipients that nobody has promised to yet. True: all are promised.
static bool attempt(sender *s, int n, int number)
{
    torment *t = s->t;
    torment_letter *l = &t->ledger[n];
    smtp_recipient to[TORMENT_RECIPIENTS_MAX];
    smtp_verdict verdicts[TORMENT_RECIPIENTS_MAX];
    int which[TORMENT_RECIPIENTS_MAX], count = 0;
    arena_reset(&s->msg);
    for (int i = 0; i < l->count; i++)
        if (!l->accepted[i]) {
            to[count] = (smtp_recipient){0};
            must(address_read(str_copy(&s->msg, t->people[l->to[i]].address), &s->msg, &to[count].to) == ADDRESS_OK);
            which[count++] = i;
        }
    body_source body = {.text = buf_str(&s->text), .cut = torment_chance(t, n * 16 + number % 16, CHANCE_CUT, CUT_ONE_IN) == 0};
    smtp_letter letter = {.to = to, .count = count, .size_bytes = body.text.len, .body = body_next, .body_arg = &body};
    bool own = door_is_submission(s->door);
    const torment_host *h = &t->hosts[s->door / 2];
    str from = own ? str_copy(&s->msg, t->people[h->people[0]].address) : S("torment@torment.example");
    must(address_read(from, &s->msg, &letter.from) == ADDRESS_OK);
    bool alive = smtp_client_send(s->client, &letter, verdicts, &s->msg);
    bool all = true;
    for (int k = 0; k < count; k++) {
        const smtp_verdict *v = &verdicts[k];
        bool good = v->error == E_OK && v->code / 100 == 2;
        l->accepted[which[k]] = good;
        if (v->after_dot && l->unclear[which[k]] < UINT8_MAX)
            l->unclear[which[k]]++;
        t->refused_full += v->code == 452;
        all = all && good;
    }
    t->cut += body.cut;
    s->letters++;
    if (!alive)
        hang_up(s, false);
    return all;
}

static void send_door(void *arg)
{
    sender *s = arg;
    torment *t = s->t;
    while (!t->over && !fiber_canceled()) {
        int n = t->next[s->door]++ * door_count(t) + s->door;
        if (n >= t->letters)
            break;
        compose(s, n);
        for (int number = 0; !t->over; number++) {
            if (t->up && reach(s) && attempt(s, n, number)) {
                t->accepted++;
                break;
            }
            if (fiber_sleep(millis(RETRY_MS)) != E_OK)
                break;
        }
    }
    hang_up(s, t->up && !fiber_canceled());
    buf_free(&s->text);
    arena_free(&s->msg);
    arena_free(&s->memory);
}

void torment_send_all(void *arg)
{
    torment *t = arg;
    int doors = door_count(t), count = doors > TORMENT_SENDERS ? doors : TORMENT_SENDERS / doors * doors;
    sender *senders = arena_array(&t->memory, sender, count);
    must(senders);
    SCOPE(all, 0, count);
    for (int i = 0; i < count; i++) {
        senders[i] = (sender){.t = t, .door = i % doors, .memory = arena_make(SENDER_ARENA_BYTES),
                              .msg = arena_make(SENDER_ARENA_BYTES), .text = buf_make(TORMENT_LETTER_BYTES_MAX + 1024)};
        if (scope_go(&all, "sender", send_door, &senders[i]) != E_OK)
            break;
    }
    scope_wait(&all);
}

// ---- vandals ----------------------------------------------------------------------------------------------------------

// Begins what it never ends, stalls, and is gone.
void torment_vandal(void *arg)
{
    torment *t = arg;
    static const str words[] = {
        S("EHLO vandal.example\r\nMAIL FROM:<a@vandal.example>\r\n"), S("EHLO vandal.example\r\nMAIL FROM:<a@vand"), S("GET / HTTP/1.0\r\n\r\n"),
        S("\r\n\r\n\r\n"), S("\x16\x03\x01\x02\x00"), S("HELO x\r\nRSET\r\nNOOP\r\nVRFY bob\r\nQUIT\r\n"),
        S("EHLO x\r\nMAIL FROM:<a@vandal.example>\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA\r\nSubject: half\r\n\r\nsmuggled\n.\r\n"),
    };
    int count = sizeof words / sizeof *words;
    while (!t->over && !fiber_canceled()) {
        int number = t->vandalised++;
        const torment_host *h = &t->hosts[torment_chance(t, number, CHANCE_VANDAL, (uint64_t)t->host_count)];
        int what = (int)torment_chance(t, number, CHANCE_FROM, (uint64_t)count + 1);
        conn *c = t->up ? conn_open(t->world, what == count ? h->pop3 : h->smtp, seconds(2)) : NULL;
        if (c) {
            conn_put(c, what == count ? S("USER bob\r\nUSER") : words[what]);
            conn_deadline(c, seconds(2));
            conn_flush(c);
        }
        fiber_sleep(millis(50 + (int64_t)torment_chance(t, number, CHANCE_SIZE, 1500)));
        if (c)
            conn_abort(c);
    }
}
