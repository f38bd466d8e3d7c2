// naru race: how long a file takes to reach N peers, from one server or peer to peer: the bounds, drawn; and the experiment.
#include "cmd/race.h"

#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { PEERS_DEFAULT = 35, OUT_BYTES_MAX = 8 << 20, SIM_PEERS_IN_PICTURE = 6, RUNS_MAX = 20 };
#define SIM_FILE_BYTES (16ll << 20)

typedef struct {
    race_plan plan;
    race_rig  rig;
    int64_t  peers, runs, seed, selfish, churn;
    str      file, piece, server, peer, down, sizes, svg, mode, clients, lang, serve;
    bool     json, sim, real, leave, no_server, quiet;
    race_measured measured[RACE_MEASURED_MAX];
    int      measured_count;
    arena    memory;
    world   *world;
    str      trouble;
    int      code;
} race_command;

static const char more_words[] =
    "  naru race                         the course's example: F/u = 1 hour, u_s = 10u, N = 1 to 35\n"
    "  naru race --svg race.svg          the same as a picture\n"
    "  naru race --sim                   runs it in the simulator (a smaller file over lines as much slower: the same times)\n"
    "  naru race --sim --n 1000 --file 8MB --server 8Mbit --peer 8Mbit --leave\n"
    "  naru race --real --n 20 --file 25MB --piece 64KiB --server 8Mbit --peer 8Mbit --clients naru,libtorrent\n"
    "--real needs ip, tc and unshare; nothing leaves the namespaces that it makes, and nothing of them stays.\n";

// ---- the plan ----------------------------------------------------------------------------------------------------------

race_lines race_plan_lines(const race_plan *p)
{
    return (race_lines){p->file_bytes, p->server_rate, p->down_rate, p->peer_rates, p->peer_rate_count};
}

static const char *const mode_names[] = {[CHOKER_COURSE] = "course", [CHOKER_DEFAULT] = "default", [CHOKER_MANAGED] = "managed"};

const char *race_mode_name(choker_mode mode) { return mode_names[mode]; }

bool race_mode_read(str text, choker_mode *out)
{
    for (int i = 0; i < 3; i++)
        if (str_eq(text, str_z(mode_names[i])))
            return *out = (choker_mode)i, true;
    return false;
}

static bool refuse(race_command *c, const char *option, const char *want, str got)
{
    c->code = COMMAND_USAGE;
    c->trouble = str_format(&c->memory, "--%s: %s, not \"" STR_FMT "\"", option, want, STR_ARG(got));
    return false;
}

static bool rate_take(race_command *c, const char *option, str text, int64_t *out)
{
    int64_t bits;
    if (!text.len)
        return true;
    if (!rate_parse(text, &bits) || bits < 8)
        return refuse(c, option, "a rate such as 8Mbit", text);
    *out = bits / 8;
    return true;
}

static bool peer_rates_take(race_command *c)
{
    race_plan *p = &c->plan;
    if (!c->peer.len)
        return true;
    p->peer_rate_count = 0;
    for (str rest = c->peer; rest.len; p->peer_rate_count++) {
        str one = str_cut(&rest, ',');
        if (p->peer_rate_count == RACE_RATES_MAX)
            return refuse(c, "peer", "at most 16 rates, separated by commas", c->peer);
        if (!rate_take(c, "peer", one, &p->peer_rates[p->peer_rate_count]))
            return false;
    }
    return true;
}

static bool sizes_take(race_command *c)
{
    race_plan *p = &c->plan;
    int most = c->real ? RACE_REAL_PEERS_MAX : RACE_SIM_PEERS_MAX;
    for (str rest = c->sizes; rest.len; ) {
        str one = str_cut(&rest, ',');
        uint64_t n;
        if (!str_to_u64(one, &n) || n < 1 || n > (uint64_t)most || p->size_count == RACE_SIZES_MAX)
            return refuse(c, "n", c->real ? "numbers of peers from 1 to 50" : "numbers of peers from 1 to 1000", one);
        p->sizes[p->size_count++] = (int)n;
        if ((int64_t)n > c->peers)
            c->peers = (int64_t)n;
    }
    static const int usual[] = {1, 5, 10, 20, 30};
    for (int i = 0; i < 5 && !c->sizes.len; i++)
        p->sizes[p->size_count++] = usual[i];
    return true;
}

