// naru scene: plays the course's cases, each on a small Internet of its own, and says what was asserted.
#include <stdio.h>
#include <stdlib.h>

#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/play.h"
#include "cmd/directory_remove.h"
#include "rt/json_text.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/story.h"
#include "rt/worker.h"

enum { SCENE_MEMORY_BYTES_MAX = 64 << 20, SCENE_EVENTS_MAX = 2000, SCENE_LADDER_BYTES_MAX = 4 << 20 };

static const scene *const groups[] = {mail_scenes, name_scenes, file_scenes, later_scenes, socket_scenes};

typedef struct {
    play   play;
    const scene *scene;
    str    directory;
    bool   json, colour;
    int    columns;
    str    trouble;                  // the small Internet did not start
} playing;

static void draw(playing *s)
{
    story_event *events = arena_array(&s->play.memory, story_event, SCENE_EVENTS_MAX);
    int count = s->play.trace && events ? story_read(s->play.trace, events, SCENE_EVENTS_MAX) : 0;
    if (count == 0)
        return;
    buf out = buf_make(SCENE_LADDER_BYTES_MAX);
    story_ladder(events, count, s->columns, s->colour, &out);
    printf("\n");
    fwrite(out.at, 1, out.len, stdout);
    buf_free(&out);
}

static void act(void *arg)
{
    playing *s = arg;
    static small_internet net;                           // large; one scene at a time
    str why = {0};
    small_options options = {.directory = s->directory, .retry_ns = seconds(1), .expire_ns = minutes(1), .map = str_z(s->scene->map)};
    if (small_internet_start(&net, options, &why) == E_OK) {
        s->play.net = &net;
        s->scene->act(&s->play);
        if (!s->play.quiet)
            draw(s);
    } else {
        s->play.failed++;
        s->play.first_failure = str_copy(&s->play.memory, why);
    }
    small_internet_stop(&net);
}

static void no_log(void *arg, str line) { (void)arg, (void)line; }

static bool perform(playing *s)
{
    char directory[] = "/tmp/naru-scene-XXXXXX";
    if (!mkdtemp(directory)) {
        s->play.first_failure = S("cannot make a directory in /tmp");
        s->play.failed++;
        return false;
    }
    s->directory = str_z(directory);
    loop_driver *driver = driver_linux_new();
    world *w = world_linux_new(S("scene"), NULL, 0);
    if (loop_run(driver, w, act, s) != E_OK)
        s->play.failed++, s->play.first_failure = S("no guarded stack can be had");
    driver_linux_free(driver);
    directory_remove(w, s->directory);
    world_linux_free(w);
    return s->play.failed == 0;
}

static const char *verdict(const playing *s)
{
    return !s->scene->act ? "not built" : s->play.failed ? "FAILED" : s->scene->missing ? "plays in part" : "plays";
}

static void report_line(const playing *s)
{
    printf("%-3s %-62s %s", s->scene->name, s->scene->title, verdict(s));
    if (s->scene->act)
        printf(" (%d checks)", s->play.checks);
    if (s->play.failed)
        printf(": " STR_FMT, STR_ARG(s->play.first_failure));
    else if (s->scene->missing)
        printf(": %s", s->scene->missing);
    printf("\n");
    fflush(stdout);
}

static void report_json(const playing *s, bool first)
{
    buf out = buf_make(65536);
    buf_format(&out, "%s{\"name\": \"%s\", \"title\": ", first ? "[" : ",\n ", s->scene->name);
    json_put(&out, str_z(s->scene->title));
    buf_format(&out, ", \"verdict\": \"%s\", \"checks\": %d, \"failed\": %d, \"note\": ", verdict(s), s->play.checks, s->play.failed);
    json_put(&out, s->play.failed ? s->play.first_failure : str_z(s->scene->missing));
    buf_put(&out, S("}"));
    fwrite(out.at, 1, out.len, stdout);
    buf_free(&out);
}

static bool play_one(const scene *which, bool quiet, bool json, bool first)
{
    playing s = {.scene = which, .json = json, .colour = terminal_at(1), .columns = terminal_columns()};
    s.play.quiet = quiet;
    s.play.memory = arena_make(SCENE_MEMORY_BYTES_MAX);
    if (!quiet && which->act)
        printf("%s  %s\n", which->name, which->title);
    bool ok = !which->act || perform(&s);
    if (json)
        report_json(&s, first);
    else
        report_line(&s);
    arena_free(&s.play.memory);
    return ok;
}

static void list_scenes_json(void)
{
    buf out = buf_make(256 * 1024);
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        for (const scene *s = groups[g]; s->name; s++) {
            buf_format(&out, "%s{\"name\": \"%s\", \"title\": ", out.len ? ",\n " : "[", s->name);
            json_put(&out, str_z(s->title));
            buf_format(&out, ", \"built\": %s, \"missing\": ", s->act ? "true" : "false");
            json_put(&out, str_z(s->missing));
            buf_put_byte(&out, '}');
        }
    printf(STR_FMT "]\n", STR_ARG(buf_str(&out)));
    buf_free(&out);
}

static void list_scenes(void)
{
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        for (const scene *s = groups[g]; s->name; s++)
            printf("%-3s %-62s %s%s\n", s->name, s->title, s->act ? (s->missing ? "in part: " : "") : "not built: ", s->missing ? s->missing : "");
    printf("\n`naru scene M1` plays one, `naru scene --all` all of them.\n");
}

static int play_chosen(const str *words, int count, bool all, bool json)
{
    int failed = 0, played = 0;
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        for (const scene *s = groups[g]; s->name; s++) {
            bool chosen = all;
            for (int i = 0; i < count && !chosen; i++)
                chosen = str_eq_nocase(words[i], str_z(s->name));
            if (chosen)
                failed += !play_one(s, all || json, json, played++ == 0);
        }
    if (json)
        printf("%s]\n", played ? "" : "[");
    return played < (all ? 1 : count) ? -1 : failed;
}

int cmd_scene(int argc, char **argv)
{
    bool all = false, json = false;
    str words[COMMAND_WORDS_MAX];
    const command_option options[] = {
        {"all", OPTION_FLAG, &all, NULL, "play every scene, one line each"},
        {"json", OPTION_FLAG, &json, NULL, "print JSON"},
        {0},
    };
    const command_help help = {"scene", "[NAME...]", "Plays the course's cases on a small Internet of their own.", options,
                               "Without a name it lists them."};
    int count, code;
    if (!options_read(argc, argv, &help, words, COMMAND_WORDS_MAX, &count, &code))
        return code;
    if (!all && count == 0) {
        if (json)
            list_scenes_json();
        else
            list_scenes();
        return COMMAND_OK;
    }
    signals_block();
    log_setup(LOG_LOGFMT, LOG_WARNING, no_log, NULL);
    workers_start(2);
    int failed = play_chosen(words, count, all, json);
    workers_stop();
    if (failed < 0)
        return usage_error(&help, "there is no such scene; `naru scene` lists them");
    return failed ? COMMAND_FAILED : COMMAND_OK;
}
