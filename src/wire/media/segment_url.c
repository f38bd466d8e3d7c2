#include "wire/media/segment_url.h"

#include "base/buf.h"
#include "base/must.h"

enum { WIDTH_MAX = 20 };

// "%05d" behind an identifier: its width; -1 when it is something else.
static int width_of(str format)
{
    uint64_t width;
    if (format.len < 3 || format.at[0] != '%' || format.at[format.len - 1] != 'd')
        return -1;
    str digits = str_sub(format, 1, format.len - 2);
    if (digits.at[0] != '0' || !str_to_u64(digits, &width) || width > WIDTH_MAX)
        return -1;
    return (int)width;
}

static bool field_put(buf *out, str field, const media_rendition *r, uint64_t number, uint64_t time)
{
    if (field.len == 0)
        return buf_put_byte(out, '$');
    if (str_eq(field, S("RepresentationID")))
        return buf_put(out, r->id);
    ptrdiff_t percent = str_find(field, '%');
    int width = percent < 0 ? 1 : width_of(str_from(field, percent));
    str name = percent < 0 ? field : str_first(field, percent);
    uint64_t value = number;
    if (str_eq(name, S("Time")))
        value = time;
    else if (str_eq(name, S("Bandwidth")))
        value = r->bitrate_key ? r->bitrate_key : r->peak_bps;
    else if (!str_eq(name, S("Number")))
        return false;
    return width >= 0 && buf_format(out, "%0*llu", width, (unsigned long long)value);
}

str media_template_fill(str template_text, const media_rendition *r, uint64_t number, uint64_t time, arena *a)
{
    buf out = buf_make(MEDIA_URL_BYTES_MAX);
    bool good = true;
    str rest = template_text;
    while (good && rest.len > 0) {
        ptrdiff_t dollar = str_find(rest, '$');
        good = buf_put(&out, dollar < 0 ? rest : str_first(rest, dollar));
        if (dollar < 0)
            break;
        rest = str_from(rest, dollar + 1);
        ptrdiff_t end = str_find(rest, '$');
        good = good && end >= 0 && field_put(&out, str_first(rest, end), r, number, time);
        rest = str_from(rest, end + 1);
    }
    str filled = good && !out.full ? str_copy(a, buf_str(&out)) : (str){0};
    buf_free(&out);
    return filled;
}

media_request media_segment_request(const media_rendition *r, int segment, arena *a)
{
    media_request q = {0};
    if (segment < 0 || segment >= r->segment_count)
        return q;
    const media_segment *s = &r->segments[segment];
    if (s->url.len > 0 || r->media.len == 0) {
        q.url = s->url.len > 0 ? s->url : r->whole;
        q.offset = s->offset;
        q.bytes = r->whole.len > 0 ? s->bytes : 0;
        return q;
    }
    q.url = media_template_fill(r->media, r, (uint64_t)r->first_number + (uint64_t)segment, s->start, a);
    return q;
}

media_request media_initialization_request(const media_rendition *r, arena *a)
{
    if (r->initialization.len > 0)
        return (media_request){.url = media_template_fill(r->initialization, r, 0, 0, a)};
    return (media_request){.url = r->whole, .bytes = r->initialization_bytes};
}

media_request media_index_request(const media_rendition *r, arena *a)
{
    (void)a;
    if (r->index_bytes == 0)
        return (media_request){0};
    return (media_request){.url = r->whole, .offset = r->initialization_bytes, .bytes = r->index_bytes};
}

// ---- references ---------------------------------------------------------------------------------------------------------

static bool bytes_allowed(str url)
{
    for (ptrdiff_t i = 0; i < url.len; i++)
        if (url.at[i] <= ' ' || url.at[i] >= 0x7f || str_find(S("<>\"\\^`{|}"), url.at[i]) >= 0)
            return false;
    return url.len <= MEDIA_URL_BYTES_MAX;
}

// "http://host:port" of an absolute URL; empty when it is none.
static str origin_of(str url)
{
    ptrdiff_t scheme = str_starts_nocase(url, S("http://")) ? 7 : str_starts_nocase(url, S("https://")) ? 8 : 0;
    if (scheme == 0)
        return (str){0};
    ptrdiff_t end = scheme;
    while (end < url.len && url.at[end] != '/' && url.at[end] != '?' && url.at[end] != '#')
        end++;
    return end > scheme ? str_first(url, end) : (str){0};
}

bool media_url_is_absolute(str url) { return origin_of(url).len > 0; }

static str without_fragment(str url)
{
    ptrdiff_t hash = str_find(url, '#');
    return hash < 0 ? url : str_first(url, hash);
}

