#include "wire/http/field_list.h"

http_list http_list_of(const http_header *headers, int count, str name)
{
    return (http_list){.headers = headers, .count = count, .name = name};
}

// What stands before the next comma outside of quotes; *rest moves behind it.
static str member_cut(str *rest)
{
    bool quoted = false;
    ptrdiff_t i = 0;
    for (; i < rest->len; i++) {
        unsigned char c = rest->at[i];
        if (c == '"')
            quoted = !quoted;
        else if (c == '\\' && quoted)
            i++;
        else if (c == ',' && !quoted)
            break;
    }
    str member = str_trim(str_first(*rest, i));
    *rest = str_from(*rest, i + 1);
    return member;
}

bool http_list_next(http_list *l, str *member)
{
    for (;;) {
        while (l->rest.len)
            if ((*member = member_cut(&l->rest)).len)
                return true;
        while (l->at < l->count && !str_eq_nocase(l->headers[l->at].name, l->name))
            l->at++;
        if (l->at >= l->count)
            return false;
        l->rest = l->headers[l->at++].value;
    }
}

void http_member_cut(str member, str *name, str *value, bool *has_value)
{
    *has_value = str_find(member, '=') >= 0;
    *value = member;
    *name = str_trim(str_cut(value, '='));
    *value = str_trim(*value);
    if (value->len >= 2 && value->at[0] == '"' && value->at[value->len - 1] == '"')
        *value = str_sub(*value, 1, value->len - 2);
}

bool http_field_present(const http_header *headers, int count, str name)
{
    for (int i = 0; i < count; i++)
        if (str_eq_nocase(headers[i].name, name))
            return true;
    return false;
}
