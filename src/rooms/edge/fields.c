// A client's fields: which of them need a look, and which go on to the origin.
#include <string.h>

#include "rooms/edge/edge_inside.h"

void request_look(request *q)
{
    for (int i = 0; i < q->h->header_count; i++) {
        str n = q->h->headers[i].name;
        switch (n.len) {
        case 5:  q->has_range |= str_eq_nocase(n, S("Range")); break;
        case 6:  q->has_control |= str_eq_nocase(n, S("Pragma")); break;
        case 8:  q->has_range |= str_eq_nocase(n, S("If-Range"));
                 q->has_condition |= str_eq_nocase(n, S("If-Match"));
                 q->has_loop |= str_eq_nocase(n, S("CDN-Loop")); break;
        case 13: q->has_control |= str_eq_nocase(n, S("Cache-Control"));
                 q->has_condition |= str_eq_nocase(n, S("If-None-Match"));
                 q->has_authorization |= str_eq_nocase(n, S("Authorization")); break;
        case 17: q->has_condition |= str_eq_nocase(n, S("If-Modified-Since")); break;
        case 19: q->has_condition |= str_eq_nocase(n, S("If-Unmodified-Since")); break;
        }
    }
}

// Fields that some servers build their answers from although no cache keys them (cache poisoning), and those that are said anew.
static bool is_left_out(str name)
{
    static const char *const names[] = {
        "Host", "Content-Length", "Expect", "Via", "CDN-Loop", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
        "X-Forwarded-Scheme", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded-Ssl", "X-Forwarded-By",
        "X-Host", "X-HTTP-Host-Override", "X-Real-IP", "X-Original-URL", "X-Original-Host", "X-Rewrite-URL", "X-HTTP-Method",
        "X-HTTP-Method-Override", "X-Method-Override", "X-Url-Scheme", "Front-End-Https", "HTTP2-Settings", "Max-Forwards",
    };
    static const char *const families[] = {"X-Forwarded-", "X-Original-", "X-Rewrite-", "X-HTTP-", "X-Override-"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_z(names[i])))
            return true;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (str_starts_nocase(name, str_z(families[i])))
            return true;
    return str_find(name, '_') >= 0;                     // to many origins the same as '-': X_Forwarded_Host, Content_Length
}

// Ranges that we would not answer ourselves (many, overlapping, malformed) go to no origin: it says the whole once.
static bool is_odd_range(const request *q, str name)
{
    byte_range parts[RANGE_PARTS_MAX];
    int count;
    return q->has_range && (str_eq_nocase(name, S("Range")) || str_eq_nocase(name, S("If-Range"))) &&
           range_read(http_header_find(q->h->headers, q->h->header_count, S("Range")), INT64_MAX, parts, &count) != RANGE_PARTS;
}

static bool is_condition(str name)
{
    return str_starts_nocase(name, S("If-")) || str_eq_nocase(name, S("Range"));
}

static str joined(const request *q, str name, str own)
{
    str whole = {0};
    for (int i = 0; i < q->h->header_count; i++)
        if (str_eq_nocase(q->h->headers[i].name, name))
            whole = str_format(q->msg, STR_FMT STR_FMT ", ", STR_ARG(whole), STR_ARG(q->h->headers[i].value));
    return str_join(q->msg, whole, own);
}

int fields_forward(edge *e, const request *q, bool plain, http_header *out, int max, arena *msg)
{
    int n = 0;
    for (int i = 0; i < q->h->header_count && n < max; i++) {
        str name = q->h->headers[i].name;
        if (is_left_out(name) || (plain && is_condition(name)) || is_odd_range(q, name) || http_field_is_of_connection(q->h->headers, q->h->header_count, name))
            continue;
        out[n++] = q->h->headers[i];
    }
    str from = q->c->peer.family ? addr_ip_text(msg, q->c->peer) : (str){0};
    const http_header own[] = {
        {S("Via"), joined(q, S("Via"), str_format(msg, "1.1 " STR_FMT, STR_ARG(e->name)))},
        {S("CDN-Loop"), joined(q, S("CDN-Loop"), e->name)},
        {S("X-Forwarded-Proto"), q->secure ? S("https") : S("http")},
        {S("X-Forwarded-For"), from},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own && n < max; i++)
        if (own[i].value.len)
            out[n++] = own[i];
    return n;
}
