// The race for real: race_real.sh, which stands in the binary, in namespaces of its own.
#include <string.h>

#include "base/embedded.h"
#include "cmd/race.h"
#include "rt/child.h"

enum { SCRIPT_OUT_BYTES_MAX = 64 * 1024, PATIENCE_BOUNDS = 12, PATIENCE_S_MIN = 60, VARIABLES = 16 };

extern const embedded_file race_files[];

static str rates_text(const race_plan *p, arena *a)
{
    str all = {0};
    for (int i = 0; i < p->peer_rate_count; i++)
        all = str_format(a, STR_FMT "%s%lld", STR_ARG(all), i ? " " : "", (long long)p->peer_rates[i] * 8);
    return all;
}

// What the script is told, as NAME=value lines before it.
static str script_of(const race_plan *p, int peers, const race_rig *rig, int64_t bound_ms, arena *a)
{
    int64_t patience = bound_ms / 1000 * PATIENCE_BOUNDS;
    int64_t piece = p->piece_bytes ? p->piece_bytes : metainfo_piece_bytes_choose(p->file_bytes);
    return str_format(a,
        "CLIENT=%s MODE=%s LEAVE=%s N=%d FILE_BYTES=%lld PIECE=%lld SERVER_RATE=%lld DOWN_RATE=%lld PATIENCE_S=%lld\n"
        "PEER_RATES='" STR_FMT "'\n" STR_FMT,
        rig->client, race_mode_name(p->mode), p->leave ? "1" : "", peers, (long long)p->file_bytes, (long long)piece,
        (long long)p->server_rate * 8, (long long)p->down_rate * 8,
        (long long)(patience < PATIENCE_S_MIN ? PATIENCE_S_MIN : patience), STR_ARG(rates_text(p, a)), STR_ARG(race_files[0].text));
}

static bool outcome_read(const race_plan *p, str out, race_outcome *o)
{
    while (out.len > 0) {
        str line = str_cut(&out, '\n');
        uint64_t last, first, cpu, source;
        if (!str_eq(str_word(&line), S("outcome")))
            continue;
        if (!str_to_u64(str_word(&line), &last) || !str_to_u64(str_word(&line), &first) || !str_to_u64(str_word(&line), &cpu) ||
            !str_to_u64(str_word(&line), &source))
            continue;
        o->last_ms = (int64_t)last, o->first_ms = (int64_t)first, o->cpu_percent = (int)cpu;
        o->source_per_mille = race_goodput((int64_t)source) * 1000 / p->file_bytes;
        return true;
    }
    return false;
}

bool race_run_real(const race_plan *p, int peers, const race_rig *rig, race_outcome *outcomes, arena *a, str *why)
{
    static const char *const known[] = {"naru", "libtorrent", "aria2", "transmission", "http"};
    bool is_known = false;
    for (int i = 0; i < 5; i++)
        is_known = is_known || strcmp(rig->client, known[i]) == 0;
    if (!is_known)
        return *why = S("clients are naru, libtorrent, aria2, transmission"), false;
    int64_t rates[RACE_RATES_MAX];
    race_lines lines = race_plan_lines(p);
    for (int i = 0; i < p->peer_rate_count; i++)
        rates[i] = race_goodput(p->peer_rates[i]);
    lines.peer_rates = rates;
    lines.server_rate = race_goodput(p->server_rate), lines.down_rate = race_goodput(p->down_rate);
    bool http = strcmp(rig->client, "http") == 0;
    int64_t bound = http ? race_client_server_ms(&lines, peers, NULL) : race_p2p_ms(&lines, peers, NULL);
    for (int i = 0; i < rig->runs; i++) {
        buf out = buf_make(SCRIPT_OUT_BYTES_MAX);
        err e = child_script(script_of(p, peers, rig, bound, a), &out);
        outcomes[i] = (race_outcome){.bound_ms = bound};
        bool ok = !e && outcome_read(p, buf_str(&out), &outcomes[i]);
        if (!ok)
            *why = e ? str_z(err_text(e)) : out.len ? str_copy(a, str_chomp(buf_str(&out))) : S("unshare was refused: no namespaces for users here");
        buf_free(&out);
        if (!ok)
            return false;
    }
    return true;
}
