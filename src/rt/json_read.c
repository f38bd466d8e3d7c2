#include "rt/json_read.h"

static bool is_deeper(str text, int depth_max)
{
    int depth = 0;
    bool quoted = false;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        unsigned char c = text.at[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > depth_max)
                return true;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return false;
}

json_t *json_object_read(str text, int depth_max, const char **why)
{
    *why = "no JSON object";
    if (is_deeper(text, depth_max)) {
        *why = "JSON that is nested too deeply";
        return NULL;
    }
    json_t *o = json_loadb((const char *)text.at, (size_t)text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}
