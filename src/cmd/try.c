// naru try: the small Internet, ready in two seconds, nothing left behind.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "cmd/film_copy.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "cmd/small_cdn.h"
#include "cmd/small_film.h"
#include "cmd/small_internet.h"
#include "cmd/small_swarm.h"
#include "cmd/directory_remove.h"
#include "rooms/steering/steering.h"
#include "rooms/swarm/swarm.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/space.h"
#include "rt/worker.h"

enum { TRY_JSON_BYTES_MAX = 256 * 1024, TRY_PATH_BYTES = 256, TRY_LOG_BYTES_MAX = 16 << 20,
       TRY_FILMS_MS = 1000 };

typedef struct {
    bool  shell, json, verbose, in_space;
    str   wanted_directory, language, map, films;
    str   directory;
    bool  temporary;                 // made by us, removed at the end
    str   space_refused;             // why there is no space of our own
    arena memory;
    small_internet internet;
    FILE *log;
    int   code;
    int   shell_pid;
} trying;

// ---- what people and programs read ---------------------------------------------------------------------------------------

static void put_pair(buf *out, const char *before, const char *key, str value)
{
    buf_format(out, "%s\"%s\": ", before, key);
    json_put(out, value);
}

static void put_host(trying *t, small_host *h, bool first, buf *out)
{
    static const struct { const char *key; uint16_t port; bool mail, names, upper, tracker, swarm, edge, origin, steering, console; } services[] = {
        {"smtp", 25, .mail = true}, {"submission", 587, .mail = true}, {"submissions", 465, .mail = true},
        {"pop3", 110, .mail = true}, {"pop3s", 995, .mail = true}, {"dns", 53, .names = true}, {"upper", 12000, .upper = true},
        {"tracker", 6969, .tracker = true}, {"bittorrent", 6881, .swarm = true}, {"rpc", 9091, .swarm = true},
        {"http", 80, .edge = true}, {"origin", 8080, .origin = true}, {"steering", 8081, .steering = true},
        {"console", 8000, .console = true},
    };
    buf_put(out, first ? S("\n    ") : S(",\n    "));
    json_put(out, str_eq(h->host->name, S("local")) ? S("resolver") : h->host->name);
    buf_put(out, S(": {"));
    const char *comma = "";
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        bool there = (services[i].mail && h->host->mail_domain.len) || (services[i].names && (h->host->zone_count || h->host->resolver)) ||
                     (services[i].upper && h->host->upper) || (services[i].tracker && h->host->tracker) ||
                     (services[i].swarm && h->host->swarm) || (services[i].edge && h->host->edge.len) ||
                     (services[i].origin && h->host->origin) || (services[i].steering && h->host->steering.len) ||
                     (services[i].console && h->host->console);
        if (!there)
            continue;
        put_pair(out, comma, services[i].key, small_where(&t->internet, h, services[i].port, &t->memory));
        comma = ", ";
    }
    put_pair(out, comma, "dir", h->directory);
    buf_put(out, S("}"));
}

static str json_of(trying *t)
{
    buf out = buf_make(TRY_JSON_BYTES_MAX);
    put_pair(&out, "{", "dir", t->directory);
    put_pair(&out, ", ", "ca", t->internet.ca_path);
    buf_put(&out, S(", \"hosts\": {"));
    for (int i = 0; i < t->internet.count; i++)
        put_host(t, &t->internet.hosts[i], i == 0, &out);
    buf_put(&out, S("\n  }, \"accounts\": ["));
    for (int i = 0; i < t->internet.account_count; i++) {
        put_pair(&out, i ? ",\n    {" : "\n    {", "address", t->internet.accounts[i].address);
        put_pair(&out, ", ", "password", t->internet.accounts[i].password);
        buf_put(&out, S("}"));
    }
    buf_put(&out, S("\n  ]}\n"));
    str text = str_copy(&t->memory, buf_str(&out));
    buf_free(&out);
    return text;
}

typedef struct { trying *t; str text; } leaving;

static void leave_blocking(void *arg)
{
    leaving *l = arg;
    char *path = str_to_z(&l->t->memory, str_format(&l->t->memory, STR_FMT "/try.json", STR_ARG(l->t->directory)));
    if (file_replace(l->t->internet.world, path, l->text, 0600) != E_OK)
        command_error("try", COMMAND_OK, "cannot write %s: `naru mail` must be told servers and passwords", path);
}

// The same object stands in DIR/try.json, where `naru mail` finds servers, authority and passwords.
static void print_json(trying *t)
{
    leaving l = {t, json_of(t)};
    work(leave_blocking, &l);
    if (t->json) {
        fwrite(l.text.at, 1, (size_t)l.text.len, stdout);
        fflush(stdout);
    }
}

