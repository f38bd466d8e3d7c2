#include "rooms/console/json.h"

static bool too_deep(str body)
{
    int depth = 0;
    bool quoted = false;
    for (ptrdiff_t i = 0; i < body.len; i++) {
        unsigned char c = body.at[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > CONSOLE_JSON_DEPTH_MAX)
                return true;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return false;
}

json_t *console_json_read(str text, const char **why)
{
    *why = "that is no JSON object";
    if (too_deep(text)) {
        *why = "that is JSON nested too deeply";
        return NULL;
    }
    json_t *o = json_loadb((const char *)text.at, (size_t)text.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

static int into(const char *bytes, size_t size, void *out)
{
    return buf_put(out, str_of(bytes, size)) ? 0 : -1;
}

bool console_json_put(buf *out, const json_t *value) { return value && json_dump_callback(value, into, out, JSON_COMPACT) == 0; }

void console_json_answer(http_reply *reply, int status, json_t *value)
{
    buf out = buf_make(CONSOLE_ANSWER_BYTES_MAX);
    if (console_json_put(&out, value))
        http_answer(reply, status, S("application/json"), buf_str(&out));
    else
        http_answer(reply, 500, S("text/plain; charset=utf-8"), S("the answer is too large\n"));
    buf_free(&out);
    json_decref(value);
}
