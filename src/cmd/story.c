// naru story: every message of a letter's or a query's journey, as a ladder, as a page or as JSON.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/date.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "rt/story.h"

enum { STORY_ARENA_BYTES_MAX = 256 << 20, STORY_PAGE_BYTES_MAX = 64 << 20 };

typedef struct {
    arena       *a;
    str          dir, html, lang;
    bool         json, explain;
    story_event *events;
    int          count;
    str          raw;                // the events as they came, for --json
} telling;

static int fetch(telling *t, str target)
{
    http_result r = running_ask(t->a, t->dir, S("GET"), target, (str){0});
    if (r.error)
        return command_error("story", COMMAND_UNREACHABLE, "the naru in " STR_FMT " does not answer: %s",
                             STR_ARG(t->dir), err_text(r.error));
    if (r.status != 200 || !story_from_json(r.body, t->a, &t->events, &t->count))
        return command_error("story", COMMAND_FAILED,
                             "the naru in " STR_FMT " answers what this naru does not understand (%d)",
                             STR_ARG(t->dir), r.status);
    t->raw = r.body;
    return COMMAND_OK;
}

// The trace of the newest event that names the letter ("250 2.0.0 ID Message accepted for delivery").
static uint64_t trace_of_letter(const telling *t, str id)
{
    for (int i = t->count - 1; i >= 0 && id.len; i--)
        if (t->events[i].trace && str_find_str(str_of(t->events[i].line, t->events[i].len), id) >= 0)
            return t->events[i].trace;
    return 0;
}

// The trace of a letter that waits in the queue, or of the newest one there: also when the process that accepted it is gone. 0: none.
static uint64_t trace_in_queue(telling *t, str id)
{
    uint64_t trace = 0;
    for (ptrdiff_t i = 0; i < id.len; i++)
        if (!is_alnum(id.at[i]))
            return 0;
    http_result r = running_ask(t->a, t->dir, S("GET"), id.len ? str_join(t->a, S("/mta/queue/"), id) : S("/mta/queue"), (str){0});
    json_t *answer = r.error || r.status != 200 ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    const json_t *letter = answer, *letters = json_object_get(answer, "letters");
    if (!id.len)
        letter = json_array_size(letters) ? json_array_get(letters, json_array_size(letters) - 1) : NULL;
    const char *text = json_string_value(json_object_get(letter, "trace"));
    if (text && !story_trace_parse(str_z(text), &trace))
        trace = 0;
    json_decref(answer);
    return trace;
}

static int fetch_trace(telling *t, uint64_t trace) { return fetch(t, str_format(t->a, "/story?trace=%llx", (unsigned long long)trace)); }

// The newest letter; after a restart, the newest that waits.
static int fetch_last(telling *t)
{
    int code = fetch(t, S("/story?last"));
    uint64_t trace = code == COMMAND_OK && t->count == 0 ? trace_in_queue(t, (str){0}) : 0;
    return trace ? fetch_trace(t, trace) : code;
}

static int fetch_id(telling *t, str id)
{
    uint64_t trace;
    int code = COMMAND_OK;
    if (story_trace_parse(id, &trace))
        code = fetch_trace(t, trace);
    if (code != COMMAND_OK || t->count)
        return code;
    if ((trace = trace_in_queue(t, id)) != 0)
        return fetch_trace(t, trace);
    code = fetch(t, S("/story"));
    trace = code == COMMAND_OK ? trace_of_letter(t, id) : 0;
    if (trace)
        return fetch_trace(t, trace);
    t->count = 0;
    return code;
}

// ---- showing ----

// The address in the first line of mail dialogue that begins so; empty when there is none.
static str address_after(const telling *t, str command)
{
    for (int i = 0; i < t->count; i++) {
        const story_event *e = &t->events[i];
        str line = str_of(e->line, e->len);
        ptrdiff_t open = str_find(line, '<');
        if (strcmp(e->protocol, "smtp") == 0 && str_starts_nocase(line, command) && open >= 0) {
            str address = str_from(line, open + 1);
            return str_cut(&address, '>');
        }
    }
    return (str){0};
}

static str title_of(const telling *t)
{
    char trace[17];
    story_trace_text(trace, t->events[0].trace);
    str title = str_format(t->a, str_eq(t->lang, S("ko")) ? "naru 이야기 %s" : "naru story %s", trace);
    str from = address_after(t, S("MAIL")), to = address_after(t, S("RCPT"));
    if (to.len)
        title = str_format(t->a, STR_FMT ": " STR_FMT " → " STR_FMT, STR_ARG(title), STR_ARG(from), STR_ARG(to));
    return title;
}

