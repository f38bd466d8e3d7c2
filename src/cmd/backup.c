// naru backup: all of a naru, running or stopped, into a directory.
#include "cmd/backup.h"

#include <stdio.h>

#include "base/date.h"
#include "base/quantity.h"
#include "cmd/commands.h"
#include "cmd/directory_remove.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "rt/json_text.h"
#include "rt/own_dir.h"
#include "rt/own_process.h"

enum { ANSWER_BYTES_MAX = 64 * 1024, TARGET_BYTES_MAX = 512 };

bool backup_fail(backup *b, str why)
{
    if (b->code == COMMAND_OK) {
        b->code = COMMAND_FAILED;
        b->trouble = str_copy(&b->memory, why);
    }
    return false;
}

bool backup_left_out(backup *b, str what)
{
    if (b->left_out_count == BACKUP_LEFT_OUT_MAX)
        return backup_fail(b, S("too much would be left out"));
    b->left_out[b->left_out_count++] = str_copy(&b->memory, what);
    return true;
}

bool backup_left_out_payload(backup *b)
{
    return backup_left_out(b, S("the files of torrents (the list of torrents is in it; copy the files themselves with cp -a or rsync -a)"));
}

err backup_data_file(backup *b, str path, int64_t bytes)
{
    arena a = arena_make(64 * 1024);
    manifest_file f = {.path = str_join(&a, S("data/"), path)};
    str to = str_format(&a, STR_FMT "/" STR_FMT, STR_ARG(b->to), STR_ARG(f.path));
    err e = copy_parents(&b->copier, to);
    if (!e)
        e = copy_file(&b->copier, str_format(&a, STR_FMT "/" STR_FMT, STR_ARG(b->from), STR_ARG(path)), to, bytes);
    if (!e) {
        f.bytes = b->copier.bytes;
        for (size_t i = 0; i < sizeof f.sha256; i++)
            f.sha256[i] = b->copier.sha256[i];
        manifest_add(&b->manifest, &f);
    }
    arena_free(&a);
    return e;
}

// ---- the place ----------------------------------------------------------------------------------------------------------------

// Empty, or not there yet. *made: it was not.
static bool target_make(backup *b, bool *made)
{
    str *names;
    int count = 0;
    char *z = str_to_z(&b->memory, b->to);
    err e = dir_list(b->world, z, &b->memory, &names, &count);
    *made = e == E_NO_ENTRY;
    if (count)
        return backup_fail(b, str_format(&b->memory, STR_FMT " is not empty: name a directory that is not there yet", STR_ARG(b->to)));
    if (!e || *made)
        e = *made ? dir_make(b->world, z, 0700) : E_OK;
    if (!e && !dir_give(z, 0700, 0, 0))
        e = E_ACCESS;
    if (!e)
        e = manifest_begin(&b->manifest, b->world, b->to, &b->memory);
    return !e || backup_fail(b, str_format(&b->memory, "cannot write in " STR_FMT ": %s", STR_ARG(b->to), err_text(e)));
}

// What cannot be finished is removed: it would be worth nothing, and its room may be needed.
static void target_remove(world *w, str to, bool made)
{
    static const char *const ours[] = {"data", "files", "manifest.unfinished"};
    arena a = arena_make(64 * 1024);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        directory_remove(w, str_format(&a, STR_FMT "/%s", STR_ARG(to), ours[i]));
    if (made)
        path_remove(w, str_to_z(&a, to));
    arena_free(&a);
}

// ---- the backup ---------------------------------------------------------------------------------------------------------------

static str text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? str_z(text) : (str){0};
}

static str now_text(backup *b)
{
    char text[DATE_TEXT_MAX];
    date_print_rfc3339(text, world_wall_s(b->world));
    return str_copy(&b->memory, str_z(text));
}

