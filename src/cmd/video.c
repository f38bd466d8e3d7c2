// naru video: films into the catalogue, and looking at them. docs/video.md.
#include "cmd/video.h"

#include <stdarg.h>
#include <stdio.h>

#include "cmd/commands.h"

static const struct { const char *name; int words_min, words_max; video_verb *run; } verbs[] = {
    {"add", 2, 2, video_add},     {"sample", 1, 1, video_sample},   {"list", 1, 1, video_list},
    {"show", 2, 2, video_show},   {"remove", 2, 2, video_remove},   {"inspect", 2, 3, video_inspect},
    {"push", 3, COMMAND_WORDS_MAX, video_push},
};

static const char more[] =
    "  naru video add lecture.mkv --title \"Lecture 7\"       (300 kbit/s, 1 Mbit/s, 3 Mbit/s; --rate cbr: always "
    "the same rate)\n"
    "  naru video sample                                    (a film that nobody has to fetch)\n"
    "  naru video inspect lecture                           (I, P and B frames; run-length coding; the rate over time)\n"
    "  naru video inspect lecture lecture-cbr               (constant beside variable rate)\n"
    "  naru video push lecture http://edge1.example https://edge2.example:8443    (edges fetch all of it beforehand)\n"
    "An interrupted `add` is gone on with by the same command: finished renditions stay.\n";

bool video_fail(video_run *v, int code, const char *format, ...)
{
    va_list args;
    if (v->code != COMMAND_OK)
        return false;
    va_start(args, format);
    v->code = code;
    v->trouble = str_vformat(&v->memory, format, args);
    va_end(args);
    if (!v->trouble.len)
        v->trouble = S("no memory is left");
    return false;
}

char *video_path(video_run *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str rest = str_vformat(&v->memory, format, args);
    va_end(args);
    return str_to_z(&v->memory, str_format(&v->memory, "%s/" STR_FMT, v->directory, STR_ARG(rest)));
}

bool video_film(video_run *v, str id, film *out)
{
    err e = catalogue_look(v->world, v->films, id, &v->memory, out);
    if (e == E_NO_ENTRY)
        return video_fail(v, COMMAND_FAILED,
                          "there is no film \"" STR_FMT "\" in %s; `naru video list` names them", STR_ARG(id), v->films);
    return !e || video_fail(v, COMMAND_FAILED, "%s/" STR_FMT "/" FILM_RECORD ": %s", v->films, STR_ARG(id), err_text(e));
}

int cmd_video(int argc, char **argv)
{
    video_run v = {.memory = arena_make(VIDEO_MEMORY_BYTES_MAX), .out = buf_make(VIDEO_TEXT_BYTES_MAX), .seconds = 24};
    const command_option options[] = {
        {"id", OPTION_TEXT, &v.id, "ID",
         "add, sample: its name in URLs: small letters, digits, dashes (default: by the title)"},
        {"title", OPTION_TEXT, &v.title, "TEXT", "add, sample: its title (default: the file's name)"},
        {"rate", OPTION_TEXT, &v.rate, "vbr|cbr", "add, sample: variable or constant bit rate (default: as configured, vbr)"},
        {"ladder", OPTION_TEXT, &v.ladder, "RATES",
         "add, sample: video rates, separated by commas (default: as configured, 300kbit,1Mbit,3Mbit)"},
        {"seconds", OPTION_NUMBER, &v.seconds, "N", "sample: how long (default: 24)"},
        {"size", OPTION_TEXT, &v.size, "WxH", "sample: of its picture (default: 1280x720)"},
        {"naru", OPTION_TEXT, &v.naru, "DIR",
         "the data directory of naru (default: of the newest that runs, else naru.conf's)"},
        {"host", OPTION_TEXT, &v.host, "NAME", "whose catalogue (naru try may have several)"},
        {"config", OPTION_TEXT, &v.config, "FILE", "naru.conf of a naru that does not run"},
        {"catalogue", OPTION_TEXT, &v.catalogue, "DIR", "a directory for films of its own, without naru"},
        {"resolver", OPTION_TEXT, &v.resolver, "ADDRESS", "push: ask this name server (default: /etc/resolv.conf)"},
        {"ca", OPTION_TEXT, &v.ca, "FILE", "push: verify certificates against these authorities (default: the system's)"},
        {"lang", OPTION_TEXT, &v.language, "en|ko", "language of what inspect explains"},
        {"quiet", OPTION_FLAG, &v.quiet, NULL, "add, sample: no progress"},
        {"json", OPTION_FLAG, &v.json, NULL, "JSON instead of text"},
        {0},
    };
    const command_help help = {"video", "add FILE | sample | list | show ID | remove ID | inspect ID [ID] | push ID URL...",
                               "Encodes films for the origin's catalogue, and looks into them.", options, more};
    video_verb *run = NULL;
    if (!options_read(argc, argv, &help, v.words, COMMAND_WORDS_MAX, &v.word_count, &v.code))
        return v.code;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs && v.word_count; i++)
        if (str_eq(v.words[0], str_z(verbs[i].name)) && v.word_count >= verbs[i].words_min &&
            v.word_count <= verbs[i].words_max)
            run = verbs[i].run;
    v.language = language_choose(v.language);
    if (!run || !v.language.len)
        return usage_error(&help, run ? "--lang takes en or ko"
                           : "say a verb and what it needs: add FILE, sample, list, show ID, remove ID, inspect ID, "
                             "push ID URL");
    v.world = world_linux_new(S("video"), NULL, 0);
    if (video_place(&v))
        run(&v);
    if (v.out.len)
        fwrite(v.out.at, 1, v.out.len, stdout);
    if (v.trouble.len)
        (void)command_error("video", v.code, STR_FMT, STR_ARG(v.trouble));
    world_linux_free(v.world);
    buf_free(&v.out);
    int code = v.code;
    arena_free(&v.memory);
    return code;
}
