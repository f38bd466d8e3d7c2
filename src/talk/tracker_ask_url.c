// Tracker URLs: what they may look like, and where they may lead.
#include <string.h>

#include "talk/tracker_ask_inside.h"

enum { HOST_BYTES_MAX = 253, PORT_MAX = 65535 };

static bool refuse(const char **why, const char *reason) { return *why = reason, false; }

static bool scheme_read(str *rest, tracker_url *out)
{
    static const struct { const char *text; tracker_scheme scheme; uint16_t port; } schemes[] = {
        {"http://", TRACKER_HTTP, 80}, {"https://", TRACKER_HTTPS, 443}, {"udp://", TRACKER_UDP, 0},
    };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        str text = str_z(schemes[i].text);
        if (!str_starts_nocase(*rest, text))
            continue;
        *rest = str_from(*rest, text.len);
        out->scheme = schemes[i].scheme;
        out->port = schemes[i].port;
        return true;
    }
    return false;
}

static bool plain(str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] >= 0x7f || s.at[i] == '\\' || s.at[i] == '"' || s.at[i] == '<' || s.at[i] == '>')
            return false;
    return true;
}

// Letters, digits, '-' and '_' between dots. A last part of digits alone is a try at an address in another writing (0x7f.1).
static bool host_valid(str host)
{
    str last = {0};
    if (!host.len || host.len > HOST_BYTES_MAX || host.at[host.len - 1] == '.')
        return false;
    for (str rest = host; rest.len; ) {
        last = str_cut(&rest, '.');
        if (!last.len || last.len > 63)
            return false;
        for (ptrdiff_t i = 0; i < last.len; i++)
            if (!is_alnum(last.at[i]) && last.at[i] != '-' && last.at[i] != '_')
                return false;
    }
    return !is_digit(last.at[0]);
}

static bool port_read(str text, uint16_t *out)
{
    uint64_t n;
    if (!str_to_u64(text, &n) || n < 1 || n > PORT_MAX)
        return false;
    *out = (uint16_t)n;
    return true;
}

static bool authority_read(str authority, arena *a, tracker_url *out, const char **why)
{
    str host = authority, port = {0};
    bool bracket = str_starts(host, S("["));
    ptrdiff_t end = bracket ? str_find(host, ']') : str_find(host, ':') - 1;
    if (str_find(authority, '@') >= 0)
        return refuse(why, "the URL names a user");
    if (bracket && end < 0)
        return refuse(why, "the URL has no closing ]");
    if (end >= 0) {
        port = str_from(authority, end + 1);
        host = bracket ? str_sub(authority, 1, end - 1) : str_first(authority, end + 1);
    }
    if (port.len && (port.at[0] != ':' || !port_read(str_from(port, 1), &out->port)))
        return refuse(why, "the URL's port is no number from 1 to 65535");
    if (str_ends(host, S(".")))
        host = str_first(host, host.len - 1);
    out->host = str_lower(a, host);
    if (addr_parse_ip(out->host, 0, &out->numeric))
        return (out->numeric.family == 6) == bracket || refuse(why, "the URL's host is not well-formed");
    if (bracket || !host_valid(out->host))
        return refuse(why, "the URL's host is not well-formed");
    return true;
}

// Parameters that we add: a URL that brings its own tries to say something else with our voice.
static bool query_is_foreign(str query)
{
    static const char *const ours[] = {"info_hash", "peer_id", "port", "uploaded", "downloaded", "left", "event", "compact"};
    while (query.len) {
        str value = str_cut(&query, '&'), name = str_cut(&value, '=');
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            if (str_eq_nocase(name, str_z(ours[i])))
                return true;
    }
    return false;
}

bool tracker_url_read(str text, arena *a, tracker_url *out, const char **why)
{
    str rest = str_trim(text);
    *out = (tracker_url){0};
    if (rest.len > TRACKER_URL_BYTES_MAX)
        return refuse(why, "the URL is too long");
    if (!plain(rest) || str_find(rest, '#') >= 0)
        return refuse(why, "the URL has characters that no URL of a tracker has");
    if (!scheme_read(&rest, out))
        return refuse(why, "the URL is none of http, https and udp");
    ptrdiff_t path = 0;
    while (path < rest.len && rest.at[path] != '/' && rest.at[path] != '?')
        path++;
    if (!authority_read(str_first(rest, path), a, out, why))
        return false;
    str query = str_from(rest, path);
    out->path = str_cut(&query, '?');
    out->query = query;
    if (!out->path.len)
        out->path = S("/");
    if (!out->port)
        return refuse(why, "a udp URL needs a port");
    if (query_is_foreign(query))
        return refuse(why, "the URL brings parameters that are ours to say");
    return !a->full || refuse(why, "no memory is left");
}

str tracker_url_text(arena *a, const tracker_url *u)
{
    static const char *const schemes[] = {"http", "https", "udp"};
    bool bracket = u->numeric.family == 6;
    return str_format(a, "%s://%s" STR_FMT "%s:%u" STR_FMT "%s" STR_FMT, schemes[u->scheme], bracket ? "[" : "", STR_ARG(u->host),
                      bracket ? "]" : "", u->port, STR_ARG(u->path), u->query.len ? "?" : "", STR_ARG(u->query));
}

bool tracker_url_scrape(const tracker_url *u, arena *a, tracker_url *out)
{
    ptrdiff_t slash = str_rfind(u->path, '/');
    str last = str_from(u->path, slash + 1);
    *out = *u;
    if (u->scheme == TRACKER_UDP)
        return true;
    if (!str_starts(last, S("announce")))
        return false;
    out->path = str_join(a, str_join(a, str_first(u->path, slash + 1), S("scrape")), str_from(last, 8));
    return !a->full;
}

static bool is_nobody(addr at)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (at.family == 4)
        return at.ip[0] == 0 || at.ip[0] >= 224;
    return at.family != 6 || addr_is_any(at) || at.ip[0] == 0xff || memcmp(at.ip, mapped, sizeof mapped) == 0;
}

static bool path_is_a_trackers(const tracker_url *u)
{
    if (u->scheme == TRACKER_UDP && str_eq(u->path, S("/")))
        return true;
    return str_eq(u->path, S("/announce")) || str_eq(u->path, S("/scrape"));
}

const char *tracker_url_guard(const tracker_url *u, addr at, addr before, bool private_allowed)
{
    if (is_nobody(at))
        return "its address is none of a single host";
    if (!addr_is_private(at))
        return NULL;
    if (before.family && !addr_is_private(before))
        return "a public tracker leads to a private address";
    if (private_allowed)
        return NULL;
    return path_is_a_trackers(u) && !u->query.len ? NULL : "a private address is asked with /announce alone";
}