static int show_page(telling *t)
{
    buf page = buf_make(STORY_PAGE_BYTES_MAX);
    story_html(t->events, t->count, t->lang, title_of(t), &page);
    int code = COMMAND_OK;
    if (str_eq(t->html, S("-"))) {
        fwrite(page.at, 1, page.len, stdout);
    } else {
        world *w = world_linux_new(S("naru"), NULL, 0);
        err e = file_replace(w, str_to_z(t->a, t->html), buf_str(&page), 0644);
        world_linux_free(w);
        if (e)
            code = command_error("story", COMMAND_FAILED, "cannot write " STR_FMT ": %s", STR_ARG(t->html),
                                 err_text(e));
        else
            fprintf(stderr, "written: " STR_FMT "; open it in a browser\n", STR_ARG(t->html));
    }
    buf_free(&page);
    return code;
}

static void show_meanings(const telling *t, buf *out)
{
    bool korean = str_eq(t->lang, S("ko"));
    buf_put_byte(out, '\n');
    str shown[256];
    int count = 0;
    for (int i = 0; i < t->count; i++) {
        str line = str_of(t->events[i].line, t->events[i].len);
        str meaning = story_explain(t->events[i].protocol, line, korean);
        int known = 0;
        while (known < count && !str_eq(shown[known], meaning))
            known++;
        if (meaning.len == 0 || known < count || count == 256)
            continue;
        shown[count++] = meaning;
        buf_format(out, "%s " STR_FMT "\n    " STR_FMT "\n", t->events[i].protocol, STR_ARG(line), STR_ARG(meaning));
    }
}

static void show_ladder(telling *t)
{
    bool colour = terminal_at(STDOUT_FILENO) && !getenv("NO_COLOR");
    char when[DATE_TEXT_MAX];
    date_print_rfc3339_ms(when, t->events[0].wall_ns);
    buf out = buf_make(STORY_PAGE_BYTES_MAX);
    buf_format(&out, STR_FMT "  %s\n", STR_ARG(title_of(t)), when);
    story_ladder(t->events, t->count, terminal_columns(), colour, &out);
    if (t->explain)
        show_meanings(t, &out);
    fwrite(out.at, 1, out.len, stdout);
    buf_free(&out);
}

static int show(telling *t)
{
    if (t->json) {
        fwrite(t->raw.at, 1, (size_t)t->raw.len, stdout);
        return COMMAND_OK;
    }
    if (t->count == 0)
        return command_error("story", COMMAND_FAILED, "nothing was told about that (the last %d messages are kept)",
                             STORY_RING_EVENTS);
    if (t->html.len)
        return show_page(t);
    show_ladder(t);
    return COMMAND_OK;
}

int cmd_story(int argc, char **argv)
{
    arena a = arena_make(STORY_ARENA_BYTES_MAX);
    telling t = {.a = &a};
    str wanted_dir = {0}, wanted_lang = {0}, id;
    bool last = false, all = false;
    const command_option options[] = {
        {"last", OPTION_FLAG, &last, NULL, "the newest letter (this is the default)"},
        {"all", OPTION_FLAG, &all, NULL, "everything that is still known"},
        {"explain", OPTION_FLAG, &t.explain, NULL, "below the ladder, what the lines mean"},
        {"html", OPTION_TEXT, &t.html, "FILE", "write one self-contained page (- for standard output)"},
        {"json", OPTION_FLAG, &t.json, NULL, "the events as JSON"},
        {"lang", OPTION_TEXT, &wanted_lang, "ko|en", "the language of page and explanations"},
        {"dir", OPTION_TEXT, &wanted_dir, "DIR", "the directory of the running naru"},
        {0},
    };
    const command_help help = {
        "story", "[ID]", "Shows every message of a letter's or a query's journey, from host to host.", options,
        "ID is a trace (as in the log) or the id that the server gave a letter.",
    };
    int words, code;
    if (options_read(argc, argv, &help, &id, 1, &words, &code)) {
        t.lang = language_choose(wanted_lang);
        if (t.lang.len == 0)
            code = usage_error(&help, "--lang is ko or en");
        else if (words + last + all > 1)
            code = usage_error(&help, "say one of ID, --last and --all");
        else if (!running_find(&a, wanted_dir, &t.dir))
            code = command_error("story", COMMAND_UNREACHABLE,
                                 "no running naru answers; start one with `naru try`, or name its directory with --dir");
        else
            code = words ? fetch_id(&t, id) : all ? fetch(&t, S("/story")) : fetch_last(&t);
        if (code == COMMAND_OK)
            code = show(&t);
    }
    arena_free(&a);
    return code;
}