static bool plan_read(race_command *c)
{
    race_plan *p = &c->plan;
    // The course's example; any F with F/u = 1 hour is the same picture.
    *p = (race_plan){.file_bytes = 3600000000, .server_rate = 10000000, .peer_rates = {1000000}, .peer_rate_count = 1,
                     .mode = CHOKER_DEFAULT};
    if (c->file.len && (!size_parse(c->file, &p->file_bytes) || p->file_bytes < 1))
        return refuse(c, "file", "a size such as 100MB", c->file);
    if (c->piece.len && (!size_parse(c->piece, &p->piece_bytes) || p->piece_bytes < 16384 || (p->piece_bytes & (p->piece_bytes - 1))))
        return refuse(c, "piece", "a power of two from 16KiB", c->piece);
    if (c->mode.len && !race_mode_read(c->mode, &p->mode))
        return refuse(c, "mode", "course, default or managed", c->mode);
    if (c->peers < 1 || c->peers > RACE_POINTS_MAX)
        return refuse(c, "peers", "1 to 2000", str_format(&c->memory, "%lld", (long long)c->peers));
    if (c->runs < 1 || c->runs > RUNS_MAX || c->selfish < 0 || c->selfish > 90 || c->churn < 0 || c->churn > 100)
        return refuse(c, "runs", "1 to 20 (selfish: 0 to 90 %, churn: 0 to 100 %)", str_format(&c->memory, "%lld", (long long)c->runs));
    p->leave = c->leave;
    p->selfish_percent = (int)c->selfish, p->churn_percent = (int)c->churn;
    p->client_server = !c->no_server;
    p->seed = (uint64_t)c->seed;
    return rate_take(c, "server", c->server, &p->server_rate) && rate_take(c, "down", c->down, &p->down_rate) && peer_rates_take(c)
        && sizes_take(c);
}

// ---- the experiment ----------------------------------------------------------------------------------------------------

// A file that is too large to be moved about in memory is scaled down, and the lines with it: the same times.
static race_plan scaled(const race_plan *p)
{
    race_plan s = *p;
    int64_t times = p->file_bytes / SIM_FILE_BYTES;
    if (times <= 8)
        return s;
    s.file_bytes /= times, s.server_rate /= times, s.down_rate /= times;
    for (int i = 0; i < s.peer_rate_count; i++)
        s.peer_rates[i] /= times;
    s.piece_bytes = 0;
    return s;
}

static void measured_add(race_command *c, int n, race_kind kind, int64_t ms, const char *who)
{
    if (c->measured_count == RACE_MEASURED_MAX)
        return;
    race_measured *m = &c->measured[c->measured_count++];
    *m = (race_measured){.n = n, .kind = kind, .ms = ms};
    snprintf(m->who, sizeof m->who, "%s", who);
}

static void outcome_tell(race_command *c, int n, const char *who, const race_outcome *o)
{
    if (c->quiet)
        return;
    int64_t per_mille = o->last_ms < 0 || o->bound_ms == 0 ? 0 : o->last_ms * 1000 / o->bound_ms;
    fprintf(stderr, "N = %-4d %-22s %lld.%01lld s, %lld.%03lld x the bound of %lld.%01lld s; the first had it after %lld s\n", n, who,
            (long long)o->last_ms / 1000, (long long)o->last_ms % 1000 / 100, (long long)per_mille / 1000, (long long)per_mille % 1000,
            (long long)o->bound_ms / 1000, (long long)o->bound_ms % 1000 / 100, (long long)o->first_ms / 1000);
    if (o->source_per_mille)
        fprintf(stderr, "           the source sent %lld.%03lld times the file\n", (long long)o->source_per_mille / 1000, (long long)o->source_per_mille % 1000);
    if (o->cpu_percent)
        fprintf(stderr, "           %d%% of the processors' time was used\n", o->cpu_percent);
}

static bool simulate_all(race_command *c)
{
    race_plan s = scaled(&c->plan);
    for (int i = 0; i < s.size_count; i++)
        for (int kind = s.client_server ? RACE_CLIENT_SERVER : RACE_P2P; kind <= RACE_P2P; kind++) {
            race_outcome o;
            str why = {0};
            const char *who = kind == RACE_P2P ? "naru, simulated" : "HTTP, simulated";
            if (!race_simulate(&s, s.sizes[i], (race_kind)kind, &o, &c->memory, &why)) {
                c->code = COMMAND_FAILED;
                c->trouble = str_format(&c->memory, "N = %d: " STR_FMT, s.sizes[i], STR_ARG(why));
                return false;
            }
            outcome_tell(c, s.sizes[i], who, &o);
            measured_add(c, s.sizes[i], (race_kind)kind, o.last_ms, who);
        }
    return true;
}

static int by_time(const race_outcome *a, const race_outcome *b) { return (a->last_ms > b->last_ms) - (a->last_ms < b->last_ms); }

