// naru restore: a backup into an empty directory; every digest is checked before the first byte is written.
#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "cmd/backup.h"
#include "cmd/commands.h"
#include "cmd/directory_remove.h"
#include "cmd/options.h"
#include "rooms/mailstore/read_back.h"
#include "rt/json_text.h"
#include "rt/loop.h"
#include "rt/worker.h"

enum { LINE_BYTES_MAX = 64 * 1024, DAMAGED_BYTES_MAX = 256 * 1024, ANSWER_BYTES_MAX = 512 * 1024, WORKERS = 2 };

// ---- the digests --------------------------------------------------------------------------------------------------------------

static bool file_fits(copier *c, str from, const manifest_file *f, arena *line)
{
    err e = copy_file(c, str_format(line, STR_FMT "/" STR_FMT, STR_ARG(from), STR_ARG(f->path)), (str){0}, -1);
    return !e && c->bytes == f->bytes && memcmp(c->sha256, f->sha256, sizeof f->sha256) == 0;
}

bool restore_check(world *w, str from, arena *a, restored *out, buf *damaged, str *why)
{
    manifest_reader r;
    manifest_file f;
    *out = (restored){0};
    if (manifest_check(w, from, a, &out->head, why) != E_OK)
        return false;
    arena line = arena_make(LINE_BYTES_MAX), sentence = arena_make(LINE_BYTES_MAX);
    copier c = {.world = w, .memory = &sentence};
    err e = manifest_open(&r, w, from, a);
    while (!e && manifest_next(&r, &f, &line)) {
        out->files++;
        out->bytes += f.bytes;
        if (!file_fits(&c, from, &f, &line)) {
            out->damaged++;
            buf_format(damaged, STR_FMT "/" STR_FMT "\n", STR_ARG(from), STR_ARG(f.path));
        }
        arena_reset(&sentence);
    }
    manifest_close(&r);
    copier_free(&c);
    arena_free(&line);
    arena_free(&sentence);
    if (!e && out->damaged == 0 && out->files == out->head.files && out->bytes == out->head.bytes)
        return true;
    *why = str_format(a, "%d of %lld files are missing or damaged", out->damaged, (long long)out->files);
    return false;
}

// ---- putting them back --------------------------------------------------------------------------------------------------------

// data/x becomes TO/x, files/x becomes TO/files/x.
static str place_of(str to, str path, arena *a)
{
    str below = str_starts(path, S("data/")) ? str_from(path, 5) : path;
    return str_format(a, STR_FMT "/" STR_FMT, STR_ARG(to), STR_ARG(below));
}

static bool files_put(copier *c, str from, str to, arena *a, str *why)
{
    manifest_reader r;
    manifest_file f;
    arena line = arena_make(LINE_BYTES_MAX);
    err e = manifest_open(&r, c->world, from, a);
    while (!e && manifest_next(&r, &f, &line)) {
        str target = place_of(to, f.path, &line);
        e = copy_parents(c, target);
        if (!e)
            e = copy_file(c, str_format(&line, STR_FMT "/" STR_FMT, STR_ARG(from), STR_ARG(f.path)), target, f.bytes);
        if (!e && memcmp(c->sha256, f.sha256, sizeof f.sha256) != 0) {
            c->why = str_format(a, STR_FMT "/" STR_FMT " changed while it was read", STR_ARG(from), STR_ARG(f.path));
            e = E_CORRUPT;
        }
    }
    manifest_close(&r);
    if (!e)
        e = copy_sync_tree(c, to);
    *why = c->why;
    arena_free(&line);
    return e == E_OK;
}

typedef struct { world *w; str directory; arena *a; str *why; err e; } renewing;

static void renew(void *arg)
{
    renewing *n = arg;
    n->e = mailstore_restored(n->w, n->directory, n->a, n->why);
}

static bool ids_renew(world *w, str to, arena *a, str *why)
{
    renewing n = {w, str_join(a, to, S("/mailstore")), a, why, E_OK};
    workers_start(WORKERS);
    loop_driver *driver = driver_linux_new();
    err e = loop_run(driver, w, renew, &n);
    driver_linux_free(driver);
    workers_stop();
    return e == E_OK && n.e == E_OK;
}

// Empty, or not there yet. *made: it was not.
static bool target_is_free(world *w, str to, arena *a, bool *made, str *why)
{
    str *names;
    int count = 0;
    err e = dir_list(w, str_to_z(a, to), a, &names, &count);
    *made = e == E_NO_ENTRY;
    if (count)
        *why = str_format(a, STR_FMT " is not empty: nothing is restored over what is there; name another directory with --dir", STR_ARG(to));
    else if (e && !*made)
        *why = str_format(a, "cannot use " STR_FMT ": %s", STR_ARG(to), err_text(e));
    return count == 0 && (!e || *made);
}

static void target_empty(world *w, str to, arena *a, bool made)
{
    str *names;
    int count = 0;
    if (dir_list(w, str_to_z(a, to), a, &names, &count) == E_OK)
        for (int i = 0; i < count; i++)
            directory_remove(w, str_format(a, STR_FMT "/" STR_FMT, STR_ARG(to), STR_ARG(names[i])));
    if (made)
        path_remove(w, str_to_z(a, to));
}

