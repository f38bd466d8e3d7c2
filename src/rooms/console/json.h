// JSON at the console's doors: read with a ceiling on its depth (the library recurses; a fiber's stack is small), written whole.
#pragma once
#include <jansson.h>
#include "talk/http_serve.h"

enum { CONSOLE_JSON_DEPTH_MAX = 8, CONSOLE_ANSWER_BYTES_MAX = 16 << 20 };

json_t *console_json_read(str text, const char **why);   // a new object; NULL with a literal: none, or too deep
bool    console_json_put(buf *out, const json_t *value); // false: it does not fit
void    console_json_answer(http_reply *reply, int status, json_t *value);       // takes the value over