static void sort_outcomes(race_outcome *o, int count)
{
    for (int i = 1; i < count; i++)
        for (int k = i; k > 0 && by_time(&o[k - 1], &o[k]) > 0; k--) {
            race_outcome x = o[k];
            o[k] = o[k - 1], o[k - 1] = x;
        }
}

static bool real_one(race_command *c, int n, const char *client)
{
    race_outcome o[RUNS_MAX];
    str why = {0};
    race_rig rig = {.client = client, .runs = (int)c->runs};
    if (!race_run_real(&c->plan, n, &rig, o, &c->memory, &why)) {
        c->code = COMMAND_FAILED;
        c->trouble = str_format(&c->memory, "N = %d, %s: " STR_FMT, n, client, STR_ARG(why));
        return false;
    }
    sort_outcomes(o, rig.runs);
    outcome_tell(c, n, client, &o[rig.runs / 2]);
    bool http = strcmp(client, "http") == 0;
    measured_add(c, n, http ? RACE_CLIENT_SERVER : RACE_P2P, o[rig.runs / 2].last_ms, client);
    if (rig.runs > 1) {
        outcome_tell(c, n, "  the worst run", &o[rig.runs - 1]);
        measured_add(c, n, http ? RACE_CLIENT_SERVER : RACE_P2P, o[rig.runs - 1].last_ms, str_to_z(&c->memory, str_format(&c->memory, "%s, worst", client)));
    }
    return true;
}

static bool real_all(race_command *c)
{
    for (int i = 0; i < c->plan.size_count; i++) {
        if (c->plan.client_server && !real_one(c, c->plan.sizes[i], "http"))
            return false;
        for (str rest = c->clients.len ? c->clients : S("naru"); rest.len; )
            if (!real_one(c, c->plan.sizes[i], str_to_z(&c->memory, str_cut(&rest, ','))))
                return false;
    }
    return true;
}

// ---- telling -----------------------------------------------------------------------------------------------------------

static void put_measured(const race_command *c, int n, const race_lines *lines, buf *out)
{
    bool first = true;
    for (int i = 0; i < c->measured_count; i++) {
        const race_measured *m = &c->measured[i];
        if (m->n != n)
            continue;
        int64_t bound = m->kind == RACE_P2P ? race_p2p_ms(lines, n, NULL) : race_client_server_ms(lines, n, NULL);
        buf_put(out, first ? S(", \"measured\": [{\"who\": ") : S(", {\"who\": "));
        json_put(out, str_z(m->who));
        buf_format(out, ", \"kind\": \"%s\", \"s\": ", m->kind == RACE_P2P ? "p2p" : "client_server");
        race_put_seconds(out, m->ms);
        buf_put(out, S(", \"of_bound\": "));
        race_put_seconds(out, bound ? m->ms * 1000 / bound : 0);
        buf_put(out, S("}"));
        first = false;
    }
    if (!first)
        buf_put(out, S("]"));
}

static void put_json(const race_command *c, const race_lines *lines, buf *out)
{
    buf_put(out, S("{\"points\": ["));
    for (int n = 1; n <= (int)c->peers; n++) {
        buf_format(out, "%s{\"n\": %d, \"client_server_s\": ", n > 1 ? ", " : "", n);
        race_put_seconds(out, race_client_server_ms(lines, n, NULL));
        buf_put(out, S(", \"p2p_s\": "));
        race_put_seconds(out, race_p2p_ms(lines, n, NULL));
        put_measured(c, n, lines, out);
        buf_put(out, S("}"));
    }
    buf_put(out, S("]}\n"));
}

// In namespaces the bound is that of the lines' goodput.
static race_lines lines_shown(const race_command *c, int64_t rates[RACE_RATES_MAX])
{
    race_lines l = race_plan_lines(&c->plan);
    if (!c->real)
        return l;
    for (int i = 0; i < l.peer_rate_count; i++)
        rates[i] = race_goodput(l.peer_rates[i]);
    l.peer_rates = rates;
    l.server_rate = race_goodput(l.server_rate), l.down_rate = race_goodput(l.down_rate);
    return l;
}

static bool svg_write(race_command *c, const race_picture *p)
{
    buf out = buf_make(RACE_PICTURE_BYTES_MAX);
    race_draw_svg(p, &out);
    err e = out.full ? E_TOO_LONG : file_replace(c->world, str_to_z(&c->memory, c->svg), buf_str(&out), 0644);
    buf_free(&out);
    if (e) {
        c->code = COMMAND_FAILED;
        c->trouble = str_format(&c->memory, STR_FMT ": %s", STR_ARG(c->svg), err_text(e));
    }
    return !e;
}

