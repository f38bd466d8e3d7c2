// naru services: the table of what each service of `naru up` may touch, what this kernel enforces of it, and the proof.
#include <stdio.h>

#include "base/buf.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/up_plan.h"
#include "rt/json_text.h"

enum { SERVICES_TEXT_BYTES_MAX = 256 * 1024, SERVICES_MEMORY_BYTES_MAX = 4 << 20 };

static const char *const verdicts[] = {"refused", "killed", "ALLOWED", "not tried"};

typedef struct { bool json, prove; up_plan plan; arena memory; guard_report kernel; int allowed; } listing;

// ---- JSON -----------------------------------------------------------------------------------------------------------------------

static void put_texts(buf *out, const char *key, const char *const *texts, int count)
{
    buf_format(out, ", \"%s\": [", key);
    for (int i = 0; i < count && texts[i]; i++) {
        buf_put(out, i ? S(", ") : S(""));
        json_put(out, str_z(texts[i]));
    }
    buf_put(out, S("]"));
}

static void put_ports(buf *out, const up_policy *row)
{
    buf_put(out, S(", \"doors\": ["));
    for (int i = 0; i < UP_DOORS_MAX && row->doors[i].port; i++)
        buf_format(out, "%s{\"port\": %d, \"tcp\": %s, \"udp\": %s}", i ? ", " : "", row->doors[i].port,
                   row->doors[i].protocols & UP_TCP ? "true" : "false", row->doors[i].protocols & UP_UDP ? "true" : "false");
    buf_put(out, S("], \"connects\": ["));
    for (int i = 0; i < UP_INSIDE_MAX && row->connects[i]; i++)
        buf_format(out, "%s%d", i ? ", " : "", row->connects[i]);
    buf_put(out, S("]"));
}

static void put_proofs(listing *l, const guard_policy *p, buf *out)
{
    buf_put(out, S(", \"proof\": {"));
    const char *comma = "";
    for (int t = 0; t < GUARD_TRIES; t++) {
        if (t == GUARD_TRY_CONNECT && p->connects_anywhere)
            continue;                                    // its trade
        guard_verdict v = guard_prove(p, (guard_try)t);
        l->allowed += v == GUARD_ALLOWED || v == GUARD_UNTRIED;
        buf_format(out, "%s\"%s\": \"%s\"", comma, guard_try_name((guard_try)t), verdicts[v]);
        comma = ", ";
    }
    buf_put(out, S("}"));
}

static void put_service(listing *l, int number, buf *out)
{
    const up_policy *row = &up_policies[number];
    guard_policy p = up_guard(&l->plan, number, &l->memory);
    buf_format(out, "{\"service\": \"%s\", \"runs\": %s, \"owns\": \"%s\"", row->name,
               l->plan.services[number].wanted ? "true" : "false", row->what);
    put_ports(out, row);
    put_texts(out, "inside_doors", row->inside, UP_INSIDE_MAX);
    put_texts(out, "peers", row->peers, UP_INSIDE_MAX);
    put_texts(out, "reads", p.reads, p.read_count);
    put_texts(out, "writes", p.writes, p.write_count);
    buf_format(out, ", \"connects_anywhere\": %s", p.connects_anywhere ? "true" : "false");
    buf_format(out, ", \"internet_sockets\": %s, \"changes_files\": %s", p.calls & GUARD_CALLS_INET ? "true" : "false",
               p.calls & GUARD_CALLS_FILES_CHANGE ? "true" : "false");
    if (l->prove)
        put_proofs(l, &p, out);
    buf_put(out, S("}"));
}

static void print_json(listing *l)
{
    buf out = buf_make(SERVICES_TEXT_BYTES_MAX);
    const guard_report *k = &l->kernel;
    buf_format(&out, "{\"kernel\": {\"landlock_abi\": %d, \"files\": %s, \"tcp\": %s, \"signals\": %s, \"system_calls\": %s, "
               "\"logged_only\": %s, \"own_users\": %s}, \"services\": [", k->landlock_abi, k->files ? "true" : "false",
               k->tcp ? "true" : "false", k->scopes ? "true" : "false", k->calls ? "true" : "false",
               k->calls_logged_only ? "true" : "false", k->own_user ? "true" : "false");
    for (int i = 0; i < UP_POLICIES; i++) {
        buf_put(&out, i ? S(",\n  ") : S("\n  "));
        put_service(l, i, &out);
    }
    buf_put(&out, S("\n]}\n"));
    fwrite(buf_str(&out).at, 1, (size_t)buf_str(&out).len, stdout);
    buf_free(&out);
}