static void print_people(trying *t)
{
    bool en = !str_eq(t->language, S("ko"));
    printf("\n  %s\n", en ? "People                 password" : "사람들                 비밀번호");
    for (int i = 0; i < t->internet.account_count; i++)
        printf("  %-22s " STR_FMT "\n", str_to_z(&t->memory, t->internet.accounts[i].address), STR_ARG(t->internet.accounts[i].password));
}

// Where this program lies.
static str own_directory(trying *t)
{
    char path[TRY_PATH_BYTES * 4];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    str whole = n > 0 ? str_of(path, (size_t)n) : S("./naru");
    return str_copy(&t->memory, str_first(whole, str_rfind(whole, '/')));
}

// What to type for `naru` on this terminal: the word itself when PATH finds this program, else its path.
static str own_command(trying *t)
{
    str path = str_z(getenv("PATH")), own = own_directory(t);
    while (path.len && !t->in_space)
        if (str_eq(str_cut(&path, ':'), own))
            return S("naru");
    char here[TRY_PATH_BYTES * 4];
    if (t->in_space)
        return S("naru");
    str from = getcwd(here, sizeof here) ? str_z(here) : (str){0};
    if (from.len && str_starts(own, from) && own.len > from.len && own.at[from.len] == '/')
        return str_format(&t->memory, STR_FMT "/naru", STR_ARG(str_from(own, from.len + 1)));
    return str_join(&t->memory, own, S("/naru"));
}

static str host_port(trying *t, const char *host, uint16_t port, char between)
{
    small_host *h = small_find(&t->internet, str_z(host));
    if (t->in_space)
        return str_format(&t->memory, "%s%c%d", host, between, port);
    return str_format(&t->memory, STR_FMT "%c%d", STR_ARG(addr_ip_text(&t->memory, h->host->here[0])), between, small_port(&t->internet, port));
}

// The clever client in this terminal.
static void print_player(trying *t, str naru, str url, bool en)
{
    printf("  %s\n    " STR_FMT " play " STR_FMT, en ? "DASH's clever client, here in the terminal: when, what and where it asks:" :
           "DASH의 영리한 클라이언트를 이 터미널에서: 언제, 무엇을, 어디에 묻는지:", STR_ARG(naru), STR_ARG(url));
    if (t->in_space)
        printf("\n    dig video.netcinema.com\n    curl -L " STR_FMT "\n", STR_ARG(url));
    else
        printf(" --resolver @" STR_FMT ":%d\n", STR_ARG(addr_ip_text(&t->memory, lab_find(&t->internet.map, S("local"))->here[0])),
               small_port(&t->internet, 53));
}

static void print_steering(trying *t, const small_host *steering, str naru, bool en)
{
    str bob = addr_ip_text(&t->memory, lab_find(&t->internet.map, S("local"))->here[0]);
    printf("  %s\n    " STR_FMT " steering show\n    " STR_FMT " steering why " STR_FMT "\n", en ? "The CDN's nodes, and where Bob's name server is sent:" :
           "CDN의 노드들, 그리고 밥의 네임 서버가 보내지는 곳:", STR_ARG(naru), STR_ARG(naru), STR_ARG(bob));
    printf("    curl 'http://" STR_FMT "/steer/" SMALL_FILM_ID "'\n", STR_ARG(host_port(t, str_to_z(&t->memory, steering->host->name), STEERING_PORT, ':')));
}

// Who is sent where, and the film.
static void print_video(trying *t, str naru, bool en)
{
    small_host *steering = small_cdn_steering(&t->internet);
    if (steering)
        print_steering(t, steering, naru, en);
    print_player(t, naru, small_cdn_film_url(&t->internet, &t->memory), en);
    for (int i = 0; i < t->internet.map.count; i++) {
        const lab_host *h = &t->internet.map.hosts[i];
        if (!h->console)
            continue;
        printf("  %s\n    http://" STR_FMT "/\n", en ? "The company's page, in a browser: register and watch, or sign in as operator@netcinema.com and change the line's rate:" :
               "회사의 화면을 브라우저로: 가입하고 보거나, operator@netcinema.com으로 로그인해 회선의 속도를 바꿔 보기:", STR_ARG(host_port(t, str_to_z(&t->memory, h->name), 8000, ':')));
        printf("  %s\n    " STR_FMT " video sample --host origin.netcinema.com --id real\n    " STR_FMT " console accounting\n",
               en ? "A film with pictures for it (the one that is there is made of zeros and ones alone), and who watched what:" :
               "거기서 볼, 그림이 있는 영화 (있던 것은 숫자뿐임), 그리고 누가 무엇을 봤는지:", STR_ARG(naru), STR_ARG(naru));
    }
}

