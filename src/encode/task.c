#include "encode/task.h"

#include <string.h>

typedef struct {
    const char *key;
    size_t      offset;
    bool        is_text;
    int64_t     min, max;
} field;

#define NUMBER(key, member, min, max) {key, offsetof(task, member), false, min, max}
#define TEXT(key, member) {key, offsetof(task, member), true, 0, 0}

static const field fields[] = {
    TEXT("name", name),
    NUMBER("width", width, 2, TASK_SIDE_MAX),
    NUMBER("height", height, 2, TASK_SIDE_MAX),
    NUMBER("rate", rate_bps, 8000, TASK_RATE_BPS_MAX),
    NUMBER("frames-number", frames_number, 1, 60000),
    NUMBER("frames-in", frames_in, 1, 1001),
    NUMBER("group", group_frames, 1, 3600),
    NUMBER("constant", constant, 0, 1),
    NUMBER("duration-ms", duration_ms, 0, TASK_DURATION_S_MAX * 1000ll),
    NUMBER("user", user, 0, INT32_MAX),
    NUMBER("memory", memory_bytes, 0, INT64_MAX),
    NUMBER("processor-s", processor_s, 0, INT32_MAX),
    NUMBER("file-bytes", file_bytes, 0, INT64_MAX),
};

static const char *const steps[STEPS] = {"probe", "video", "sound", "stills", "sample"};

static bool step_read(const char *word, task_step *out)
{
    for (int i = 0; i < STEPS; i++)
        if (strcmp(word, steps[i]) == 0) {
            *out = (task_step)i;
            return true;
        }
    return false;
}

static bool field_read(char *word, task *out)
{
    str value = str_z(word), key = str_cut(&value, '=');
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const field *f = &fields[i];
        void *into = (char *)out + f->offset;
        int64_t number;
        if (!str_eq(key, str_z(f->key)) || value.len == 0)
            continue;
        if (f->is_text)
            memcpy(into, &(const char *){(const char *)value.at}, sizeof(const char *));
        else if (str_to_i64(value, &number) && number >= f->min && number <= f->max)
            memcpy(into, &number, sizeof number);
        else
            return false;
        return true;
    }
    return false;
}

bool task_read(int argc, char **argv, task *out, const char **why)
{
    *out = (task){.step = STEP_PROBE};
    *why = "usage: naru-encode STEP --KEY=VALUE ...; naru starts it, see docs/video.md";
    if (argc < 2 || !step_read(argv[1], &out->step))
        return false;
    *why = "an option is unknown, or its value is out of bounds";
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], "--", 2) != 0 || !field_read(argv[i] + 2, out))
            return false;
    bool writes = out->step != STEP_PROBE, pictures = out->step == STEP_VIDEO || out->step == STEP_SAMPLE;
    *why = "--name, --width, --height, --rate, --frames-number, --frames-in or --group is missing";
    if (writes && (!out->name || strchr(out->name, '/')))
        return false;
    if (pictures && (!out->width || !out->height || !out->rate_bps || !out->frames_number || !out->frames_in))
        return false;
    return out->step == STEP_PROBE || out->step == STEP_STILLS || out->group_frames > 0;
}
