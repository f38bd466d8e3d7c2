// naru upper HOST TEXT: the course's first client program. A text goes to port 12000 and comes back in upper case.
#include "base/heap_memory.h"
#include "base/utf8.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "rt/conn.h"
#include "rt/json_text.h"
#include "rt/loop.h"
#include "talk/dns_ask.h"

#include <stdio.h>

enum {
    PORT = 12000,
    COUNT_MAX = 1000,
    BURST = 32,                         // datagrams on their way at once
    TEXT_BYTES_MAX = 60000,
    ANSWER_BYTES_MAX = 65535,
    WAIT_MS = 1000,                     // for an answer: what is not here by then is taken for lost
    CONNECT_MS = 5000,
    SERVERS_MAX = DNS_ASK_SERVERS_MAX,
    RESOLV_BYTES_MAX = 64 * 1024,
};

typedef struct {
    str     sent, answer;
    int64_t sent_ns, took_ns;
    bool    answered;
} exchange;

typedef struct {
    str       host, text, server, resolv;        // resolv: what /etc/resolv.conf says
    bool      tcp, json;
    int64_t   count;
    world    *world;
    arena     memory;
    addr      to, local;
    exchange *exchanges;
    int       answered, out_of_order, last;      // last: the highest number that was answered
    int       code;
    str       trouble;                           // a sentence when code is not COMMAND_OK
} upper_run;

static void fail(upper_run *r, int code, str why)
{
    r->code = code;
    r->trouble = why;
}

// ---- where to -------------------------------------------------------------------------------------------------------------

// The name servers of this machine, as /etc/resolv.conf lists them, or the one that --server names.
static int name_servers(upper_run *r, addr out[SERVERS_MAX])
{
    str text = r->resolv;
    int count = 0;
    if (r->server.len > 0)
        return addr_parse(r->server, 53, &out[0]) ? 1 : 0;
    while (text.len > 0 && count < SERVERS_MAX) {
        str line = str_cut(&text, '\n');
        if (str_eq(str_word(&line), S("nameserver")) && addr_parse_ip(str_word(&line), 53, &out[count]))
            count++;
    }
    return count;
}

static bool find_host(upper_run *r)
{
    addr servers[SERVERS_MAX];
    int count;
    if (addr_parse(r->host, PORT, &r->to))
        return true;
    if (str_eq_nocase(r->host, S("localhost"))) {
        r->to = addr_v4(0x7f000001, PORT);
        return true;
    }
    count = name_servers(r, servers);
    if (count == 0) {
        fail(r, COMMAND_FAILED, S("no name server is known: give an address, or --server ADDRESS"));
        return false;
    }
    int found;
    dns_answer a = dns_ask_addresses(r->world, servers, count, r->host, &r->to, 1, &found, millis(CONNECT_MS),
                                     &r->memory);
    if (found > 0) {
        r->to.port = PORT;
        return true;
    }
    fail(r, COMMAND_UNREACHABLE, str_format(&r->memory, STR_FMT " has no address: " STR_FMT, STR_ARG(r->host),
         STR_ARG(a.why.len ? a.why : S("there is no such name"))));
    return false;
}

static void unreachable(upper_run *r, err e)
{
    fail(r, COMMAND_UNREACHABLE, str_format(&r->memory, "no answer from " STR_FMT " (%s): %s",
         STR_ARG(addr_text(&r->memory, r->to)), r->tcp ? "TCP" : "UDP", err_text(e)));
}

static void took(upper_run *r, int number, str answer)
{
    exchange *x = &r->exchanges[number];
    if (x->answered)
        return;                         // a datagram may also come twice
    x->answered = true;
    x->answer = str_copy(&r->memory, answer);
    x->took_ns = world_now_ns(r->world) - x->sent_ns;
    r->answered++;
    if (number < r->last)
        r->out_of_order++;
    else
        r->last = number;
}

// ---- UDP: no handshake, each datagram for itself --------------------------------------------------------------------------

// Which of ours an answer belongs to: with several, each text ends in its number.
static int number_of(const upper_run *r, str answer)
{
    uint64_t n;
    if (r->count == 1)
        return 0;
    ptrdiff_t space = str_rfind(answer, ' ');
    return str_to_u64(str_from(answer, space + 1), &n) && n >= 1 && n <= (uint64_t)r->count ? (int)n - 1 : -1;
}

static err receive_one(upper_run *r, sock *s, unsigned char *into, int64_t until_ns)
{
    datagram in = {.at = into, .size = ANSWER_BYTES_MAX};
    int n = 0;
    err e;
    while ((e = sock_receive(s, &in, 1, &n)) == E_AGAIN)
        if ((e = sock_wait(s, WAIT_READ, until_ns)) != E_OK)
            return e;
    int number = e ? -1 : number_of(r, str_of(in.at, in.len));
    if (number >= 0)
        took(r, number, str_of(in.at, in.len));
    return e;
}