static void print_things_to_do(trying *t)
{
    const small_account *bob = small_account_of(&t->internet, S("bob@hamburger.edu"));
    str naru = own_command(t);
    str resolver = addr_ip_text(&t->memory, lab_find(&t->internet.map, S("local"))->here[0]);
    bool en = !str_eq(t->language, S("ko"));
    printf("\n  %s\n", en ? "Type the textbook's letter (HELO crepes.fr, MAIL FROM: <alice@crepes.fr>, RCPT TO: <bob@hamburger.edu>, DATA, ., QUIT):"
                          : "교재의 편지를 직접 쳐 보세요 (HELO crepes.fr, MAIL FROM: <alice@crepes.fr>, RCPT TO: <bob@hamburger.edu>, DATA, ., QUIT):");
    printf("    telnet " STR_FMT "\n", STR_ARG(host_port(t, "hamburger.edu", 25, ' ')));
    printf("  %s\n    curl pop3://" STR_FMT "/1 -u bob@hamburger.edu:" STR_FMT "\n", en ? "Read it:" : "읽기:",
           STR_ARG(host_port(t, "hamburger.edu", 110, ':')), STR_ARG(bob->password));
    printf("  %s\n    " STR_FMT " story --last\n", en ? "See every message that passed, from the root query to POP3:" : "루트 질의부터 POP3까지 오간 모든 메시지 보기:", STR_ARG(naru));
    printf("  %s\n", en ? "Names, from the root:" : "루트부터 이름 찾기:");
    int dns = small_port(&t->internet, 53);
    if (t->in_space)
        printf("    dig www.networkutopia.com\n    " STR_FMT " query gaia.cs.umass.edu --trace\n", STR_ARG(naru));
    else
        printf("    dig @" STR_FMT " -p %d www.networkutopia.com\n    " STR_FMT " query gaia.cs.umass.edu @" STR_FMT "#%d --trace\n",
               STR_ARG(resolver), dns, STR_ARG(naru), STR_ARG(resolver), dns);
    printf("  %s\n    " STR_FMT " upper " STR_FMT " \"ketchup and pickles\"\n", en ? "Upper case over UDP:" : "UDP 대문자 서버:",
           STR_ARG(naru), STR_ARG(t->in_space ? S("hamburger.edu") : host_port(t, "hamburger.edu", 12000, ':')));
    small_host *alice = small_find(&t->internet, S("alice.torrent.edu"));
    if (alice && alice->host->swarm) {
        printf("  %s\n    " STR_FMT " torrent add " STR_FMT "/" SMALL_SWARM_NAME ".torrent --host alice.torrent.edu --limit-down 2Mbit\n",
               en ? "Fetch a file from peers at Alice's, and watch:" : "앨리스의 자리에서 피어들에게 파일을 받고 지켜보기:", STR_ARG(naru), STR_ARG(t->directory));
        printf("    " STR_FMT " torrent list --host alice.torrent.edu --watch\n    %s http://" STR_FMT "/\n", STR_ARG(naru), en ? "or in a browser:" : "또는 브라우저로:",
               STR_ARG(host_port(t, "alice.torrent.edu", SWARM_RPC_PORT, ':')));
    }
    if (t->map.len)
        print_video(t, naru, en);
    printf("  %s\n    " STR_FMT " scene --all\n\n", en ? "Play the course's cases:" : "강의의 장면들 재생:", STR_ARG(naru));
}

static void print_welcome(trying *t)
{
    bool en = !str_eq(t->language, S("ko"));
    printf("\n  %s\n", en ? "The small Internet is up: root, com net org edu kr uk fr ca, crepes.fr, hamburger.edu, sch.ac.kr, gmail.com and others."
                          : "작은 인터넷이 떴습니다: root, com net org edu kr uk fr ca, crepes.fr, hamburger.edu, sch.ac.kr, gmail.com 등.");
    if (t->space_refused.len)
        printf("  %s: " STR_FMT "\n", en ? "No network of its own here, so loopback addresses and high ports are used" :
               "자기만의 네트워크를 만들 수 없어 루프백 주소와 높은 포트를 씁니다", STR_ARG(t->space_refused));
    print_people(t);
    print_things_to_do(t);
    printf("  %s " STR_FMT "\n", en ? "Data, zones, log:" : "데이터, 존 파일, 로그:", STR_ARG(t->directory));
    const char *left = t->temporary ? (en ? "leaves nothing" : "아무것도 남지 않습니다")
                                    : (en ? "keeps the data above" : "위의 데이터는 남습니다");
    if (t->in_space)
        printf(en ? "  This is a shell inside the small Internet; `exit` ends it all and %s.\n"
                    "  Its addresses lead there from in here alone: start a browser from this shell too.\n\n"
                  : "  여기는 작은 인터넷 안의 셸입니다. `exit`로 끝나며 %s.\n"
                    "  이 주소들은 이 안에서만 통합니다. 브라우저도 이 셸에서 시작하세요.\n\n", left);
    else
        printf(en ? "  Ctrl-C ends it all and %s.\n\n" : "  Ctrl-C로 끝나며 %s.\n\n", left);
    fflush(stdout);
}

