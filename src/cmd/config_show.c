#include "cmd/config_show.h"

#include <stdio.h>

#include "base/buf.h"
#include "cmd/options.h"
#include "cmd/schema.h"
#include "cmd/up_plan.h"
#include "rt/json_text.h"

enum { SHOW_BYTES_MAX = 8 << 20, SHOW_MEMORY_BYTES_MAX = 64 << 20, SOURCE_COLUMN = 44 };

typedef struct {
    buf   out;
    arena memory;
    bool  json, effective;
    int   rows;
} showing;

typedef struct { const char *kind; str file; int line; } source;        // "file", "default", "derived"

static str value_text(const statement *s, arena *a)
{
    str text = {0};
    for (int i = 1; i < s->word_count; i++) {
        bool plain = s->words[i].len && str_find(s->words[i], ' ') < 0;
        text = str_format(a, STR_FMT "%s%s" STR_FMT "%s", STR_ARG(text), i > 1 ? " " : "", plain ? "" : "\"", STR_ARG(s->words[i]), plain ? "" : "\"");
    }
    return text;
}

static void row_json(showing *w, const char *block, const char *key, str value, source from)
{
    buf_put(&w->out, w->rows++ ? S(",\n") : S("[\n"));
    buf_format(&w->out, "{\"block\": \"%s\", \"key\": \"%s\", \"value\": ", block, key);
    json_put(&w->out, value);
    buf_format(&w->out, ", \"source\": \"%s\"", from.kind);
    if (from.line) {
        buf_put(&w->out, S(", \"file\": "));
        json_put(&w->out, from.file);
        buf_format(&w->out, ", \"line\": %d", from.line);
    }
    buf_put(&w->out, S("}"));
}

static void row_text(showing *w, const char *block, const char *key, str value, source from)
{
    size_t begin = w->out.len;
    buf_format(&w->out, "%s%s%s" STR_FMT, *block ? "    " : "", key, value.len ? " " : "", STR_ARG(value));
    int width = (int)(w->out.len - begin);
    buf_format(&w->out, "%*s# ", width < SOURCE_COLUMN ? SOURCE_COLUMN - width : 1, "");
    if (from.line)
        buf_format(&w->out, STR_FMT ":%d\n", STR_ARG(from.file), from.line);
    else
        buf_format(&w->out, "%s\n", from.kind);
}

static void row(showing *w, const char *block, const char *key, str value, source from)
{
    if (w->json)
        row_json(w, block, key, value, from);
    else
        row_text(w, block, key, value, from);
}

// What the block says about one setting, or its default.
static void show_setting(showing *w, const char *name, const setting *s, const statement *block, const statement *derived)
{
    bool said = false;
    for (const statement *c = block ? config_first(block, s->key) : NULL; c; c = config_next(c, s->key)) {
        row(w, name, s->key, value_text(c, &w->memory), (source){"file", c->file, c->line});
        said = true;
    }
    for (const statement *c = derived && w->effective ? config_first(derived, s->key) : NULL; c; c = config_next(c, s->key)) {
        row(w, name, s->key, value_text(c, &w->memory), (source){.kind = "derived from host, address, domain and the resolver's block"});
        said = true;
    }
    if (!said && w->effective && s->fallback)
        row(w, name, s->key, str_z(s->fallback), (source){.kind = "default"});
}

static void show_block(showing *w, const char *name, const setting *settings, const statement *block, const statement *derived)
{
    if (!w->json)
        buf_format(&w->out, "%s {\n", name);
    for (const setting *s = settings; s && s->key; s++)
        if (s->type != SETTING_BLOCK)
            show_setting(w, name, s, block, derived);
    if (!w->json)
        buf_put(&w->out, S("}\n"));
}

static void show_service(showing *w, const up_service *s)
{
    config_error error;
    const statement *derived = config_parse(str_z(s->policy->name), s->added, &w->memory, config_include_keep, NULL, &error);
    if (s->block || w->effective)
        show_block(w, s->policy->name, s->policy->kind->settings, s->block, derived);
}

// The host's own settings; `root` has only what the file says.
static void show_own(showing *w, const up_plan *plan)
{
    for (const setting *s = schema_whole(); s->key; s++) {
        if (s->type != SETTING_BLOCK) {
            bool is_host = str_eq(str_z(s->key), S("host")) && !config_find(plan->root, "host"), is_dir = str_eq(str_z(s->key), S("directory"));
            if ((is_host || (is_dir && !config_find(plan->root, "directory"))) && w->effective)
                row(w, "", s->key, is_host ? plan->host : plan->directory, (source){.kind = is_host ? "derived from this machine's name" : "default"});
            else
                show_setting(w, "", s, plan->root, NULL);
        }
    }
    for (const statement *d = config_first(plan->root, "domain"); d; d = config_next(d, "domain")) {
        const statement *zone = config_find(d, "zone");
        row(w, "", "domain", d->words[1], (source){"file", d->file, d->line});
        if (zone)
            row(w, w->json ? "domain" : "", "# its zone", zone->words[1], (source){"file", zone->file, zone->line});
    }
}

static void show_named_blocks(showing *w, const up_plan *plan)
{
    static const char *const names[] = {"ports", "users"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const setting *s = schema_whole();
        while (s->key && !str_eq(str_z(s->key), str_z(names[i])))
            s++;
        const statement *block = config_find(plan->root, names[i]);
        if (s->key && (block || w->effective))
            show_block(w, names[i], s->block, block, NULL);
    }
}

static str usual_file(void)
{
    file_stat st;
    world *w = world_linux_new(S("naru"), NULL, 0);
    bool there = path_stat(w, UP_USUAL_FILE, &st) == E_OK;
    world_linux_free(w);
    return there ? str_z(UP_USUAL_FILE) : (str){0};
}

int config_show(str name, bool effective, bool json)
{
    up_plan plan;
    config_error error;
    if (!up_plan_read(&plan, name.len ? name : usual_file(), (str){0}, &error)) {
        fprintf(stderr, STR_FMT ":%d:%d: " STR_FMT "\n", STR_ARG(error.file), error.line, error.column, STR_ARG(error.text));
        up_plan_free(&plan);
        return COMMAND_USAGE;
    }
    showing w = {.out = buf_make(SHOW_BYTES_MAX), .memory = arena_make(SHOW_MEMORY_BYTES_MAX), .json = json, .effective = effective};
    show_own(&w, &plan);
    show_named_blocks(&w, &plan);
    for (int i = 0; i < UP_POLICIES; i++)
        if (plan.services[i].wanted && plan.services[i].policy->kind)
            show_service(&w, &plan.services[i]);
    if (json)
        buf_put(&w.out, w.rows ? S("\n]\n") : S("[]\n"));
    if (w.out.len)
        fwrite(w.out.at, 1, w.out.len, stdout);
    buf_free(&w.out);
    arena_free(&w.memory);
    up_plan_free(&plan);
    return COMMAND_OK;
}
