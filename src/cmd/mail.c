// naru mail: sends by submission (TLS and AUTH), reads by POP3.
#include "cmd/mail.h"

#include <iconv.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "cmd/commands.h"
#include "cmd/running.h"
#include "rt/loop.h"
#include "rt/tls.h"
#include "rt/worker.h"
#include "talk/dns_ask.h"
#include "wire/mail/address.h"

bool mail_fail(mail_run *r, int code, str why)
{
    r->code = code;
    r->trouble = why;
    return false;
}

// ---- text ------------------------------------------------------------------------------------------------------

str mail_charset(void *arg, str charset, str bytes, arena *msg)
{
    (void)arg;
    // Korean mail calls CP949 by these names, or EUC-KR, whose superset it is.
    bool korean = str_eq_nocase(charset, S("ks_c_5601-1987")) || str_eq_nocase(charset, S("ksc5601")) ||
        str_eq_nocase(charset, S("euc-kr"));
    iconv_t cd = iconv_open("UTF-8", korean ? "CP949" : str_to_z(msg, charset));
    size_t room = (size_t)bytes.len * 4 + 16, left = (size_t)bytes.len, space = room;
    char *out = arena_alloc(msg, room, 1, 1), *at = out, *in = str_to_z(msg, bytes);
    if (cd == (iconv_t)-1)
        return (str){0};
    while (out && left && iconv(cd, &in, &left, &at, &space) == (size_t)-1 && left && space > 3) {
        *at++ = '?', space--;                      // what is none of that charset
        in++, left--;
    }
    iconv_close(cd);
    return out ? str_of(out, room - space) : (str){0};
}

void mail_print(str text, bool one_line)
{
    while (text.len) {
        uint32_t code = 0;
        int n = utf8_decode(text, &code);
        bool odd = n == 0 || (utf8_is_control(code) && (one_line || (code != '\n' && code != '\t')));
        if (!odd || code != '\r')
            printf(STR_FMT, STR_ARG(odd ? S("?") : str_first(text, n)));
        text = str_from(text, n ? n : 1);
    }
}

// ---- who and where ---------------------------------------------------------------------------------------------

typedef struct { world *w; const char *path; size_t max; arena *a; str text; err e; } file_job;

static void file_job_run(void *arg)
{
    file_job *f = arg;
    f->e = file_read_all(f->w, f->path, f->a, f->max, &f->text);
}

static bool file_text(mail_run *r, str path, size_t max, str *out)
{
    file_job f = {.w = r->world, .path = str_to_z(&r->memory, path), .max = max, .a = &r->memory};
    work(file_job_run, &f);
    *out = f.text;
    return f.e == E_OK ||
           mail_fail(r, COMMAND_FAILED, str_format(&r->memory, "cannot read %s: %s", f.path, err_text(f.e)));
}

static str json_text(mail_run *r, const json_t *object, const char *key)
{
    return str_copy(&r->memory, str_z(json_string_value(json_object_get(object, key))));
}

// `naru try` leaves in DIR/try.json what it prints with --json: whoever may read its directory need not type it again.
static void ask_the_small_internet(mail_run *r, const char *service)
{
    str text = {0};
    if (!r->running.len)
        return;
    bool read = file_text(r, str_format(&r->memory, STR_FMT "/try.json", STR_ARG(r->running)), 1 << 20, &text);
    r->code = COMMAND_OK;                          // a real server has no such file
    json_t *all = read ? json_loadb((const char *)text.at, (size_t)text.len, 0, NULL) : NULL, *person;
    str domain = str_from(r->account, str_rfind(r->account, '@') + 1);
    json_t *host = json_object_get(json_object_get(all, "hosts"), str_to_z(&r->memory, domain));
    if (!r->server.len && host) {
        r->server = json_text(r, host, service);
        r->tls_host = domain;
        if (!r->ca_file.len)
            r->ca_file = json_text(r, all, "ca");
    }
    size_t i;
    json_array_foreach(json_object_get(all, "accounts"), i, person)
        if (!r->password.len && str_eq_nocase(json_text(r, person, "address"), r->account))
            r->password = json_text(r, person, "password");
    json_decref(all);
}

static bool password_find(mail_run *r)
{
    if (r->password_file.len && !file_text(r, r->password_file, MAIL_PASSWORD_BYTES_MAX, &r->password))
        return false;
    if (!r->password.len)
        r->password = str_copy(&r->memory, str_z(getenv("NARU_PASSWORD")));
    r->password = str_chomp(r->password);
    return r->password.len || mail_fail(r, COMMAND_USAGE,
                                        S("the password is not known: --password-file FILE, or $NARU_PASSWORD"));
}