// ---- running ----------------------------------------------------------------------------------------------------------

static void log_to_file(void *arg, str line)
{
    trying *t = arg;
    if (!t->log || ftell(t->log) > TRY_LOG_BYTES_MAX)
        return;
    fwrite(line.at, 1, (size_t)line.len, t->log);
    fputc('\n', t->log);
    fflush(t->log);
}

static void watch_signals(void *arg)
{
    trying *t = arg;
    if (signal_wait() != 0 && t->shell_pid > 0)
        shell_hang_up(t->shell_pid);
}

static void converse_in_shell(trying *t)
{
    // The commands as they are printed must work in there: this very program first in PATH.
    const char *path = getenv("PATH");
    const char *variables[] = {
        str_to_z(&t->memory, str_join(&t->memory, S("NARU_DIR="), t->directory)),
        str_to_z(&t->memory, str_format(&t->memory, "PATH=" STR_FMT "%s%s", STR_ARG(own_directory(t)), path ? ":" : "", path ? path : "")),
        "PS1=naru$ ", "debian_chroot=small Internet", NULL};      // the second: Debian's own prompt shows it
    if (shell_start(variables, &t->shell_pid) != E_OK) {
        t->code = command_error("try", COMMAND_FAILED, "cannot start a shell ($SHELL)");
        return;
    }
    SCOPE(signals, 0, 1);
    scope_go(&signals, "signals", watch_signals, t);
    int code = shell_wait(t->shell_pid);
    t->code = code == 0 || code > 128 ? COMMAND_OK : code;
}

typedef struct { trying *t; char *from, *to; } bringing;

static void films_blocking(void *arg)
{
    bringing *b = arg;
    int count;
    films_copy(b->t->internet.world, b->from, b->to, &count);
}

// Films that are made meanwhile (tools/run) come to the origins when they are there.
static void bring_films(void *arg)
{
    trying *t = arg;
    do {
        for (int i = 0; i < t->internet.count; i++) {
            small_host *h = &t->internet.hosts[i];
            arena a = arena_make(64 * 1024);
            bringing b = {t, str_to_z(&a, t->films), str_to_z(&a, str_join(&a, h->directory, S("/origin")))};
            if (h->host->origin)
                work(films_blocking, &b);
            arena_free(&a);
        }
    } while (fiber_sleep(millis(TRY_FILMS_MS)) == E_OK);
}

static void play(void *arg)
{
    trying *t = arg;
    str why = {0};
    SCOPE(films, 0, 1);
    small_options options = {.directory = t->directory, .real_addresses = t->in_space, .real_ports = t->in_space,
                             .retry_ns = seconds(10), .expire_ns = minutes(10), .map = t->map};
    if (small_internet_start(&t->internet, options, &why) != E_OK) {
        t->code = command_error("try", COMMAND_FAILED, "the small Internet did not start: " STR_FMT, STR_ARG(why));
        small_internet_stop(&t->internet);
        return;
    }
    bool listed = running_announce(&t->memory, t->directory);
    print_json(t);
    if (!t->json)
        print_welcome(t);
    if (t->films.len)
        scope_go(&films, "films", bring_films, t);
    if (t->in_space)
        converse_in_shell(t);
    else
        signal_wait();
    scope_close(&films);
    if (listed)
        running_forget(&t->memory, t->directory);
    small_internet_stop(&t->internet);
}

static bool directory_choose(trying *t)
{
    if (t->wanted_directory.len) {
        char *path = realpath(str_to_z(&t->memory, t->wanted_directory), NULL);
        char here[TRY_PATH_BYTES];
        if (path)
            t->directory = str_copy(&t->memory, str_z(path));
        else if (t->wanted_directory.at[0] == '/')
            t->directory = t->wanted_directory;
        else if (getcwd(here, sizeof here))
            t->directory = str_format(&t->memory, "%s/" STR_FMT, here, STR_ARG(t->wanted_directory));
        free(path);
        return t->directory.len > 0 && t->directory.len < TRY_PATH_BYTES;
    }
    char made[] = "/tmp/naru-try-XXXXXX";
    if (!mkdtemp(made))
        return false;
    t->directory = str_copy(&t->memory, str_z(made));
    t->temporary = true;
    return true;
}