static err send_one(upper_run *r, sock *s, int number)
{
    exchange *x = &r->exchanges[number];
    datagram out = {.peer = r->to, .at = (unsigned char *)(uintptr_t)x->sent.at, .len = (size_t)x->sent.len};
    int n = 0;
    err e;
    x->sent_ns = world_now_ns(r->world);
    while ((e = sock_send(s, &out, 1, &n)) == E_AGAIN)
        if ((e = sock_wait(s, WAIT_WRITE, NEVER_NS)) != E_OK)
            return e;
    return e;
}

static err speak_udp(upper_run *r, sock *s, unsigned char *into)
{
    err e = E_OK;
    for (int sent = 0; sent < r->count && !e; ) {
        int burst = sent + BURST < r->count ? sent + BURST : (int)r->count;
        for (; sent < burst && !e; sent++)
            e = send_one(r, s, sent);
        while (!e && r->answered < sent)
            e = receive_one(r, s, into, world_now_ns(r->world) + millis(WAIT_MS));
        if (e == E_TIMEOUT)
            e = E_OK;                   // lost, on the way there or back: nobody tells us
    }
    return e;
}

static void ask_udp(upper_run *r)
{
    sock *s;
    err e = sock_datagram(r->world, (addr){.family = r->to.family}, false, &s);
    if (e) {
        unreachable(r, e);
        return;
    }
    e = sock_datagram_connect(s, r->to);        // not a connection: the kernel only tells us when nobody listens there
    unsigned char *into = memory_new(ANSWER_BYTES_MAX);
    if (!e)
        e = speak_udp(r, s, into);
    r->local = sock_local(s);
    if (e || r->answered == 0)
        unreachable(r, e ? e : E_TIMEOUT);
    memory_free(into);
    sock_close(s);
}

// ---- TCP: a connection, a stream of bytes ---------------------------------------------------------------------------------

// The answer to one text: as many chunks as it takes. How long it will be nobody says (upper case may be longer), so it
// ends when nothing more has come for a moment; an answer of the text's own length is taken at once.
static str read_answer(upper_run *r, conn *c, ptrdiff_t expected)
{
    buf all = buf_make(ANSWER_BYTES_MAX * 4);
    conn_deadline(c, millis(WAIT_MS));
    while ((ptrdiff_t)all.len < expected && !c->error) {
        if (all.len > 0 && conn_wait_input(c, loop_now_ns() + millis(100)) == E_TIMEOUT)
            break;
        str some = conn_some(c);
        buf_put(&all, some);
        conn_used(c, (size_t)some.len);
    }
    str answer = str_copy(&r->memory, buf_str(&all));
    buf_free(&all);
    return answer;
}

static void ask_tcp(upper_run *r)
{
    conn *c = conn_open(r->world, r->to, millis(CONNECT_MS));
    r->local = c->local;
    for (int i = 0; i < r->count && !c->error; i++) {
        exchange *x = &r->exchanges[i];
        x->sent_ns = world_now_ns(r->world);
        conn_put(c, x->sent);           // no newline: the answer comes all the same
        str answer = read_answer(r, c, x->sent.len);
        if (answer.len > 0)
            took(r, i, answer);
    }
    if (c->error && r->answered < r->count)
        unreachable(r, c->error);
    conn_close(c);
}

static void run(void *arg)
{
    upper_run *r = arg;
    if (!find_host(r))
        return;
    r->exchanges = arena_array(&r->memory, exchange, r->count);
    for (int i = 0; i < r->count; i++)
        r->exchanges[i].sent = r->count == 1 ? r->text : str_format(&r->memory, STR_FMT " %d", STR_ARG(r->text), i + 1);
    if (r->tcp)
        ask_tcp(r);
    else
        ask_udp(r);
}

// ---- telling --------------------------------------------------------------------------------------------------------------

static void print_ms(FILE *to, int64_t ns)
{
    fprintf(to, "%lld.%03lld ms", (long long)(ns / NS_PER_MS), (long long)(ns / 1000 % 1000));
}

// What there is to see of the transport, for whoever sits at a terminal.
static void tell_facts(upper_run *r)
{
    str local = addr_text(&r->memory, r->local), to = addr_text(&r->memory, r->to);
    if (r->tcp)
        fprintf(stderr, "TCP: a connection was made first, " STR_FMT " to " STR_FMT "; then bytes went both ways, without "
                "marks between them\n", STR_ARG(local), STR_ARG(to));
    else
        fprintf(stderr, "UDP: no handshake; each datagram carries both addresses, from " STR_FMT " to " STR_FMT "\n",
                STR_ARG(local), STR_ARG(to));
    fprintf(stderr, "%d sent, %d answered", (int)r->count, r->answered);
    if (!r->tcp)
        fprintf(stderr, ", %d lost, %d out of order", (int)r->count - r->answered, r->out_of_order);
    if (r->count == 1 && r->answered == 1) {
        fprintf(stderr, "; the answer took ");
        print_ms(stderr, r->exchanges[0].took_ns);
    }
    fprintf(stderr, "\n");
}

