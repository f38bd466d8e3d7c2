#include "rt/json_text.h"

#include "base/utf8.h"

bool json_put(buf *out, str s)
{
    buf_put_byte(out, '"');
    while (s.len) {
        uint32_t code = 0;
        int taken = utf8_decode(s, &code);
        if (taken == 0)
            buf_put(out, S("\\ufffd"));
        else if (code == '"' || code == '\\')
            buf_format(out, "\\%c", (int)code);
        else if (code == '\n')
            buf_put(out, S("\\n"));
        else if (code < 0x10000 && utf8_is_control(code))
            buf_format(out, "\\u%04x", (unsigned)code);
        else
            buf_put(out, str_first(s, taken));
        s = str_from(s, taken ? taken : 1);
    }
    return buf_put_byte(out, '"');
}