static void head_say(backup *b)
{
    str host = text_of(b->status, "node"), directory = text_of(b->status, "directory");
    manifest_say(&b->manifest, "version", S(NARU_VERSION));
    if (host.len)
        manifest_say(&b->manifest, "host", host);
    manifest_say(&b->manifest, "directory", directory.len ? directory : b->from);
    if (b->config.len)
        manifest_say(&b->manifest, "config", b->config);
    manifest_say(&b->manifest, "begun", now_text(b));
    manifest_say(&b->manifest, "running", b->status ? S("yes") : S("no"));
}

static bool seal(backup *b)
{
    for (int i = 0; i < b->left_out_count; i++)
        manifest_say(&b->manifest, "left-out", b->left_out[i]);
    manifest_say(&b->manifest, "ended", now_text(b));
    err e = copy_sync_tree(&b->copier, b->to);
    if (e)
        return backup_fail(b, b->copier.why);
    e = manifest_end(&b->manifest);
    return !e || backup_fail(b, str_format(&b->memory, "cannot write " STR_FMT "/manifest: %s", STR_ARG(b->to), err_text(e)));
}

// Each service that lent something counts the finished backup in its meters.
static void tell_services(backup *b)
{
    for (size_t i = 0; i < BACKUP_LENDERS && b->status; i++) {
        arena a = arena_make(RUNNING_ANSWER_BYTES_MAX * 2);
        running_ask(&a, b->from, S("POST"), str_format(&a, "/%s/backup/done?bytes=%lld", backup_lenders[i], (long long)b->manifest.at.bytes), (str){0});
        arena_free(&a);
    }
}

static void take(backup *b)
{
    bool made = false;
    if (!target_make(b, &made)) {
        manifest_drop(&b->manifest);
        return;
    }
    head_say(b);
    bool good = (b->status ? backup_running(b) : backup_stopped(b)) && backup_files(b) && seal(b);
    if (good)
        tell_services(b);
    manifest_drop(&b->manifest);
    if (!good)
        target_remove(b->world, b->to, made);
}

// ---- which naru ---------------------------------------------------------------------------------------------------------------

// The running one that is meant, or the directory of a stopped one.
static bool source_find(backup *b, str wanted, str config)
{
    file_stat st;
    arena *a = &b->memory;
    b->config = config;
    if (running_find(a, wanted, &b->from)) {
        http_result r = running_ask(a, b->from, S("GET"), S("/status"), (str){0});
        b->status = r.error || r.status != 200 ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
        if (!b->config.len)
            b->config = text_of(b->status, "config");
        if (b->status)
            return true;
    }
    b->from = wanted;
    if (wanted.len && path_stat(b->world, str_to_z(a, wanted), &st) == E_OK && st.is_dir)
        return true;
    b->code = COMMAND_UNREACHABLE;
    b->trouble = wanted.len ? str_format(a, "there is no " STR_FMT, STR_ARG(wanted))
                            : S("no running naru answers; name the directory of a stopped one with --dir");
    return false;
}

static void config_find_usual(backup *b)
{
    file_stat st;
    str usual = S("/etc/naru/naru.conf");
    if (!b->config.len && !b->status && path_stat(b->world, str_to_z(&b->memory, usual), &st) == E_OK)
        b->config = usual;
}

// ---- telling ------------------------------------------------------------------------------------------------------------------

static void print_json(const backup *b)
{
    buf out = buf_make(ANSWER_BYTES_MAX);
    buf_put(&out, S("{\"backup\": "));
    json_put(&out, b->to);
    buf_put(&out, S(", \"of\": "));
    json_put(&out, b->from);
    buf_format(&out, ", \"running\": %s, \"files\": %lld, \"bytes\": %lld, \"tried_again\": %d, \"left_out\": [", b->status ? "true" : "false",
               (long long)b->manifest.at.files, (long long)b->manifest.at.bytes, b->tried_again);
    for (int i = 0; i < b->left_out_count; i++) {
        buf_put(&out, i ? S(", ") : S(""));
        json_put(&out, b->left_out[i]);
    }
    buf_put(&out, S("]}\n"));
    fwrite(out.at, 1, out.len, stdout);
    buf_free(&out);
}

