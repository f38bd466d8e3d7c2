#include "base/address.h"

#include <stdio.h>
#include <string.h>

addr addr_v4(uint32_t ip, uint16_t port)
{
    return (addr){4, port, {(uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip}};
}

addr addr_with_port(addr x, uint16_t port)
{
    x.port = port;
    return x;
}

static bool parse_v4(str text, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        bool last = i == 3;
        if (!last && str_find(text, '.') < 0)
            return false;
        str part = last ? text : str_cut(&text, '.');
        uint64_t n;
        if (part.len > 3 || (part.len > 1 && part.at[0] == '0') || !str_to_u64(part, &n) || n > 255)
            return false;
        out[i] = (uint8_t)n;
    }
    return true;
}

// RFC 4291 section 2.2: up to eight groups, one "::", and an IPv4 tail.
static bool parse_v6(str text, uint8_t out[16])
{
    uint8_t bytes[16] = {0};
    int n = 0, gap = -1;
    if (str_starts(text, S("::")))
        gap = 0, text = str_from(text, 2);
    else if (str_starts(text, S(":")))
        return false;
    while (text.len) {
        ptrdiff_t colon = str_find(text, ':');
        str group = colon < 0 ? text : str_first(text, colon);
        if (colon < 0 && str_find(group, '.') >= 0) {
            if (n > 12 || !parse_v4(group, bytes + n))
                return false;
            n += 4;
            break;
        }
        uint64_t value;
        if (n > 14 || group.len > 4 || !str_hex_to_u64(group, &value))
            return false;
        bytes[n++] = (uint8_t)(value >> 8);
        bytes[n++] = (uint8_t)value;
        if (colon < 0)
            break;
        text = str_from(text, colon + 1);
        if (str_starts(text, S(":"))) {
            if (gap >= 0)
                return false;
            gap = n, text = str_from(text, 1);
        } else if (text.len == 0) {
            return false;
        }
    }
    if (gap < 0 ? n != 16 : n > 14)
        return false;
    if (gap >= 0) {
        memmove(bytes + 16 - (n - gap), bytes + gap, (size_t)(n - gap));
        memset(bytes + gap, 0, (size_t)(16 - n));
    }
    memcpy(out, bytes, 16);
    return true;
}

bool addr_parse_ip(str text, uint16_t port, addr *out)
{
    addr x = {.port = port};
    if (text.len > 2 && text.at[0] == '[' && text.at[text.len - 1] == ']')
        text = str_sub(text, 1, text.len - 2);
    if (parse_v4(text, x.ip))
        x.family = 4;
    else if (parse_v6(text, x.ip))
        x.family = 6;
    else
        return false;
    *out = x;
    return true;
}

bool addr_parse(str text, uint16_t default_port, addr *out)
{
    if (addr_parse_ip(text, default_port, out))
        return true;
    ptrdiff_t mark = str_rfind(text, '#');
    if (mark < 0)
        mark = str_rfind(text, ':');
    uint64_t port;
    return mark > 0 && str_to_u64(str_from(text, mark + 1), &port) && port <= 65535 &&
           addr_parse_ip(str_first(text, mark), (uint16_t)port, out);
}

static int print_v6(char *out, size_t size, const uint8_t ip[16])
{
    int best = -1, best_len = 1;                       // the longest run of two or more zero groups, RFC 5952 4.2
    for (int i = 0; i < 8; i++) {
        int j = i;
        while (j < 8 && ip[2 * j] == 0 && ip[2 * j + 1] == 0)
            j++;
        if (j - i > best_len)
            best = i, best_len = j - i;
        if (j > i)
            i = j - 1;
    }
    int n = 0;
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            n += snprintf(out + n, size - (size_t)n, "::");
            i += best_len - 1;
            continue;
        }
        bool colon = i > 0 && i != best + best_len;
        n += snprintf(out + n, size - (size_t)n, "%s%x", colon ? ":" : "",
                      (unsigned)(ip[2 * i] << 8 | ip[2 * i + 1]));
    }
    return n;
}

static int print_ip(char *out, size_t size, addr x)
{
    if (x.family == 4)
        return snprintf(out, size, "%u.%u.%u.%u", x.ip[0], x.ip[1], x.ip[2], x.ip[3]);
    if (x.family == 6)
        return print_v6(out, size, x.ip);
    return snprintf(out, size, "none");
}

void addr_print(char out[ADDR_TEXT_MAX], addr x)
{
    int n = 0;
    if (x.family == 6)
        out[n++] = '[';
    n += print_ip(out + n, (size_t)(ADDR_TEXT_MAX - n), x);
    snprintf(out + n, (size_t)(ADDR_TEXT_MAX - n), "%s:%u", x.family == 6 ? "]" : "", x.port);
}

str addr_ip_text(arena *a, addr x)
{
    char text[ADDR_TEXT_MAX];
    print_ip(text, sizeof text, x);
    return str_copy(a, str_z(text));
}

str addr_text(arena *a, addr x)
{
    char text[ADDR_TEXT_MAX];
    addr_print(text, x);
    return str_copy(a, str_z(text));
}

bool addr_eq_ip(addr a, addr b) { return a.family == b.family && memcmp(a.ip, b.ip, a.family == 4 ? 4 : 16) == 0; }
bool addr_eq(addr a, addr b) { return a.port == b.port && addr_eq_ip(a, b); }

bool addr_is_loopback(addr x)
{
    static const uint8_t one[16] = {[15] = 1}, mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (x.family == 4)
        return x.ip[0] == 127;
    return x.family == 6 && (memcmp(x.ip, one, 16) == 0 || (memcmp(x.ip, mapped, 12) == 0 && x.ip[12] == 127));
}

static bool is_private_v4(const uint8_t *ip)
{
    return ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168) ||
           (ip[0] == 169 && ip[1] == 254) || (ip[0] == 100 && (ip[1] & 0xc0) == 64);
}

bool addr_is_private(addr x)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (addr_is_loopback(x))
        return true;
    if (x.family == 6 && memcmp(x.ip, mapped, 12) == 0)
        return is_private_v4(x.ip + 12);
    if (x.family == 6)
        return (x.ip[0] & 0xfe) == 0xfc || (x.ip[0] == 0xfe && (x.ip[1] & 0xc0) == 0x80);
    return x.family == 4 && is_private_v4(x.ip);
}

bool addr_is_any(addr x)
{
    static const uint8_t zero[16];
    return x.family != 0 && memcmp(x.ip, zero, 16) == 0;
}

bool addr_in_prefix(addr x, addr prefix, int bits)
{
    if (x.family != prefix.family || bits < 0 || bits > (x.family == 4 ? 32 : 128))
        return false;
    int bytes = bits / 8, rest = bits % 8;
    if (memcmp(x.ip, prefix.ip, (size_t)bytes) != 0)
        return false;
    return rest == 0 || ((x.ip[bytes] ^ prefix.ip[bytes]) >> (8 - rest)) == 0;
}
