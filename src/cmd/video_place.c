// Whose catalogue `naru video` is about, and what is to be encoded for it.
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "cmd/running.h"
#include "cmd/up_plan.h"
#include "cmd/video.h"

enum { NODES_MAX = 64, PATH_BYTES_MAX = 4096 };

static bool encoding_usual(video_run *v)
{
    const char *why;
    return origin_encoding_of(NULL, &v->encoding, &why) || video_fail(v, COMMAND_USAGE, "%s", why);
}

static bool directory_set(video_run *v, str path)
{
    char here[PATH_BYTES_MAX];
    if (path.len && path.at[0] != '/' && getcwd(here, sizeof here))
        path = str_format(&v->memory, "%s/" STR_FMT, here, STR_ARG(path));
    v->directory = str_to_z(&v->memory, path);
    return true;
}

// What the running service has been told.
static bool running_take(video_run *v, str directory_of_node)
{
    http_result r = running_ask(&v->memory, directory_of_node, S("GET"), S("/origin/settings"), (str){0});
    json_t *o = r.error || r.status != 200 ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    const char *directory = json_string_value(json_object_get(o, "directory"));
    const json_t *rates = json_object_get(o, "ladder_bps"), *one;
    size_t i;
    bool good = directory && json_array_size(rates) && json_array_size(rates) <= ORIGIN_LADDER_MAX;
    if (good) {
        directory_set(v, str_copy(&v->memory, str_z(directory)));
        v->encoding = (origin_encoding){.segment_ns = json_integer_value(json_object_get(o, "segment_ms")) * NS_PER_MS,
                                        .constant = strcmp(json_string_value(json_object_get(o, "rate"))
                                                           ? json_string_value(json_object_get(o, "rate")) : "",
                                                               "cbr") == 0};
        json_array_foreach(rates, i, one)
            v->encoding.ladder_bps[v->encoding.ladder_count++] = json_integer_value(one);
    }
    json_decref(o);
    return good;
}

static bool running_look(video_run *v)
{
    str dir;
    running_node nodes[NODES_MAX];
    if (!running_find(&v->memory, v->naru, &dir))
        return false;
    int count = running_nodes(&v->memory, dir, "origin", v->host, nodes, NODES_MAX);
    for (int i = 0; i < count; i++)
        if (running_take(v, nodes[i].directory))
            return v->served = true;
    return false;
}

static bool stopped_take(video_run *v)
{
    up_plan plan;
    config_error error;
    file_stat st;
    const char *why;
    str name = v->config;
    if (!name.len && path_stat(v->world, UP_USUAL_FILE, &st) == E_OK)
        name = S(UP_USUAL_FILE);
    if (!up_plan_read(&plan, name, v->naru, &error)) {
        video_fail(v, COMMAND_USAGE, STR_FMT ":%d: " STR_FMT, STR_ARG(error.file), error.line, STR_ARG(error.text));
        up_plan_free(&plan);
        return false;
    }
    const up_service *s = &plan.services[UP_ORIGIN];
    bool good = origin_encoding_of(s->wanted ? up_settings(s, &plan.memory) : NULL, &v->encoding, &why) ||
        video_fail(v, COMMAND_USAGE, "origin: %s", why);
    directory_set(v, str_format(&v->memory, STR_FMT "/origin", STR_ARG(plan.directory)));
    up_plan_free(&plan);
    return good;
}

static bool ladder_override(video_run *v)
{
    str rest = v->ladder;
    if (rest.len)
        v->encoding.ladder_count = 0;
    while (rest.len) {
        int64_t bps;
        str one = str_trim(str_cut(&rest, ','));
        int n = v->encoding.ladder_count;
        if (n == ORIGIN_LADDER_MAX || !rate_parse(one, &bps) || bps < ORIGIN_RATE_BPS_MIN ||
            bps > ORIGIN_RATE_BPS_MAX || bps % 1000 ||
            (n && bps <= v->encoding.ladder_bps[n - 1]))
            return video_fail(v, COMMAND_USAGE,
                              "--ladder takes rising rates of 50kbit to 50Mbit, separated by commas: "
                              "300kbit,1Mbit,3Mbit");
        v->encoding.ladder_bps[v->encoding.ladder_count++] = bps;
    }
    return true;
}

bool video_place(video_run *v)
{
    bool good = v->catalogue.len ? encoding_usual(v) && directory_set(v, v->catalogue)
        : (!v->config.len && running_look(v)) || stopped_take(v);
    if (!good)
        return false;
    if (v->rate.len && !str_eq(v->rate, S("cbr")) && !str_eq(v->rate, S("vbr")))
        return video_fail(v, COMMAND_USAGE, "--rate takes vbr or cbr");
    if (v->rate.len)
        v->encoding.constant = str_eq(v->rate, S("cbr"));
    v->films = video_path(v, ORIGIN_FILMS);
    return ladder_override(v);
}
