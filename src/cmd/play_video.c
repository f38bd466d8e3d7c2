// naru play URL: plays a film by DASH or HLS; headless or as a live view in the terminal, with the picture in mpv
// or ffplay if wanted.
#include "cmd/play_video.h"

#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/options.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/terminal.h"
#include "rt/tls.h"
#include "rt/worker.h"
#include "talk/dns_ask.h"
#include "wire/media/segment_url.h"

enum { MEMORY_BYTES_MAX = 64 << 20, LOOK_MS = 50, DRAW_MS = 200, FIBERS_MAX = 6, RESOLV_BYTES_MAX = 64 * 1024, CA_BYTES_MAX = 4 << 20,
       STEP_MS = 10000, JUMPS = 10 };

typedef struct {
    player_options options;
    str      url, rule, resolver, ca_file, to, language;
    int64_t  rung, buffer_s, delay_ms, seconds, speed, from_s;
    bool     mpv, ffplay, json, quiet, verbose, no_report;
    bool     korean, view, keys;
    arena    memory;
    world   *world;
    player  *player;
    play_hand *hand;
    str      hand_trouble;
    play_history history;
    player_view last;
    int      drawn;                          // lines of the view that stand on the screen
    int64_t  sampled_ns, drawn_ns;
    scope   *all;
    bool     interrupted, ended;
    err      outcome;
    int      code;
} playing;