static int name_servers(mail_run *r, addr out[DNS_ASK_SERVERS_MAX])
{
    str text = {0};
    int count = 0, code = r->code;
    if (r->dns.len)
        return addr_parse(r->dns, 53, &out[0]);
    if (!file_text(r, S("/etc/resolv.conf"), 64 * 1024, &text))
        r->code = code;
    while (text.len && count < DNS_ASK_SERVERS_MAX) {
        str line = str_cut(&text, '\n');
        if (str_eq(str_word(&line), S("nameserver")) && addr_parse_ip(str_word(&line), 53, &out[count]))
            count++;
    }
    return count;
}

static bool resolve(mail_run *r, str host, uint16_t port)
{
    addr servers[DNS_ASK_SERVERS_MAX];
    int count = name_servers(r, servers), found = 0;
    if (count == 0)
        return mail_fail(r, COMMAND_FAILED, S("no name server is known: give the server's address, or --dns ADDRESS"));
    dns_answer a = dns_ask_addresses(r->world, servers, count, host, &r->to, 1, &found, millis(MAIL_CONNECT_MS),
                                     &r->memory);
    r->to.port = port;
    str why = a.why.len ? a.why : S("there is no such name");
    return found || mail_fail(r, COMMAND_UNREACHABLE,
                              str_format(&r->memory, STR_FMT " has no address: " STR_FMT, STR_ARG(host), STR_ARG(why)));
}

bool mail_find_server(mail_run *r, const char *service, uint16_t port)
{
    address who;
    if (address_read(r->account, &r->memory, &who) != ADDRESS_OK)
        return mail_fail(r, COMMAND_USAGE, S("whose mail? --account NAME@DOMAIN"));
    if (!r->server.len || !r->password.len)
        ask_the_small_internet(r, service);
    if (!password_find(r))
        return false;
    if (!r->server.len)                            // a domain's own host is the best guess
        r->server = who.domain;
    if (addr_parse(r->server, port, &r->to)) {
        if (!r->tls_host.len)
            r->tls_host = addr_ip_text(&r->memory, r->to);
        return true;
    }
    str host = r->server, digits;
    uint64_t typed;
    ptrdiff_t colon = str_rfind(host, ':');
    if (colon > 0 && (digits = str_from(host, colon + 1)).len && str_to_u64(digits, &typed) && typed < 65536) {
        host = str_first(host, colon);
        port = (uint16_t)typed;
    }
    if (!r->tls_host.len)
        r->tls_host = host;
    return resolve(r, host, port);
}

bool mail_connect(mail_run *r, bool tls_first, conn **c, tls_config **tls)
{
    str why = {0};
    *tls = NULL;
    *c = NULL;
    if (!r->plaintext) {
        if (!file_text(r, r->ca_file.len ? r->ca_file : S("/etc/ssl/certs/ca-certificates.crt"), MAIL_CA_BYTES_MAX,
                       &r->ca_pem))
            return false;
        *tls = tls_client_new(r->world, r->ca_pem, NULL, &r->memory, &why);
        if (!*tls)
            return mail_fail(r, COMMAND_FAILED, why);
    }
    *c = conn_open(r->world, r->to, millis(MAIL_CONNECT_MS));
    if ((*c)->error)
        return mail_fail(r, COMMAND_UNREACHABLE, str_format(&r->memory, "no connection to " STR_FMT ": %s",
                         STR_ARG(addr_text(&r->memory, r->to)), err_text((*c)->error)));
    conn_deadline(*c, millis(MAIL_CONNECT_MS));
    if (tls_first && *tls && !conn_tls_connect(*c, *tls, r->tls_host))
        return mail_fail(r, COMMAND_FAILED,
                         str_format(&r->memory, "TLS with " STR_FMT ": " STR_FMT "; --ca FILE names a server's own authority",
                                    STR_ARG(addr_text(&r->memory, r->to)), STR_ARG(conn_tls_reason(*c, &r->memory))));
    return true;
}

// ---- the command -----------------------------------------------------------------------------------------------

static const struct { const char *name; void (*run)(mail_run *); } verbs[] = {
    {"send", mail_send}, {"list", mail_list}, {"read", mail_read}, {"delete", mail_delete},
};

