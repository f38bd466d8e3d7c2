#include "rooms/console/json.h"

#include "rt/json_read.h"

json_t *console_json_read(str text, const char **why) { return json_object_read(text, CONSOLE_JSON_DEPTH_MAX, why); }

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
