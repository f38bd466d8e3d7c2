#include "wire/http/head.h"

#include <string.h>

static http_head_state refuse(http_head_reader *r, int status, const char *why)
{
    r->status = status;
    r->why = why;
    return r->state = HTTP_HEAD_BAD;
}

// ---- grammar ----

static bool is_token_char(unsigned char c) { return is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c)); }

bool http_is_token(str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (!is_token_char(s.at[i]))
            return false;
    return s.len > 0;
}

bool http_is_value(str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if ((s.at[i] < ' ' && s.at[i] != '\t') || s.at[i] == 0x7f)
            return false;
    return true;
}

static bool is_visible(str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] >= 0x7f)
            return false;
    return s.len > 0;
}

static str blanks_trim(str s)               // OWS: SP and HT only
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t'))
        s = str_from(s, 1);
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool http_list_has(str value, str token)
{
    while (value.len)
        if (str_eq_nocase(blanks_trim(str_cut(&value, ',')), token))
            return true;
    return false;
}

str http_header_find(const http_header *headers, int count, str name)
{
    for (int i = 0; i < count; i++)
        if (str_eq_nocase(headers[i].name, name))
            return headers[i].value;
    return (str){0};
}

static int header_times(const http_head *h, str name)
{
    int times = 0;
    for (int i = 0; i < h->header_count; i++)
        times += str_eq_nocase(h->headers[i].name, name);
    return times;
}

static str header_value(const http_head *h, str name) { return http_header_find(h->headers, h->header_count, name); }

// ---- first lines ----

static bool version_read(http_head_reader *r, str version)
{
    bool known = str_eq(version, S("HTTP/1.1")) || str_eq(version, S("HTTP/1.0"));
    r->head.http_1_0 = str_eq(version, S("HTTP/1.0"));
    if (known)
        return true;
    bool other = version.len == 8 && str_starts(version, S("HTTP/")) && is_digit(version.at[5]) && version.at[6] == '.'
              && is_digit(version.at[7]);
    if (other)
        refuse(r, 505, "this server speaks HTTP/1.1");
    else
        refuse(r, 400, "the first line does not end with HTTP/1.1");
    return false;
}

// RFC 9112 section 3: exactly one space between the three parts.
static http_head_state request_line(http_head_reader *r, str line)
{
    str method = str_cut(&line, ' '), target = str_cut(&line, ' ');
    if (!http_is_token(method) || method.len > HTTP_METHOD_BYTES_MAX)
        return refuse(r, 400, "the first line does not begin with a method");
    if (!is_visible(target) || str_find(target, '#') >= 0)
        return refuse(r, 400, "the request target is not a URL path of visible ASCII characters");
    if (!version_read(r, line))
        return r->state;
    r->head.method = method;
    r->head.target = target;
    return HTTP_HEAD_MORE;
}

// RFC 9112 section 4. The space before an empty reason is often forgotten.
static http_head_state status_line(http_head_reader *r, str line)
{
    str version = str_cut(&line, ' '), code = str_cut(&line, ' ');
    uint64_t status;
    if (!version_read(r, version))
        return r->state;
    if (code.len != 3 || !str_to_u64(code, &status) || status < 100 || status > 599 || !http_is_value(line))
        return refuse(r, 400, "the status line has no status");
    r->head.status = (int)status;
    r->head.reason = line;
    return HTTP_HEAD_MORE;
}

// ---- fields ----

static http_head_state field_line(http_head_reader *r, str line)
{
    if (line.at[0] == ' ' || line.at[0] == '\t')
        return refuse(r, 400, "a field is folded over two lines (RFC 9112 section 5.2 forbids it)");
    ptrdiff_t colon = str_find(line, ':');
    if (colon < 0 || !http_is_token(str_first(line, colon)))
        return refuse(r, 400, "a field is not NAME: VALUE (no blank may stand before the colon)");
    str value = blanks_trim(str_from(line, colon + 1));
    if (!http_is_value(value))
        return refuse(r, 400, "a control character stands in a field");
    if (r->head.header_count == HTTP_HEADERS_MAX)
        return refuse(r, 431, "too many fields");
    r->fields[r->head.header_count++] = (http_header){str_first(line, colon), value};
    return HTTP_HEAD_MORE;
}

// ---- the body, and what else the whole head must keep ----

static http_head_state length_read(http_head_reader *r)
{
    uint64_t n;
    if (!str_to_u64(header_value(&r->head, S("Content-Length")), &n) || n > INT64_MAX)
        return refuse(r, 400, "Content-Length is not one number");
    r->head.body = HTTP_BODY_LENGTH;
    r->head.body_bytes = (int64_t)n;
    return HTTP_HEAD_DONE;
}

