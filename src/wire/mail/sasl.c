#include "wire/mail/sasl.h"

#include <string.h>

#include "base/base64.h"

bool sasl_decode(str base64, arena *msg, str *out)
{
    *out = (str){0};
    if (str_eq(base64, S("=")) || base64.len == 0)
        return true;
    return base64.len <= (ptrdiff_t)base64_encoded_size(SASL_TEXT_MAX) && base64_bytes(msg, base64, out);
}

bool sasl_plain_read(str base64, arena *msg, sasl_plain *out)
{
    str text;
    *out = (sasl_plain){0};
    if (!sasl_decode(base64, msg, &text))
        return false;
    ptrdiff_t first = str_find(text, 0);
    str after = first < 0 ? (str){0} : str_from(text, first + 1);
    ptrdiff_t second = str_find(after, 0);
    if (first < 0 || second < 0)
        return false;
    sasl_plain p = {str_first(text, first), str_first(after, second), str_from(after, second + 1)};
    if (p.name.len == 0 || p.password.len == 0 || str_find(p.password, 0) >= 0)
        return false;
    if (p.authorize.len > SASL_NAME_MAX || p.name.len > SASL_NAME_MAX || p.password.len > SASL_PASSWORD_MAX)
        return false;
    *out = p;
    return true;
}

str sasl_plain_write(arena *a, str name, str password)
{
    if (str_find(name, 0) >= 0 || str_find(password, 0) >= 0 || name.len > SASL_NAME_MAX ||
        password.len > SASL_PASSWORD_MAX)
        return (str){0};
    unsigned char plain[SASL_NAME_MAX + SASL_PASSWORD_MAX + 2] = {0};
    if (name.len)
        memcpy(plain + 1, name.at, (size_t)name.len);
    if (password.len)
        memcpy(plain + 2 + name.len, password.at, (size_t)password.len);
    return base64_text(a, str_of(plain, (size_t)(name.len + password.len + 2)));
}

bool sasl_login_read(str base64, arena *msg, str *out)
{
    return sasl_decode(base64, msg, out) && out->len > 0 && out->len <= SASL_PASSWORD_MAX && str_find(*out, 0) < 0;
}
