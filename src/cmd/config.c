// naru config: checks, formats, shows and describes naru.conf.
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cmd/commands.h"
#include "cmd/config_show.h"
#include "cmd/options.h"
#include "cmd/schema.h"
#include "cmd/setting_text.h"
#include "cmd/up_plan.h"
#include "rt/json_text.h"

enum { CONFIG_ARENA_BYTES_MAX = 128 << 20, DESCRIPTION_BYTES_MAX = 4 << 20, VERDICT_BYTES_MAX = 64 << 10 };

// ---- reading a file ----

// The verdict about a file, on standard output; e: NULL when it is fine.
static void check_json(str name, const config_error *e, const str *warnings, int count)
{
    buf out = buf_make(VERDICT_BYTES_MAX);
    buf_put(&out, S("{\"file\": "));
    json_put(&out, name);
    buf_format(&out, ", \"fine\": %s", e ? "false" : "true");
    if (e) {
        buf_format(&out, ", \"line\": %d, \"column\": %d, \"error\": ", e->line, e->column);
        json_put(&out, e->text);
    }
    buf_put(&out, S(", \"warnings\": ["));
    for (int i = 0; i < count; i++) {
        buf_put(&out, i ? S(", ") : S(""));
        json_put(&out, warnings[i]);
    }
    printf(STR_FMT "]}\n", STR_ARG(buf_str(&out)));
    buf_free(&out);
}

static int error_say(const config_error *e, bool json)
{
    if (json)
        check_json(e->file, e, NULL, 0);
    fprintf(stderr, STR_FMT ":%d:%d: " STR_FMT "\n", STR_ARG(e->file), e->line, e->column, STR_ARG(e->text));
    return COMMAND_USAGE;
}

static int read_file(world *w, arena *a, str name, str *text)
{
    err e = file_read_all(w, str_to_z(a, name), a, CONFIG_FILE_BYTES_MAX, text);
    if (e)
        return command_error("config", e == E_NO_ENTRY ? COMMAND_USAGE : COMMAND_FAILED,
                             "cannot read " STR_FMT ": %s", STR_ARG(name), err_text(e));
    return COMMAND_OK;
}

// As `naru up` reads it: also whether its services can stand side by side.
static int check(world *w, arena *a, str name, bool json)
{
    up_plan plan;
    config_error error;
    str text, warnings[UP_WARNINGS_MAX];
    int code = read_file(w, a, name, &text);
    if (code != COMMAND_OK)
        return code;
    if (!up_plan_read(&plan, name, (str){0}, &error)) {
        code = error_say(&error, json);
    } else {
        int count = up_warnings(&plan, warnings, a);
        for (int i = 0; i < count; i++)
            fprintf(stderr, STR_FMT ": warning: " STR_FMT "\n", STR_ARG(name), STR_ARG(warnings[i]));
        if (json)
            check_json(name, NULL, warnings, count);
        else
            printf(STR_FMT ": fine\n", STR_ARG(name));
    }
    up_plan_free(&plan);
    return code;
}

// {"file": NAME, "changed": whether it was not in canonical form, "text": the form, where it was not written}
static void format_json(str name, bool changed, str text)
{
    buf out = buf_make(DESCRIPTION_BYTES_MAX);
    buf_put(&out, S("{\"file\": "));
    json_put(&out, name);
    buf_format(&out, ", \"changed\": %s", changed ? "true" : "false");
    if (text.len) {
        buf_put(&out, S(", \"text\": "));
        json_put(&out, text);
    }
    printf(STR_FMT "}\n", STR_ARG(buf_str(&out)));
    buf_free(&out);
}

static int format(world *w, arena *a, str name, bool write, bool json)
{
    str text;
    config_error error;
    int code = read_file(w, a, name, &text);
    if (code != COMMAND_OK)
        return code;
    const statement *root = config_parse(name, text, a, config_include_keep, NULL, &error);
    if (!root)
        return error_say(&error, json);
    str form = config_format(root, a);
    file_stat st = {.mode = 0644};
    if (json)
        format_json(name, !str_eq(form, text), write ? (str){0} : form);
    else if (!write && form.len)
        fwrite(form.at, 1, (size_t)form.len, stdout);
    if (!write || str_eq(form, text))
        return COMMAND_OK;
    path_stat(w, str_to_z(a, name), &st);
    err e = file_replace(w, str_to_z(a, name), form, st.mode & 0777);
    return e ? command_error("config", COMMAND_FAILED, "cannot write " STR_FMT ": %s", STR_ARG(name), err_text(e))
             : COMMAND_OK;
}

