// Tests write fields as "Name: value\nName: value".
#pragma once
#include "wire/http/head.h"

enum { TEST_FIELDS_MAX = 16 };

static inline int test_fields(const char *text, http_header *out)
{
    str rest = str_z(text);
    int n = 0;
    while (rest.len && n < TEST_FIELDS_MAX) {
        str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
        out[n++] = (http_header){name, str_trim(value)};
    }
    return n;
}