// ---- text -----------------------------------------------------------------------------------------------------------------------

static void print_kernel(const guard_report *k)
{
    printf("This kernel: Landlock %s (ABI %d)\n", k->files ? "restricts files" : "is missing: files are NOT restricted", k->landlock_abi);
    printf("  TCP connects and binds      %s\n", k->tcp ? "restricted" : "NOT restricted by Landlock (Linux 6.7 has it)");
    printf("  signals, abstract sockets   %s\n", k->scopes ? "kept inside" : "NOT restricted (Linux 6.12 has it)");
    printf("  system calls                %s\n", !k->calls ? "NOT filtered: this kernel has no seccomp"
                                                 : k->calls_logged_only ? "only logged: built with a sanitizer" : "filtered, a forbidden one ends the process");
    printf("  a user for each service     %s\n\n", k->own_user ? "yes" : "no: not started as root, all services run as you");
}

static void print_row(listing *l, int number)
{
    const up_policy *row = &up_policies[number];
    guard_policy p = up_guard(&l->plan, number, &l->memory);
    printf("%s%s: %s\n", row->name, l->plan.services[number].wanted ? "" : " (not configured)", row->what);
    for (int i = 0; i < UP_DOORS_MAX && row->doors[i].port; i++)
        printf("%s%d%s", i ? ", " : "  doors     ", row->doors[i].port, row->doors[i].protocols & UP_UDP ? "/udp+tcp" : "/tcp");
    printf("%s", row->doors[0].port ? "\n" : "");
    for (int i = 0; i < UP_INSIDE_MAX && row->inside[i]; i++)
        printf("  offers    %s\n", row->inside[i]);
    for (int i = 0; i < UP_INSIDE_MAX && row->peers[i]; i++)
        printf("  asks      %s\n", row->peers[i]);
    for (int i = 0; i < UP_INSIDE_MAX && row->connects[i]; i++)
        printf("  connects  tcp port %d anywhere\n", row->connects[i]);
    for (int i = 0; i < p.read_count; i++)
        printf("  reads     %s\n", p.reads[i]);
    for (int i = 0; i < p.write_count; i++)
        printf("  writes    %s\n", p.writes[i]);
    if (p.connects_anywhere)
        printf("  connects  any tcp port: peers have the ports that they like\n");
    for (int t = 0; t < GUARD_TRIES && l->prove; t++) {
        if (t == GUARD_TRY_CONNECT && p.connects_anywhere)
            continue;                                    // its trade
        guard_verdict v = guard_prove(&p, (guard_try)t);
        l->allowed += v == GUARD_ALLOWED || v == GUARD_UNTRIED;
        printf("  proof     a forbidden %-8s %s\n", guard_try_name((guard_try)t), verdicts[v]);
    }
    fflush(stdout);
}

int cmd_services(int argc, char **argv)
{
    listing l = {0};
    str words[1], directory = {0};
    const command_option options[] = {
        {"prove", OPTION_FLAG, &l.prove, NULL, "try a forbidden open, connect, exec and ptrace behind each service's guard"},
        {"json", OPTION_FLAG, &l.json, NULL, "as JSON"},
        {"dir", OPTION_TEXT, &directory, "DIR", "the directory of the data, as for `naru up`"},
        {0},
    };
    const command_help help = {"services", "[CONFIG]", "What each service may touch, and what this kernel really enforces.", options,
                               "With --prove: exit code 1 when anything that is forbidden went through."};
    int count, code;
    config_error error;
    if (!options_read(argc, argv, &help, words, 1, &count, &code))
        return code;
    if (!up_plan_read(&l.plan, count ? words[0] : (str){0}, directory, &error)) {
        fprintf(stderr, STR_FMT ":%d:%d: " STR_FMT "\n", STR_ARG(error.file), error.line, error.column, STR_ARG(error.text));
        up_plan_free(&l.plan);
        return COMMAND_USAGE;
    }
    l.memory = arena_make(SERVICES_MEMORY_BYTES_MAX);
    l.kernel = guard_kernel();
    if (l.json)
        print_json(&l);
    else
        print_kernel(&l.kernel);
    for (int i = 0; i < UP_POLICIES && !l.json; i++)
        print_row(&l, i);
    arena_free(&l.memory);
    up_plan_free(&l.plan);
    return l.allowed ? COMMAND_FAILED : COMMAND_OK;
}
