#include "wire/bt/endpoint.h"

#include <string.h>

addr endpoint_read(reader *r, int family)
{
    addr x = {0};
    str ip = rd_bytes(r, family == 6 ? 16 : 4);
    x.port = rd_u16(r);
    if (r->bad)
        return (addr){0};
    x.family = (uint8_t)family;
    memcpy(x.ip, ip.at, (size_t)ip.len);
    return x;
}

void endpoint_write(writer *w, addr x)
{
    wr_bytes(w, str_of(x.ip, x.family == 6 ? 16 : 4));
    wr_u16(w, x.port);
}

bool endpoint_put_all(buf *out, const addr *list, int count, int family)
{
    for (int i = 0; i < count; i++) {
        unsigned char bytes[ENDPOINT_V6_BYTES];
        writer w = wr_into(bytes, sizeof bytes);
        if (list[i].family != family)
            continue;
        endpoint_write(&w, list[i]);
        buf_put(out, wr_str(&w));
    }
    return !out->full;
}

int endpoint_count(const addr *list, int count, int family)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        n += list[i].family == family;
    return n;
}

bool endpoint_read_all(str compact, int family, addr *list, int *count, int max)
{
    if (compact.len % endpoint_bytes(family))
        return false;
    for (reader r = rd_of(compact); rd_left(&r) && *count < max; ) {
        addr x = endpoint_read(&r, family);
        if (x.port)
            list[(*count)++] = x;
    }
    return true;
}