bool restore_into(world *w, str from, str to, bool scratch, arena *a, str *why)
{
    bool made;
    if (!target_is_free(w, to, a, &made, why))
        return false;
    err e = dir_make(w, str_to_z(a, to), 0700);
    if (e) {
        *why = str_format(a, "cannot make " STR_FMT ": %s", STR_ARG(to), err_text(e));
        return false;
    }
    copier c = {.world = w, .memory = a, .scratch = scratch};
    bool good = files_put(&c, from, to, a, why) && (scratch || ids_renew(w, to, a, why));
    copier_free(&c);
    if (!good)
        target_empty(w, to, a, made);
    return good;
}

// ---- the command --------------------------------------------------------------------------------------------------------------

static void print_json(str from, str to, const restored *r, bool good, str why, str damaged)
{
    buf out = buf_make(ANSWER_BYTES_MAX);
    buf_put(&out, S("{\"backup\": "));
    json_put(&out, from);
    buf_put(&out, S(", \"into\": "));
    json_put(&out, to);
    buf_format(&out, ", \"restored\": %s, \"files\": %lld, \"bytes\": %lld, \"begun\": ", good ? "true" : "false", (long long)r->files,
               (long long)r->bytes);
    json_put(&out, r->head.begun);
    buf_put(&out, S(", \"config\": "));
    json_put(&out, r->head.config);
    buf_put(&out, S(", \"damaged\": ["));
    for (const char *comma = ""; damaged.len; comma = ", ") {
        buf_put(&out, str_z(comma));
        json_put(&out, str_cut(&damaged, '\n'));
    }
    buf_put(&out, S("], \"error\": "));
    json_put(&out, why);
    buf_put(&out, S("}\n"));
    fwrite(out.at, 1, out.len, stdout);
    buf_free(&out);
}

static void print_text(str from, str to, const restored *r, arena *a)
{
    printf(STR_FMT ": %lld files, " STR_FMT ", as of " STR_FMT ", from " STR_FMT "\n", STR_ARG(to), (long long)r->files,
           STR_ARG(size_text(a, r->bytes)), STR_ARG(r->head.begun), STR_ARG(from));
    if (r->head.config.len)
        printf("The configuration and what it names lie in " STR_FMT "/files, below their old paths (" STR_FMT "/files" STR_FMT ").\n", STR_ARG(to),
               STR_ARG(to), STR_ARG(r->head.config));
    printf("Start it: naru up CONFIG --dir " STR_FMT "\n", STR_ARG(to));
    for (int i = 0; i < r->head.left_out_count; i++)
        fprintf(stderr, "naru restore: the backup left out: " STR_FMT "\n", STR_ARG(r->head.left_out[i]));
}

static int run(str from, str to, bool json)
{
    arena a = arena_make(BACKUP_MEMORY_BYTES_MAX);
    buf damaged = buf_make(DAMAGED_BYTES_MAX);
    world *w = world_linux_new(S("naru"), NULL, 0);
    restored r = {0};
    str why = {0};
    bool made, good = to.len == 0 || target_is_free(w, to, &a, &made, &why);        // before the long reading
    good = good && restore_check(w, from, &a, &r, &damaged, &why);
    to = to.len ? to : r.head.directory;
    if (good && to.len == 0)
        good = (why = S("the backup does not say whose it is: name a directory with --dir"), false);
    good = good && restore_into(w, from, to, false, &a, &why);
    if (damaged.len)
        fprintf(stderr, "damaged or missing:\n%.*s", (int)damaged.len, (const char *)damaged.at);
    if (json)
        print_json(from, to, &r, good, why, buf_str(&damaged));
    else if (good)
        print_text(from, to, &r, &a);
    if (!good)
        command_error("restore", COMMAND_FAILED, STR_FMT "; nothing was restored", STR_ARG(why));
    world_linux_free(w);
    buf_free(&damaged);
    arena_free(&a);
    return good ? COMMAND_OK : COMMAND_FAILED;
}

int cmd_restore(int argc, char **argv)
{
    str to = {0}, from;
    bool json = false;
    const command_option options[] = {
        {"dir", OPTION_TEXT, &to, "DIR", "where to (default: where it was)"},
        {"json", OPTION_FLAG, &json, NULL, "print one JSON object"},
        {0},
    };
    const command_help help = {
        "restore", "BACKUP", "Puts a backup back into an empty directory, after every digest has been checked.", options,
        "Configuration, zones and keys come below DIR/files: they are not laid over yours. Letters that waited in the queue are delivered\n"
        "when it is started; none comes twice into a mailbox here, but one to another host that had been sent meanwhile is sent again.",
    };
    int count, code;
    if (!options_read(argc, argv, &help, &from, 1, &count, &code))
        return code;
    if (count != 1)
        return usage_error(&help, "which backup? naru restore BACKUP");
    while (from.len > 1 && str_ends(from, S("/")))
        from.len--;
    while (to.len > 1 && str_ends(to, S("/")))
        to.len--;
    return run(from, to, json);
}
