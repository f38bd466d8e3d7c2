#include <string.h>

#include "rt/json_read.h"
#include "test.h"

TEST(json_of_strangers_is_bounded)
{
    static const struct { const char *text; bool good; } rows[] = {
        {"{}", true}, {"{\"a\":[1,{\"b\":2}]}", true}, {"{\"a\":\"[[[[[[\\\"[\"}", true},        // inside a text brackets count nothing
        {"", false}, {"[]", false}, {"{", false}, {"{\"a\":1,\"a\":2}", false}, {"{\"a\":[[[]]]}", false}, {"{} x", false},
    };
    const char *why;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *o = json_object_read(str_z(rows[i].text), 3, &why);
        CHECK_ROW(i, (o != NULL) == rows[i].good);
        json_decref(o);
    }
    static char deep[100000];
    memset(deep, '[', sizeof deep);
    CHECK(!json_object_read(str_of(deep, sizeof deep), JSON_STRANGER_DEPTH_MAX, &why));
    CHECK_STR(str_z(why), S("JSON that is nested too deeply"));
}