static void tell(race_command *c, bool korean)
{
    int64_t rates[RACE_RATES_MAX];
    race_picture p = {.lines = lines_shown(c, rates), .peers = (int)c->peers, .measured = c->measured,
                      .measured_count = c->measured_count, .korean = korean};
    buf out = buf_make(OUT_BYTES_MAX);
    if (c->svg.len && !svg_write(c, &p))
        return;
    if (c->json)
        put_json(c, &p.lines, &out);
    else if (!c->svg.len)
        race_draw_text(&p, terminal_columns(), &out);
    fwrite(out.at, 1, out.len, stdout);
    buf_free(&out);
}

static void no_log(void *arg, str line) { (void)arg, (void)line; }

int cmd_race(int argc, char **argv)
{
    race_command *c = &(race_command){.peers = PEERS_DEFAULT, .runs = 1, .seed = 1, .memory = arena_make(RACE_MEMORY_BYTES_MAX)};
    str words[COMMAND_WORDS_MAX];
    const command_option options[] = {
        {"json", OPTION_FLAG, &c->json, NULL, "print JSON: points with both bounds, and what was measured"},
        {"svg", OPTION_TEXT, &c->svg, "FILE", "draw the picture into a file"},
        {"sim", OPTION_FLAG, &c->sim, NULL, "run it in the simulator"},
        {"real", OPTION_FLAG, &c->real, NULL, "run it in network namespaces with capped lines"},
        {"peers", OPTION_NUMBER, &c->peers, "N", "draw N = 1 .. this (35)"},
        {"n", OPTION_TEXT, &c->sizes, "N,N", "run these numbers of peers (1,5,10,20,30)"},
        {"file", OPTION_TEXT, &c->file, "SIZE", "F (with u: so that F/u is one hour)"},
        {"piece", OPTION_TEXT, &c->piece, "SIZE", "bytes of a piece (by the file's length)"},
        {"server", OPTION_TEXT, &c->server, "RATE", "u_s, what the server or the first seed sends"},
        {"peer", OPTION_TEXT, &c->peer, "RATES", "u_i, what the peers send; several in turn: 2Mbit,8Mbit"},
        {"down", OPTION_TEXT, &c->down, "RATE", "d_min, what everybody can receive (without: no limit)"},
        {"mode", OPTION_TEXT, &c->mode, "MODE", "course, default or managed: who is sent to"},
        {"clients", OPTION_TEXT, &c->clients, "NAMES", "--real: naru, libtorrent, aria2, transmission"},
        {"runs", OPTION_NUMBER, &c->runs, "N", "--real: median and worst of so many"},
        {"leave", OPTION_FLAG, &c->leave, NULL, "peers go as soon as they have everything"},
        {"selfish", OPTION_NUMBER, &c->selfish, "PERCENT", "--sim: so many peers send nothing"},
        {"churn", OPTION_NUMBER, &c->churn, "PERCENT", "--sim: so many peers crash on the way and come back"},
        {"seed", OPTION_NUMBER, &c->seed, "N", "--sim: another run"},
        {"no-server", OPTION_FLAG, &c->no_server, NULL, "run only peer to peer"},
        {"serve", OPTION_TEXT, &c->serve, "FILE", "be the server of --real: give FILE to whoever asks on port 80, until stopped"},
        {"quiet", OPTION_FLAG, &c->quiet, NULL, "do not tell each run on standard error"},
        {"lang", OPTION_TEXT, &c->lang, "ko|en", "the picture's language"},
        {0},
    };
    const command_help help = {"race", "", "How long a file takes to reach N peers: one server against peer to peer; bounds and measurements.",
                               options, more_words};
    int count, code;
    if (!options_read(argc, argv, &help, words, COMMAND_WORDS_MAX, &count, &code))
        return arena_free(&c->memory), code;
    str lang = language_choose(c->lang);
    if (count || (c->sim && c->real) || !lang.len || !plan_read(c)) {
        str why = c->trouble.len ? c->trouble : count ? S("it takes no words") : !lang.len ? S("--lang: ko or en") : S("--sim or --real, not both");
        code = usage_error(&help, STR_FMT, STR_ARG(why));
        return arena_free(&c->memory), code;
    }
    log_setup(LOG_LOGFMT, LOG_ERROR, c->sim ? no_log : NULL, NULL);
    c->world = world_linux_new(S("race"), NULL, 0);
    if (c->serve.len) {
        code = race_serve(c->world, c->serve);
        world_linux_free(c->world);
        return arena_free(&c->memory), code;
    }
    if ((!c->sim || simulate_all(c)) && (!c->real || real_all(c)))
        tell(c, str_eq(lang, S("ko")));
    code = c->code ? command_error("race", c->code, STR_FMT, STR_ARG(c->trouble)) : COMMAND_OK;
    world_linux_free(c->world);
    arena_free(&c->memory);
    return code;
}