static void print_text(backup *b)
{
    printf(STR_FMT ": %lld files, " STR_FMT " of the %s naru in " STR_FMT "\n", STR_ARG(b->to), (long long)b->manifest.at.files,
           STR_ARG(size_text(&b->memory, b->manifest.at.bytes)), b->status ? "running" : "stopped", STR_ARG(b->from));
    for (int i = 0; i < b->left_out_count; i++)
        fprintf(stderr, "naru backup: left out: " STR_FMT "\n", STR_ARG(b->left_out[i]));
}

typedef struct { str to, wanted, config; bool json; } wish;

static int run(void *arg)
{
    const wish *wanted = arg;
    backup b = {.memory = arena_make(BACKUP_MEMORY_BYTES_MAX), .to = wanted->to, .world = world_linux_new(S("naru"), NULL, 0)};
    b.copier = (copier){.world = b.world, .memory = &b.memory};
    if (source_find(&b, wanted->wanted, wanted->config)) {
        config_find_usual(&b);
        take(&b);
    }
    if (b.code)
        command_error("backup", b.code, STR_FMT, STR_ARG(b.trouble));
    else if (wanted->json)
        print_json(&b);
    else
        print_text(&b);
    if (b.lock)
        file_close(b.lock);
    copier_free(&b.copier);
    json_decref(b.status);
    world_linux_free(b.world);
    arena_free(&b.memory);
    return b.code;
}

// In a process of its own: when it is interrupted, somebody removes what it began.
static int run_apart(wish *wanted)
{
    int end = 0;
    arena a = arena_make(16 * 1024);
    file_stat st;
    world *w = world_linux_new(S("naru"), NULL, 0);
    bool was_there = path_stat(w, str_to_z(&a, wanted->to), &st) == E_OK;
    str draft = str_join(&a, wanted->to, S("/manifest.unfinished"));
    bool old_draft = path_stat(w, str_to_z(&a, draft), &st) == E_OK;
    if (!process_run(run, wanted, &end))
        end = command_error("backup", COMMAND_FAILED, "cannot start another process");
    if (end < 0 && !old_draft && path_stat(w, str_to_z(&a, draft), &st) == E_OK)
        target_remove(w, wanted->to, !was_there);
    if (end < 0)
        end = command_error("backup", COMMAND_FAILED, "ended by signal %d; nothing of it is left", -end);
    world_linux_free(w);
    arena_free(&a);
    return end;
}

int cmd_backup(int argc, char **argv)
{
    str dir = {0}, config = {0}, words[2];
    bool json = false;
    const command_option options[] = {
        {"dir", OPTION_TEXT, &dir, "DIR", "the directory of the naru, running or stopped (default: the running one)"},
        {"config", OPTION_TEXT, &config, "FILE", "its naru.conf (default: what it was started with; /etc/naru/naru.conf when stopped)"},
        {"json", OPTION_FLAG, &json, NULL, "print one JSON object"},
        {0},
    };
    const command_help help = {
        "backup", "DIR | verify DIR", "Writes all of a naru, also while it runs, into the new directory DIR; or checks such a backup.", options,
        "  naru backup /backup/2026-11-22          mail, people, list of torrents, configuration, keys: keep it secret\n"
        "  naru backup verify /backup/2026-11-22   every digest; then every letter is read back behind a guard\n"
        "`naru restore` puts one back. A backup that was not finished has no manifest and is refused.",
    };
    int count, code;
    if (!options_read(argc, argv, &help, words, 2, &count, &code))
        return code;
    bool verify = count > 0 && str_eq(words[0], S("verify"));
    if (count != 1 + verify)
        return usage_error(&help, verify ? "which backup? naru backup verify DIR" : "name one new directory for the backup");
    str to = words[verify];
    while (to.len > 1 && str_ends(to, S("/")))
        to.len--;
    if (to.len == 0 || to.len > TARGET_BYTES_MAX)
        return usage_error(&help, "a directory's name has 1 to %d bytes", TARGET_BYTES_MAX);
    return verify ? backup_verify(to, json) : run_apart(&(wish){to, dir, config, json});
}
