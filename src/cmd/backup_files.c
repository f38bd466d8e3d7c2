// The configuration of a naru and the files that it names: what it includes, zones, certificates and keys. They go under files/ with
// their whole path.
#include <string.h>
#include <unistd.h>

#include "cmd/backup.h"
#include "cmd/up_plan.h"

enum { FILES_MAX = 4096, HERE_BYTES_MAX = 4096, MEMORY_BYTES_MAX = 64 << 20 };

typedef struct {
    backup *b;
    arena   memory;
    str     paths[FILES_MAX];            // absolute, each once
    int     count;
    str     folder;                      // of naru.conf: where relative names are looked for
} collection;

static str absolute(collection *c, str path)
{
    char here[HERE_BYTES_MAX];
    if (str_starts(path, S("/")))
        return path;
    if (c->folder.len)
        return str_format(&c->memory, STR_FMT "/" STR_FMT, STR_ARG(c->folder), STR_ARG(path));
    return getcwd(here, sizeof here) ? str_format(&c->memory, "%s/" STR_FMT, here, STR_ARG(path)) : path;
}

static void collect(collection *c, str path)
{
    path = str_copy(&c->memory, absolute(c, path));
    for (int i = 0; i < c->count; i++)
        if (str_eq(c->paths[i], path))
            return;
    if (c->count == FILES_MAX)
        backup_fail(c->b, S("the configuration names too many files"));
    else
        c->paths[c->count++] = path;
}

static bool include_collect(void *arg, str path, arena *a, str *text)
{
    collection *c = arg;
    collect(c, path);
    return file_read_all(c->b->world, str_to_z(a, absolute(c, path)), a, CONFIG_FILE_BYTES_MAX, text) == E_OK;
}

static void collect_includes(collection *c, str config)
{
    config_error error;
    str text;
    if (file_read_all(c->b->world, str_to_z(&c->memory, config), &c->memory, CONFIG_FILE_BYTES_MAX, &text) == E_OK)
        config_parse(config, text, &c->memory, include_collect, c, &error);
}

static void collect_named(collection *c, const up_plan *plan)
{
    static const struct { const char *key; int word; } kinds[] = {{"certificate", 1}, {"key", 1}, {"zone", 2}, {"allow-file", 1}};
    for (int i = 0; i < UP_POLICIES; i++) {
        if (!plan->services[i].policy->kind || !plan->services[i].wanted)
            continue;
        const statement *block = up_settings(&plan->services[i], &c->memory);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            for (const statement *s = config_first(block, kinds[k].key); s; s = config_next(s, kinds[k].key))
                if (s->word_count == kinds[k].word + 1)      // the tracker's keys have a name
                    collect(c, s->words[kinds[k].word]);
    }
}

// Empty parts and ".." would not come back through the manifest.
static str plain(collection *c, str path)
{
    str out = {0};
    for (str rest = path; rest.len;) {
        str part = str_cut(&rest, '/');
        if (str_eq(part, S("..")))
            out = str_first(out, str_rfind(out, '/'));
        else if (part.len && !str_eq(part, S(".")))
            out = str_format(&c->memory, STR_FMT "/" STR_FMT, STR_ARG(out), STR_ARG(part));
    }
    return out;
}

static bool file_take(collection *c, str path)
{
    backup *b = c->b;
    manifest_file f = {.path = str_join(&c->memory, S("files"), plain(c, path))};
    str to = str_format(&c->memory, STR_FMT "/" STR_FMT, STR_ARG(b->to), STR_ARG(f.path));
    err e = copy_parents(&b->copier, to);
    if (!e)
        e = copy_file(&b->copier, path, to, -1);
    if (e == E_NO_ENTRY)
        return backup_left_out(b, str_format(&c->memory, STR_FMT " (there is no such file)", STR_ARG(path)));
    if (e)
        return backup_fail(b, b->copier.why);
    f.bytes = b->copier.bytes;
    memcpy(f.sha256, b->copier.sha256, sizeof f.sha256);
    manifest_add(&b->manifest, &f);
    return true;
}

bool backup_files(backup *b)
{
    static collection c;                         // large; one a process
    c.b = b;
    c.memory = arena_make(MEMORY_BYTES_MAX);
    up_plan plan;
    config_error error;
    if (!b->config.len) {
        arena_free(&c.memory);
        return backup_left_out(b, S("the configuration (none is known: name it with --config)"));
    }
    collect(&c, b->config);
    str config = c.paths[0];
    c.folder = str_first(config, str_rfind(config, '/'));
    collect_includes(&c, config);
    bool readable = up_plan_read(&plan, config, b->from, &error);
    if (readable)
        collect_named(&c, &plan);
    bool good = readable || backup_left_out(b, str_format(&c.memory, "the zones, certificates and keys that " STR_FMT " names: line %d: " STR_FMT,
                                                          STR_ARG(config), error.line, STR_ARG(error.text)));
    for (int i = 0; i < c.count && good && !b->code; i++)
        good = file_take(&c, c.paths[i]);
    up_plan_free(&plan);
    arena_free(&c.memory);
    return good && !b->code;
}