static void run(void *arg)
{
    mail_run *r = arg;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (str_eq(r->verb, str_z(verbs[i].name)))
            verbs[i].run(r);
}

static const char more[] =
    "The body of a letter is --text, --file, or standard input. Beside a running `naru try` nothing else is needed:\n"
    "  naru mail send --account alice@crepes.fr bob@hamburger.edu --subject dinner --text 'Do you like ketchup?'\n"
    "  naru mail send --account alice@crepes.fr bob@hamburger.edu --attach photo.jpg,plan.pdf --text 'Two files'\n"
    "  naru mail list --account bob@hamburger.edu\n"
    "  naru mail read 1 --account bob@hamburger.edu --save DIR     (its attachments go to DIR)\n"
    "  naru mail delete 1 --account bob@hamburger.edu\n"
    "Anywhere else: --server HOST[:PORT] and --password-file FILE. Ports: 587 or 465 to send, 110 or 995 to read.";

int cmd_mail(int argc, char **argv)
{
    mail_run r = {.memory = arena_make(MAIL_MEMORY_BYTES_MAX)};
    const command_option options[] = {
        {"account", OPTION_TEXT, &r.account, "ADDRESS", "whose mail: the address that logs in"},
        {"from", OPTION_TEXT, &r.from, "ADDRESS", "send: another From than the account; may hold a name"},
        {"cc", OPTION_TEXT, &r.cc, "LIST", "send: further recipients, separated by commas"},
        {"subject", OPTION_TEXT, &r.subject, "TEXT", "send: the subject"},
        {"text", OPTION_TEXT, &r.text, "TEXT", "send: the letter's text"},
        {"file", OPTION_TEXT, &r.text_file, "FILE", "send: the letter's text from a file"},
        {"attach", OPTION_TEXT, &r.attach, "FILES", "send: files to attach, separated by commas"},
        {"save", OPTION_TEXT, &r.save, "DIR", "read: put the attachments there"},
        {"raw", OPTION_FLAG, &r.raw, NULL, "read: the letter as it came"},
        {"server", OPTION_TEXT, &r.server, "HOST[:PORT]", "the mail server (default: the account's domain)"},
        {"dns", OPTION_TEXT, &r.dns, "ADDRESS", "the name server to ask for it (default: /etc/resolv.conf)"},
        {"ca", OPTION_TEXT, &r.ca_file, "FILE", "trust these authorities (default: the system's)"},
        {"tls", OPTION_FLAG, &r.tls, NULL, "TLS from the first byte, as on ports 465 and 995 (default: STARTTLS)"},
        {"plaintext", OPTION_FLAG, &r.plaintext, NULL, "read without TLS (loopback only: servers refuse it elsewhere)"},
        {"password", OPTION_TEXT, &r.password, "TEXT", "the password; others on this machine can see it in `ps`"},
        {"password-file", OPTION_TEXT, &r.password_file, "FILE", "the password's file (default: $NARU_PASSWORD)"},
        {"dir", OPTION_TEXT, &r.dir, "DIR", "the directory of the running naru"},
        {"json", OPTION_FLAG, &r.json, NULL, "print JSON"},
        {0},
    };
    const command_help help = {"mail", "send TO... | list | read NUMBER | delete NUMBER...",
                               "Sends, lists, reads and deletes mail.", options, more};
    if (!options_read(argc, argv, &help, r.words, MAIL_RECIPIENTS_MAX, &r.word_count, &r.code))
        return r.code;
    bool known = false;
    r.verb = r.word_count ? r.words[0] : (str){0};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        known |= str_eq(r.verb, str_z(verbs[i].name));
    if (!known)
        return usage_error(&help, "say: send, list, read or delete");
    if ((!r.server.len || !r.password.len) && !running_find(&r.memory, r.dir, &r.running))
        r.running = (str){0};                      // (before the loop: it blocks)
    signals_block();
    workers_start(2);
    r.world = world_linux_new(S("mail"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    if (loop_run(driver, r.world, run, &r) != E_OK)
        mail_fail(&r, COMMAND_FAILED, S("no memory for a fiber"));
    driver_linux_free(driver);
    workers_stop();
    world_linux_free(r.world);
    if (r.code != COMMAND_OK)
        command_error("mail", r.code, STR_FMT, STR_ARG(r.trouble));
    arena_free(&r.memory);
    return r.code;
}