static int fail(playing *p, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail(playing *p, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str text = str_vformat(&p->memory, format, args);
    va_end(args);
    return p->code = command_error("play", code, STR_FMT, STR_ARG(text));
}

// ---- the live view -------------------------------------------------------------------------------------------------------------------

static void view_wipe(playing *p)
{
    for (; p->drawn > 0; p->drawn--)
        fprintf(stderr, "\033[A\033[K");
    fflush(stderr);
}

static void view_draw(playing *p)
{
    buf out = buf_make(PLAY_TEXT_BYTES_MAX);
    int lines = 0;
    if (p->drawn > 0)
        buf_format(&out, "\033[%dA", p->drawn);
    play_draw(&out, &p->last, &p->history, terminal_columns(), p->keys, p->korean);
    for (size_t i = 0; i < out.len; i++)
        lines += out.at[i] == '\n';
    fwrite(out.at, 1, out.len, stderr);
    fflush(stderr);
    buf_free(&out);
    p->drawn = lines;
}

static void heard(void *arg, const player_event *e)
{
    playing *p = arg;
    buf line = buf_make(4096);
    player_look(p->player, &p->last);
    if (e->type == PLAYER_LOADED && p->from_s > 0)
        player_jump(p->player, p->from_s * 1000);
    if (p->verbose) {
        view_wipe(p);
        play_event_line(&line, &p->last, e, p->korean);
        fwrite(line.at, 1, line.len, stderr);
    }
    buf_free(&line);
}

static void look(playing *p)
{
    int64_t now = loop_now_ns();
    player_look(p->player, &p->last);
    if (now - p->sampled_ns >= millis(PLAY_SAMPLE_MS)) {
        p->sampled_ns = now;
        play_history_add(&p->history, &p->last);
    }
    if (p->view && p->last.loaded && now - p->drawn_ns >= millis(DRAW_MS)) {
        p->drawn_ns = now;
        view_draw(p);
    }
}

// ---- keys ----------------------------------------------------------------------------------------------------------------------------

// x2, x8, x2 ... in one direction.
static int32_t next_speed(int32_t now, int sign)
{
    return sign * (now * sign == 2000 ? 8000 : 2000);
}

static void key_take(playing *p, int pressed)
{
    const player_view *v = &p->last;
    if (pressed == 'q' || pressed == KEY_ESCAPE)
        player_stop(p->player);
    else if (pressed == ' ')
        player_pause(p->player, !v->paused);
    else if (pressed == 'f' || pressed == 'b')
        player_speed(p->player, next_speed(v->speed_permille, pressed == 'f' ? 1 : -1));
    else if (pressed == 'n')
        player_speed(p->player, PLAYOUT_SPEED_NORMAL);
    else if (pressed == KEY_LEFT || pressed == KEY_RIGHT)
        player_jump(p->player, v->position_ms + (pressed == KEY_RIGHT ? STEP_MS : -STEP_MS));
    else if (pressed >= '0' && pressed <= '9')
        player_jump(p->player, v->duration_ms * (pressed - '0') / JUMPS);
}

// ---- fibers --------------------------------------------------------------------------------------------------------------------------

static void await_signal(void *arg)
{
    playing *p = arg;
    if (signal_wait() > 0) {
        p->interrupted = true;
        player_stop(p->player);
        if (!p->last.loaded)
            scope_cancel(p->all);
    }
}

static void watch(void *arg)
{
    playing *p = arg;
    while (!p->ended && fiber_sleep(millis(LOOK_MS)) == E_OK) {
        look(p);
        for (int pressed; p->keys && p->last.loaded && (pressed = terminal_key()) != KEY_NONE;)
            key_take(p, pressed);
        if (p->hand && play_hand_gone(p->hand))
            player_stop(p->player);
    }
}

static void hand_over(void *arg)
{
    playing *p = arg;
    play_hand_run(p->hand);
}

static bool take(void *arg, const player_piece *piece)
{
    playing *p = arg;
    return play_hand_take(p->hand, piece);
}

static void play_film(void *arg)
{
    playing *p = arg;
    p->outcome = player_run(p->player);
    p->ended = true;
    if (p->hand)
        play_hand_finish(p->hand);
}

static void run(void *arg)
{
    playing *p = arg;
    scope all, others;
    p->player = player_new(p->world, &p->options);
    scope_open(&others, 0, FIBERS_MAX);
    scope_open(&all, 0, FIBERS_MAX);
    p->all = &all;
    if (p->hand)
        (void)scope_go(&others, "hand over", hand_over, p);
    (void)scope_go(&others, "signals", await_signal, p);
    (void)scope_go(&others, "view", watch, p);
    if (scope_go(&all, "player", play_film, p) == E_OK)
        (void)scope_wait(&all);
    scope_close(&all);
    player_look(p->player, &p->last);
    p->hand_trouble = play_hand_end(p->hand, p->interrupted || p->outcome != E_OK || p->last.state != PLAYOUT_ENDED);
    scope_close(&others);
}

// ---- the command line ------------------------------------------------------------------------------------------------------------------

static bool rule_choose(playing *p)
{
    str word = str_eq(p->rule, S("hybrid")) ? S("dynamic") : p->rule;
    for (int r = 0; r < RATE_RULES; r++)
        if (str_eq(word, rate_rule_name((rate_rule)r))) {
            p->options.rule = (rate_rule)r;
            return true;
        }
    return false;
}

static bool resolvers_choose(playing *p)
{
    player_options *o = &p->options;
    str text = {0}, word = str_starts(p->resolver, S("@")) ? str_from(p->resolver, 1) : p->resolver;
    if (word.len > 0) {
        o->resolver_count = 1;
        return addr_parse(word, 53, &o->resolvers[0]);
    }
    (void)file_read_all(p->world, "/etc/resolv.conf", &p->memory, RESOLV_BYTES_MAX, &text);
    while (text.len > 0 && o->resolver_count < PLAYER_RESOLVERS_MAX) {
        str line = str_cut(&text, '\n');
        if (str_eq(str_word(&line), S("nameserver")) && addr_parse_ip(str_word(&line), 53, &o->resolvers[o->resolver_count]))
            o->resolver_count++;
    }
    return true;
}

// Certificates are verified against the system's authorities, or --ca's.
static bool tls_set(playing *p)
{
    str pem = {0}, why = {0};
    bool chosen = p->ca_file.len > 0;
    const char *path = chosen ? str_to_z(&p->memory, p->ca_file) : "/etc/ssl/certs/ca-certificates.crt";
    err e = file_read_all(p->world, path, &p->memory, CA_BYTES_MAX, &pem);
    if (!e)
        p->options.tls = tls_client_new(p->world, pem, NULL, &p->memory, &why);
    if (chosen && !p->options.tls)
        fail(p, COMMAND_USAGE, "--ca %s: %s", path, e ? err_text(e) : "no certificates in it");
    return p->options.tls || !chosen;
}

static bool hand_set(playing *p)
{
    str why = {0}, command = p->to;
    if (command.len == 0 && p->mpv)
        command = S("mpv --no-terminal --force-window=yes -");
    if (command.len == 0 && p->ffplay)
        command = S("ffplay -loglevel error -autoexit -i pipe:0");
    if (command.len == 0)
        return true;
    p->hand = play_hand_new(command, !p->verbose, &p->memory, &why);
    p->options.take = take;
    if (!p->hand)
        fail(p, COMMAND_FAILED, STR_FMT, STR_ARG(why));
    return p->hand != NULL;
}

static void options_set(playing *p)
{
    player_options *o = &p->options;
    o->url = p->url;
    o->rung_fixed = p->rung > 0 ? (int)p->rung - 1 : -1;
    o->capacity_ms = (uint32_t)p->buffer_s * 1000;
    o->start_ms = (uint32_t)p->delay_ms;
    o->hurry = (uint32_t)p->speed;
    o->language = p->language;
    o->report = !p->no_report;
    o->stop_after_ns = seconds(p->seconds);
    o->heard = heard;
    o->arg = p;
    p->view = terminal_at(2) && !p->quiet && !p->json;
    p->keys = p->view && terminal_at(0) && terminal_keys_begin();
}

static int verdict(playing *p, const char *rule)
{
    if (p->outcome && !p->interrupted) {
        str why = p->last.trouble.len ? p->last.trouble : str_z(err_text(p->outcome));
        fail(p, p->last.loaded ? COMMAND_FAILED : COMMAND_UNREACHABLE, STR_FMT, STR_ARG(why));
        if (!p->last.loaded)
            return p->code;
    }
    if (p->hand_trouble.len && !p->interrupted)
        fail(p, COMMAND_FAILED, STR_FMT, STR_ARG(p->hand_trouble));
    if (!p->last.loaded)
        return p->code;
    buf out = buf_make(PLAY_TEXT_BYTES_MAX);
    if (p->json)
        play_summary_json(&out, &p->last, rule);
    else if (!p->quiet)
        play_summary(&out, &p->last, rule, p->korean);
    fwrite(out.at, 1, out.len, stdout);
    buf_free(&out);
    return p->code;
}

static int play_all(playing *p)
{
    signals_block();
    log_setup(LOG_LOGFMT, LOG_ERROR, NULL, NULL);
    p->world = world_linux_new(S("player"), NULL, 0);
    loop_driver *driver = driver_linux_new();
    if (!resolvers_choose(p))
        fail(p, COMMAND_USAGE, "--resolver: an address, not \"" STR_FMT "\"", STR_ARG(p->resolver));
    else if (tls_set(p) && hand_set(p)) {
        options_set(p);
        if (loop_run(driver, p->world, run, p) != E_OK && !p->code)
            fail(p, COMMAND_FAILED, "this machine gives no memory for a fiber's stack");
        terminal_keys_end();
        view_wipe(p);
        if (!p->code)
            verdict(p, str_to_z(&p->memory, rate_rule_name(p->options.rule)));
    }
    player_free(p->player);
    if (p->options.tls)
        tls_free(p->options.tls);
    driver_linux_free(driver);
    world_linux_free(p->world);
    return p->code;
}

static const char more[] =
    "  naru play http://origin:8080/lecture/manifest.mpd    (a live view: buffer, throughput, why this rung and this server)\n"
    "  naru play URL --ffplay                               (the picture beside it; --mpv, --to \"COMMAND -\" for others)\n"
    "  naru play URL --json --seconds 60 --rule bola        (a measurement)\n"
    "Keys: space pauses, f and b play x2 and x8 forward and back, n is normal speed, arrows jump by 10 s, 0 to 9 to a tenth, q ends.\n"
    "Exit code 0: played; 1: no server gave the rest; 3: the film could not be had at all.";

int cmd_play(int argc, char **argv)
{
    playing *p = &(playing){.memory = arena_make(MEMORY_BYTES_MAX), .rule = S("naru"), .buffer_s = RATE_CAPACITY_MS / 1000,
                            .delay_ms = PLAYER_START_MS, .speed = 1};
    str words[COMMAND_WORDS_MAX], lang = {0};
    const command_option options[] = {
        {"rule", OPTION_TEXT, &p->rule, "NAME", "naru, throughput, bola, bola-e, hybrid (dynamic), dynamic-e (default: naru)"},
        {"rung", OPTION_NUMBER, &p->rung, "N", "always this rung, from 1, the smallest (default: the rule decides)"},
        {"buffer", OPTION_NUMBER, &p->buffer_s, "SECONDS", "so much is fetched ahead at most (default: 25)"},
        {"delay", OPTION_NUMBER, &p->delay_ms, "MS", "playout delay: so much is there before playing begins (default: 2000)"},
        {"from", OPTION_NUMBER, &p->from_s, "SECONDS", "begin here"},
        {"seconds", OPTION_NUMBER, &p->seconds, "N", "end after so long (default: at the end of the film)"},
        {"speed", OPTION_NUMBER, &p->speed, "N", "the film's clock runs N times faster, for measuring long ones"},
        {"mpv", OPTION_FLAG, &p->mpv, NULL, "hand pictures and sound to mpv"},
        {"ffplay", OPTION_FLAG, &p->ffplay, NULL, "hand them to ffplay"},
        {"to", OPTION_TEXT, &p->to, "COMMAND", "hand them to this program's standard input, as fragmented MP4"},
        {"language", OPTION_TEXT, &p->language, "CODE", "of the sound: ko, en"},
        {"resolver", OPTION_TEXT, &p->resolver, "ADDRESS", "ask this name server (default: /etc/resolv.conf)"},
        {"ca", OPTION_TEXT, &p->ca_file, "FILE", "authorities that https is verified against (PEM; default: the system's)"},
        {"no-report", OPTION_FLAG, &p->no_report, NULL, "do not tell the steering service how it goes"},
        {"verbose", OPTION_FLAG, &p->verbose, NULL, "tell what happens, a line each, on standard error"},
        {"quiet", OPTION_FLAG, &p->quiet, NULL, "no view and no summary"},
        {"json", OPTION_FLAG, &p->json, NULL, "print the summary as JSON"},
        {"lang", OPTION_TEXT, &lang, "ko|en", "language of the view"},
        {0},
    };
    const command_help help = {"play", "URL", "Plays a film by DASH (MPD) or HLS and shows how: buffer, throughput, rung, server, stalls.", options, more};
    int count, code;
    if (!options_read(argc, argv, &help, words, COMMAND_WORDS_MAX, &count, &code))
        return arena_free(&p->memory), code;
    lang = language_choose(lang);
    p->korean = str_eq(lang, S("ko"));
    p->url = count == 1 ? words[0] : (str){0};
    bool numbers = p->rung >= 0 && p->rung <= RATE_RUNGS_MAX && p->buffer_s >= 4 && p->buffer_s <= 3600 && p->delay_ms >= 0 && p->delay_ms <= 600000 &&
                   p->seconds >= 0 && p->seconds <= 1000000 && p->speed >= 1 && p->speed <= 1000 && p->from_s >= 0 && p->from_s <= 1000000;
    media_url split;
    if (count != 1)
        code = usage_error(&help, "say which film: naru play http://HOST/ID/manifest.mpd");
    else if (!media_url_split(p->url, &split, &p->memory))
        code = usage_error(&help, "a film's URL begins with http:// or https://, not \"" STR_FMT "\"", STR_ARG(p->url));
    else if (!rule_choose(p))
        code = usage_error(&help, "--rule: naru, throughput, bola, bola-e, hybrid or dynamic-e, not \"" STR_FMT "\"", STR_ARG(p->rule));
    else if (!numbers || !lang.len)
        code = usage_error(&help, !lang.len ? "--lang: ko or en" : "a number is too small or too large");
    else
        code = play_all(p);
    arena_free(&p->memory);
    return code;
}