// ---- describing ----

static void describe_text(const setting *s, int depth, bool korean)
{
    for (; s && s->key && depth <= CONFIG_DEPTH_MAX; s++) {
        int width = printf("%*s%s %s", depth * 4, "", s->key, setting_type_text(s));
        if (s->fallback)
            width += printf(korean ? " (기본값 %s)" : " (default %s)", s->fallback);
        if (s->repeated)
            width += printf(korean ? " 여러 번" : " repeated");
        printf("%*s%s\n", width < 44 ? 44 - width : 2, "", setting_help(s, korean));
        describe_text(s->block, depth + 1, korean);
    }
}

static void describe_json(buf *out, const setting *s, int depth, bool korean)
{
    buf_put_byte(out, '[');
    for (bool first = true; s && s->key && depth <= CONFIG_DEPTH_MAX; s++, first = false) {
        buf_format(out, "%s{\"key\": \"%s\", \"type\": \"%s\", \"default\": ", first ? "" : ", ", s->key,
                   setting_type_text(s));
        if (s->fallback)
            json_put(out, str_z(s->fallback));
        else
            buf_put(out, S("null"));
        buf_format(out, ", \"min\": %lld, \"max\": %lld, \"repeated\": %s, \"reloadable\": %s, \"help\": ",
                   (long long)s->min, (long long)s->max, s->repeated ? "true" : "false",
                   s->reloadable ? "true" : "false");
        json_put(out, str_z(setting_help(s, korean)));
        if (s->block) {
            buf_put(out, S(", \"block\": "));
            describe_json(out, s->block, depth + 1, korean);
        }
        buf_put_byte(out, '}');
    }
    buf_put_byte(out, ']');
}

static int describe(str service, bool json, bool korean)
{
    const setting *schema = schema_whole();
    if (service.len) {
        const setting *s = schema;
        while (s->key && !str_eq(service, str_z(s->key)))
            s++;
        if (!s->key)
            return command_error("config", COMMAND_USAGE,
                                 "there is no setting " STR_FMT "; `naru config describe` lists all",
                                 STR_ARG(service));
        schema = s->block ? s->block : s;
    }
    if (json) {
        buf out = buf_make(DESCRIPTION_BYTES_MAX);
        describe_json(&out, schema, 0, korean);
        printf(STR_FMT "\n", STR_ARG(buf_str(&out)));
        buf_free(&out);
    } else {
        describe_text(schema, 0, korean);
    }
    return COMMAND_OK;
}

int cmd_config(int argc, char **argv)
{
    bool json = false, write = false, effective = false;
    str lang = {0}, words[2];
    const command_option options[] = {
        {"write", OPTION_FLAG, &write, NULL, "fmt: change the file instead of printing it"},
        {"effective", OPTION_FLAG, &effective, NULL, "show: defaults too, and what follows from other settings"},
        {"json", OPTION_FLAG, &json, NULL, "as JSON"},
        {"lang", OPTION_TEXT, &lang, "ko|en", "describe: the language"},
        {0},
    };
    const command_help help = {
        "config",
        "check FILE | fmt FILE | show [FILE] | describe [SERVICE]",
        "Checks a configuration file, puts it into its canonical form, says which value each setting has and why, or what may stand in one.",
        options,
        "An error is one line, FILE:LINE:COLUMN: what is wrong and what to do.",
    };
    int count, code;
    if (!options_read(argc, argv, &help, words, 2, &count, &code))
        return code;
    lang = language_choose(lang);
    arena a = arena_make(CONFIG_ARENA_BYTES_MAX);
    world *w = world_linux_new(S("naru"), NULL, 0);
    if (lang.len == 0)
        code = usage_error(&help, "--lang is ko or en");
    else if (count == 2 && str_eq(words[0], S("check")))
        code = check(w, &a, words[1], json);
    else if (count == 2 && str_eq(words[0], S("fmt")))
        code = format(w, &a, words[1], write, json);
    else if (count >= 1 && str_eq(words[0], S("show")))
        code = config_show(count == 2 ? words[1] : (str){0}, effective, json);
    else if (count >= 1 && str_eq(words[0], S("describe")))
        code = describe(count == 2 ? words[1] : (str){0}, json, str_eq(lang, S("ko")));
    else
        code = usage_error(&help, "say check FILE, fmt FILE, show [FILE] or describe [SERVICE]");
    world_linux_free(w);
    arena_free(&a);
    return code;
}
