#include <jansson.h>
#include <string.h>

#include "rooms/steering/steering_inside.h"
#include "rt/json_read.h"

static bool text_take(const json_t *o, const char *key, char to[REPORTS_SESSION_BYTES_MAX + 1], str *out)
{
    const json_t *value = json_object_get(o, key);
    size_t len = json_string_length(value);
    if (!value)
        return true;
    if (!json_is_string(value) || len > REPORTS_SESSION_BYTES_MAX)
        return false;
    memcpy(to, json_string_value(value), len);
    *out = str_of(to, len);
    return true;
}

static bool number_take(const json_t *o, const char *key, int64_t *out)
{
    const json_t *value = json_object_get(o, key);
    *out = -1;
    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = json_integer_value(value);
    return true;
}

bool player_report_read(str text, player_report *out)
{
    char session[REPORTS_SESSION_BYTES_MAX + 1];
    str name = {0};
    memset(out, 0, sizeof *out);
    const char *why;
    json_t *o = json_object_read(text, JSON_STRANGER_DEPTH_MAX, &why);
    bool good = o && text_take(o, "server", out->texts[0], &out->server) && text_take(o, "presentation", out->texts[1], &out->presentation) &&
                text_take(o, "rung", out->texts[2], &out->rung) && text_take(o, "session", session, &name) &&
                number_take(o, "throughput_bps", &out->throughput_bps) && number_take(o, "stalls", &out->stalls) &&
                number_take(o, "buffer_ms", &out->buffer_ms) && out->server.len > 0;
    out->session = str_hash(name, 0);
    out->failed = json_is_true(json_object_get(o, "failed"));
    json_decref(o);
    return good;
}