static str path_part(str reference)
{
    ptrdiff_t query = str_find(reference, '?');
    return query < 0 ? reference : str_first(reference, query);
}

// The path without "." and ".." (RFC 3986 section 5.2.4); path begins with '/'.
static void path_put(buf *out, str path)
{
    size_t root = out->len;
    str rest = str_from(path, 1);
    for (bool more = true; more;) {
        more = str_find(rest, '/') >= 0;
        str part = str_cut(&rest, '/');
        bool dot = str_eq(part, S(".")), up = str_eq(part, S(".."));
        if (up)                                          // back to before the last '/'
            while (out->len > root && out->at[--out->len] != '/')
                ;
        if (!dot && !up) {
            buf_put_byte(out, '/');
            buf_put(out, part);
        } else if (!more) {
            buf_put_byte(out, '/');
        }
    }
}

// The scheme of a reference that has one ("data:", "ftp://..."): such a thing is not relative.
static bool has_scheme(str reference)
{
    ptrdiff_t i = 0;
    while (i < reference.len && (is_alnum(reference.at[i]) || str_find(S("+-."), reference.at[i]) >= 0))
        i++;
    return i > 0 && i < reference.len && reference.at[i] == ':' && is_alpha(reference.at[0]);
}

str media_url_resolve(str base, str reference, arena *a)
{
    str ref = without_fragment(reference), origin = origin_of(base);
    if (!bytes_allowed(ref) || !bytes_allowed(base) || origin.len == 0)
        return (str){0};
    str base_rest = str_from(without_fragment(base), origin.len);
    if (media_url_is_absolute(ref)) {
        origin = origin_of(ref);
        ref = str_from(ref, origin.len);
        base_rest = S("/");
        if (ref.len == 0)
            ref = S("/");
    } else if (has_scheme(ref) || str_starts(ref, S("//"))) {
        return (str){0};
    }
    buf path = buf_make(MEDIA_URL_BYTES_MAX), out = buf_make(MEDIA_URL_BYTES_MAX);
    str base_path = path_part(base_rest);
    if (base_path.len == 0)
        base_path = S("/");
    if (path_part(ref).len == 0)
        buf_put(&path, base_path);
    else if (ref.at[0] != '/')
        buf_put(&path, str_first(base_path, str_rfind(base_path, '/') + 1));
    buf_put(&path, path_part(ref));
    buf_put(&out, origin);
    path_put(&out, buf_str(&path));
    buf_put(&out, ref.len == 0 ? str_from(base_rest, path_part(base_rest).len) : str_from(ref, path_part(ref).len));
    str url = path.full || out.full ? (str){0} : str_copy(a, buf_str(&out));
    buf_free(&path);
    buf_free(&out);
    return url;
}

str media_url_relative(str from, str to, arena *a)
{
    if (media_url_is_absolute(to))
        return to;
    for (ptrdiff_t slash; (slash = str_find(from, '/')) >= 0; from = str_from(from, slash + 1)) {
        str part = str_first(from, slash + 1);
        if (!str_starts(to, part))
            break;
        to = str_from(to, part.len);
    }
    for (ptrdiff_t slash; (slash = str_find(from, '/')) >= 0; from = str_from(from, slash + 1))
        to = str_join(a, S("../"), to);
    return to;
}

bool media_url_split(str url, media_url *out, arena *a)
{
    *out = (media_url){0};
    str origin = origin_of(url);
    if (!bytes_allowed(url) || origin.len == 0)
        return false;
    out->tls = str_starts_nocase(url, S("https://"));
    out->authority = str_from(origin, out->tls ? 8 : 7);
    out->host = out->authority;
    out->port = out->tls ? 443 : 80;
    str rest = {0};
    if (out->host.at[0] == '[') {
        ptrdiff_t close = str_find(out->host, ']');
        if (close < 2)
            return false;
        rest = str_from(out->host, close + 1);
        out->host = str_sub(out->host, 1, close - 1);
    } else if (str_find(out->host, ':') >= 0) {
        rest = str_from(out->host, str_find(out->host, ':'));
        out->host = str_first(out->host, out->host.len - rest.len);
    }
    uint64_t port = out->port;
    if (rest.len > 0 && (rest.at[0] != ':' || !str_to_u64(str_from(rest, 1), &port) || port == 0 || port > 65535))
        return false;
    out->port = (uint16_t)port;
    str target = str_from(without_fragment(url), origin.len);
    out->target = target.len > 0 && target.at[0] == '/' ? target : str_join(a, S("/"), target);
    return out->host.len > 0 && str_find(out->host, '@') < 0 && out->target.len > 0;
}