// What a stranger sent does not steer the terminal.
static void print_line(str s, bool to_terminal)
{
    while (s.len > 0) {
        uint32_t code = 0;
        int n = utf8_decode(s, &code);
        bool odd = to_terminal && (n == 0 || utf8_is_control(code));
        printf(STR_FMT, STR_ARG(odd ? S("?") : str_first(s, n ? n : 1)));
        s = str_from(s, n ? n : 1);
    }
    printf("\n");
}

static void print_text(upper_run *r)
{
    for (int i = 0; i < r->count; i++)
        if (r->exchanges[i].answered)
            print_line(r->exchanges[i].answer, terminal_at(1));
    if (terminal_at(2))
        tell_facts(r);
}

static void print_json(upper_run *r)
{
    buf out = buf_make(64 << 20);
    buf_format(&out, "{\"transport\": \"%s\", \"from\": \"" STR_FMT "\", \"to\": \"" STR_FMT "\", ",
               r->tcp ? "tcp" : "udp", STR_ARG(addr_text(&r->memory, r->local)), STR_ARG(addr_text(&r->memory, r->to)));
    buf_format(&out, "\"sent\": %d, \"answered\": %d, \"lost\": %d, \"out_of_order\": %d, \"exchanges\": [",
               (int)r->count, r->answered, (int)r->count - r->answered, r->out_of_order);
    for (int i = 0; i < r->count; i++) {
        const exchange *x = &r->exchanges[i];
        buf_format(&out, "%s{\"sent\": ", i ? ", " : "");
        json_put(&out, x->sent);
        buf_put(&out, S(", \"answer\": "));
        if (x->answered) {
            json_put(&out, x->answer);
            buf_format(&out, ", \"took_us\": %lld", (long long)(x->took_ns / 1000));
        } else {
            buf_put(&out, S("null"));
        }
        buf_put(&out, S("}"));
    }
    buf_put(&out, S("]}"));
    printf(STR_FMT "\n", STR_ARG(buf_str(&out)));
    buf_free(&out);
}

static const char more[] =
    "HOST is an address, an address with a port (127.0.0.1:12000, [::1]:12000), or a name.\n"
    "  naru upper 127.0.0.1 hello             a datagram there, a datagram back\n"
    "  naru upper --tcp 127.0.0.1 hello       over a connection\n"
    "  naru upper --count 100 HOST hello      which of a hundred datagrams were lost, or overtook others?";

int cmd_upper(int argc, char **argv)
{
    upper_run r = {.count = 1};
    command_option options[] = {
        {"tcp", OPTION_FLAG, &r.tcp, NULL, "over a TCP connection instead of UDP datagrams"},
        {"count", OPTION_NUMBER, &r.count, "N", "send the text so many times, each with its number behind it"},
        {"server", OPTION_TEXT, &r.server, "ADDRESS", "the name server to ask for HOST (default: /etc/resolv.conf)"},
        {"json", OPTION_FLAG, &r.json, NULL, "print one JSON object"},
        {0},
    };
    command_help help = {"upper", "HOST TEXT", "Sends a text to HOST and prints it as it comes back: in upper case.", options, more};
    str words[2];
    int count, code;
    if (!options_read(argc, argv, &help, words, 2, &count, &code))
        return code;
    if (count != 2)
        return usage_error(&help, "HOST and TEXT are needed");
    if (r.count < 1 || r.count > COUNT_MAX)
        return usage_error(&help, "--count is a number from 1 to %d", COUNT_MAX);
    if (words[1].len == 0 || words[1].len > TEXT_BYTES_MAX)
        return usage_error(&help, "TEXT has 1 to %d bytes", TEXT_BYTES_MAX);
    r.host = words[0];
    r.text = words[1];
    r.memory = arena_make(256 << 20);
    r.world = world_linux_new(S("upper"), NULL, 0);
    // Without one HOST can only be an address.
    file_read_all(r.world, "/etc/resolv.conf", &r.memory, RESOLV_BYTES_MAX, &r.resolv);
    loop_driver *driver = driver_linux_new();
    if (loop_run(driver, r.world, run, &r) != E_OK)
        fail(&r, COMMAND_FAILED, S("this machine gives no memory for a fiber's stack"));
    if (r.code)
        command_error("upper", r.code, STR_FMT, STR_ARG(r.trouble));
    else if (r.json)
        print_json(&r);
    else
        print_text(&r);
    driver_linux_free(driver);
    world_linux_free(r.world);
    arena_free(&r.memory);
    return r.code;
}
