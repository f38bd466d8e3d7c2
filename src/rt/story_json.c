#include <jansson.h>
#include <string.h>

#include "base/date.h"
#include "rt/json_text.h"
#include "rt/story.h"

static const char *const directions[] = {"in", "out", "note"};

static void put_address(buf *out, const char *name, addr x)
{
    char text[ADDR_TEXT_MAX];
    if (!x.family)
        return;
    addr_print(text, x);
    buf_format(out, ", \"%s\": \"%s\"", name, text);
}

static void put_event(buf *out, const story_event *e)
{
    char time[DATE_TEXT_MAX], trace[17];
    date_print_rfc3339_ms(time, e->wall_ns);
    story_trace_text(trace, e->trace);
    buf_format(out, "  {\"number\": %llu, \"time\": \"%s\", \"wall_ns\": %lld, \"mono_ns\": %lld", (unsigned long long)e->number,
               time, (long long)e->wall_ns, (long long)e->mono_ns);
    buf_format(out, ", \"trace\": \"%s\", \"host\": ", trace);
    json_put(out, str_z(e->here));
    buf_put(out, S(", \"protocol\": "));
    json_put(out, str_z(e->protocol));
    buf_format(out, ", \"direction\": \"%s\"", directions[e->direction]);
    put_address(out, "local", e->local);
    put_address(out, "peer", e->peer);
    if (e->there[0]) {
        buf_put(out, S(", \"peer_host\": "));
        json_put(out, str_z(e->there));
    }
    buf_put(out, S(", \"line\": "));
    json_put(out, str_of(e->line, e->len));
    buf_put_byte(out, '}');
}

void story_json(const story_event *events, int count, buf *out)
{
    buf_put(out, S("[\n"));
    for (int i = 0; i < count; i++) {
        put_event(out, &events[i]);
        buf_put(out, i + 1 < count ? S(",\n") : S("\n"));
    }
    buf_put(out, S("]\n"));
}

// ---- reading it back ----

static str text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? str_of(json_string_value(value), json_string_length(value)) : (str){0};
}

static bool number_of(const json_t *object, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(object, name);
    *out = json_integer_value(value);
    return json_is_integer(value);
}

static bool name_of(const json_t *object, const char *name, char *out, size_t size)
{
    str text = text_of(object, name);
    if ((size_t)text.len >= size || str_find(text, 0) >= 0)
        return false;
    if (text.len)
        memcpy(out, text.at, (size_t)text.len);
    return true;
}

static bool address_of(const json_t *object, const char *name, addr *out)
{
    return !json_object_get(object, name) || addr_parse(text_of(object, name), 0, out);
}

static bool direction_of(str text, story_direction *out)
{
    for (int i = 0; i < 3; i++)
        if (str_eq(text, str_z(directions[i])))
            return *out = (story_direction)i, true;
    return false;
}

static bool event_read(const json_t *object, story_event *e)
{
    int64_t number;
    str line = text_of(object, "line"), trace = text_of(object, "trace");
    if (!number_of(object, "number", &number) || number < 0 || !number_of(object, "wall_ns", &e->wall_ns)
        || !number_of(object, "mono_ns", &e->mono_ns))
        return false;
    if (line.len > STORY_LINE_BYTES_MAX
        || (!story_trace_parse(trace, &e->trace) && !str_eq(trace, S("0000000000000000"))))
        return false;
    e->number = (uint64_t)number;
    e->len = (uint8_t)line.len;
    if (line.len)
        memcpy(e->line, line.at, (size_t)line.len);
    return name_of(object, "host", e->here, sizeof e->here) && name_of(object, "peer_host", e->there, sizeof e->there)
        && name_of(object, "protocol", e->protocol, sizeof e->protocol)
        && address_of(object, "local", &e->local) && address_of(object, "peer", &e->peer)
        && direction_of(text_of(object, "direction"), &e->direction);
}

bool story_from_json(str json, arena *a, story_event **events, int *count)
{
    *events = NULL;
    *count = 0;
    json_t *root = json_loadb((const char *)json.at, (size_t)json.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    size_t n = json_array_size(root);
    bool good = json_is_array(root) && n <= STORY_RING_EVENTS;
    story_event *list = good && n ? arena_array(a, story_event, n) : NULL;
    good = good && (n == 0 || list);
    for (size_t i = 0; good && i < n; i++)
        good = event_read(json_array_get(root, i), &list[i]);
    json_decref(root);
    if (good) {
        *events = list;
        *count = (int)n;
    }
    return good;
}