// A shell that answers only to high ports when the machine refuses a space; says why.
static void space_try(trying *t)
{
    const char *directory = str_to_z(&t->memory, t->directory);
    err e = space_enter(&t->memory, &t->space_refused);
    str resolver = S("nameserver 128.238.29.10\noptions timeout:2\n");
    if (e == E_OK)
        e = space_file_over("/etc/resolv.conf", directory, "resolv.conf", resolver, &t->memory, &t->space_refused);
    if (e == E_OK && access("/etc/nsswitch.conf", R_OK) == 0) {
        str ignored;
        (void)space_file_over("/etc/nsswitch.conf", directory, "nsswitch.conf", S("passwd: files\ngroup: files\nhosts: files dns\n"), &t->memory, &ignored);
    }
    t->in_space = e == E_OK;
}

static int run(trying *t)
{
    signals_block();
    log_setup(LOG_LOGFMT, t->verbose ? LOG_DEBUG : LOG_INFO, log_to_file, t);
    workers_start(2);
    loop_driver *driver = driver_linux_new();
    world *w = world_linux_new(S("try"), NULL, 0);
    t->log = fopen(str_to_z(&t->memory, str_format(&t->memory, STR_FMT "/log", STR_ARG(t->directory))), "we");
    if (loop_run(driver, w, play, t) != E_OK)
        t->code = command_error("try", COMMAND_FAILED, "no guarded stack can be had: raise vm.max_map_count or free memory");
    driver_linux_free(driver);
    workers_stop();
    if (t->log)
        fclose(t->log);
    if (t->temporary)
        directory_remove(w, t->directory);
    world_linux_free(w);
    return t->code;
}

int cmd_try(int argc, char **argv)
{
    static trying state;                     // large; one a process
    trying *t = &state;
    t->memory = arena_make(4 << 20);
    str lang = {0};
    const command_option options[] = {
        {"shell", OPTION_FLAG, &t->shell, NULL, "a shell inside, with the course's addresses and real ports (needs a terminal)"},
        {"json", OPTION_FLAG, &t->json, NULL, "print one JSON object when everything is ready, keep running"},
        {"dir", OPTION_TEXT, &t->wanted_directory, "DIR", "keep the data here (default: a temporary directory, removed at the end)"},
        {"map", OPTION_TEXT, &t->map, "NAME", "with a film: one giant server (giant), or a CDN (enter-deep, bring-home, three-cdns)"},
        {"films", OPTION_TEXT, &t->films, "DIR", "with --map: films of this catalogue (naru video --catalogue DIR), also those that come later"},
        {"lang", OPTION_TEXT, &lang, "en|ko", "language of what is explained"},
        {"verbose", OPTION_FLAG, &t->verbose, NULL, "log more"},
        {0},
    };
    const command_help help = {"try", "", "Starts the small Internet on this machine: no root, nothing left behind.", options,
                               "Ctrl-C (or `exit` in the shell) ends it."};
    int code, words;
    if (!options_read(argc, argv, &help, NULL, 0, &words, &code))
        return code;
    t->language = language_choose(lang);
    if (!t->language.len)
        return usage_error(&help, "--lang wants en or ko");
    if (!directory_choose(t))
        return command_error("try", COMMAND_FAILED, "cannot make a data directory in /tmp; use --dir DIR");
    str running;
    if (!t->temporary && running_find(&t->memory, t->directory, &running))
        return command_error("try", COMMAND_FAILED, "another naru runs in \"" STR_FMT "\": stop that one, or name another directory with --dir",
                             STR_ARG(t->directory));
    world *w = world_linux_new(S("try"), NULL, 0);
    err made = dir_make(w, str_to_z(&t->memory, t->directory), 0700);
    world_linux_free(w);
    if (made != E_OK)
        return command_error("try", COMMAND_FAILED, "cannot make the directory \"" STR_FMT "\": %s; name another with --dir",
                             STR_ARG(t->directory), made == E_EXISTS ? "there is a file of that name" : err_text(made));
    if (t->shell && !terminal_at(STDIN_FILENO))
        t->space_refused = S("--shell needs a terminal");
    else if (t->shell)
        space_try(t);
    code = run(t);
    arena_free(&t->memory);
    return code;
}