// RFC 9112 section 6. Two lengths, or a length and a transfer coding, are refused: that is how requests are smuggled.
static http_head_state body_read(http_head_reader *r)
{
    http_head *h = &r->head;
    int lengths = header_times(h, S("Content-Length")), codings = header_times(h, S("Transfer-Encoding"));
    if (lengths > 1 || codings > 1 || (lengths && codings))
        return refuse(r, 400, "the length of the body is given more than once");
    if (codings && h->http_1_0)
        return refuse(r, 400, "HTTP/1.0 has no Transfer-Encoding");
    bool none = r->is_answer && (r->asked_head || h->status < 200 || h->status == 204 || h->status == 304);
    if (codings) {
        if (!str_eq_nocase(header_value(h, S("Transfer-Encoding")), S("chunked")))
            return refuse(r, 501, "the only transfer coding here is chunked");
        h->body = HTTP_BODY_CHUNKED;
    } else if (lengths) {
        if (length_read(r) == HTTP_HEAD_BAD)
            return HTTP_HEAD_BAD;
    } else if (r->is_answer) {
        h->body = HTTP_BODY_UNTIL_CLOSE;
    }
    if (none)
        h->body = HTTP_BODY_NONE;
    return HTTP_HEAD_DONE;
}

// RFC 9112 section 9.3.
static void keep_alive_read(http_head *h)
{
    bool close = false, keep = false;
    for (int i = 0; i < h->header_count; i++)
        if (str_eq_nocase(h->headers[i].name, S("Connection"))) {
            close = close || http_list_has(h->headers[i].value, S("close"));
            keep = keep || http_list_has(h->headers[i].value, S("keep-alive"));
        }
    h->keep_alive = !close && (keep || !h->http_1_0) && h->body != HTTP_BODY_UNTIL_CLOSE;
}

static bool is_host(str s)                  // host and port, RFC 3986 section 3.2; empty is allowed
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (!is_alnum(s.at[i]) && !strchr("-._~%!$&'()*+,;=:[]", s.at[i]))
            return false;
    return true;
}

static http_head_state head_end(http_head_reader *r)
{
    http_head *h = &r->head;
    h->headers = r->fields;
    if (!r->is_answer) {
        int hosts = header_times(h, S("Host"));
        if (hosts > 1 || (hosts == 0 && !h->http_1_0) || !is_host(header_value(h, S("Host"))))
            return refuse(r, 400, "a request needs one Host field");
        str expect = header_value(h, S("Expect"));
        if (expect.len && !str_eq_nocase(expect, S("100-continue")))
            return refuse(r, 417, "the only expectation that is met here is 100-continue");
        h->expects_continue = expect.len && !h->http_1_0;
    }
    if (body_read(r) == HTTP_HEAD_BAD)
        return HTTP_HEAD_BAD;
    keep_alive_read(h);
    return r->state = HTTP_HEAD_DONE;
}

// ---- line by line ----

void http_request_begin(http_head_reader *r)
{
    r->head = (http_head){.headers = r->fields};         // the fields behind header_count are never read
    r->is_answer = r->asked_head = r->started = r->skipped_blank = false;
    r->bytes = 0;
    r->status = 0;
    r->why = NULL;
    r->state = HTTP_HEAD_MORE;
}

void http_answer_begin(http_head_reader *r, bool asked_head)
{
    http_request_begin(r);
    r->is_answer = true;
    r->asked_head = asked_head;
}

http_head_state http_head_line(http_head_reader *r, str line)
{
    if (r->state != HTTP_HEAD_MORE)
        return r->state;
    r->bytes += (size_t)line.len;
    if (line.len > HTTP_LINE_BYTES_MAX || r->bytes > HTTP_HEAD_BYTES_MAX)
        return r->started ? refuse(r, 431, "the fields are too long") : refuse(r, 414, "the first line is too long");
    if (!str_ends(line, S("\r\n")))
        return refuse(r, 400, "a line does not end with CR LF");
    line.len -= 2;
    if (line.len == 0 && !r->started && !r->is_answer && !r->skipped_blank) {
        r->skipped_blank = true;            // RFC 9112 section 2.2: one empty line before a request is let pass
        return HTTP_HEAD_MORE;
    }
    if (!r->started) {
        r->started = true;
        return r->is_answer ? status_line(r, line) : request_line(r, line);
    }
    return line.len == 0 ? head_end(r) : field_line(r, line);
}

const char *http_reason(int status)
{
    static const struct { int status; const char *reason; } reasons[] = {
        {100, "Continue"}, {101, "Switching Protocols"}, {200, "OK"}, {201, "Created"}, {202, "Accepted"},
        {204, "No Content"}, {206, "Partial Content"}, {301, "Moved Permanently"}, {302, "Found"}, {303, "See Other"},
        {304, "Not Modified"}, {307, "Temporary Redirect"}, {308, "Permanent Redirect"}, {400, "Bad Request"},
        {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
        {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"},
        {412, "Precondition Failed"}, {413, "Content Too Large"}, {414, "URI Too Long"},
        {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"}, {417, "Expectation Failed"},
        {421, "Misdirected Request"}, {422, "Unprocessable Content"}, {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"}, {501, "Not Implemented"},
        {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"}, {508, "Loop Detected"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}
