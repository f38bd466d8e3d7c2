// The head of an HTTP/1.1 message (RFC 9112): request or status line, fields, and what they say about the body. Pure.
// Strict about everything that two readers could understand differently (request smuggling).
#pragma once
#include "base/buf.h"

typedef struct { str name, value; } http_header;

typedef enum { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE } http_body;

typedef struct {
    str         method, target;         // of a request
    int         status;                 // of an answer
    str         reason;
    bool        http_1_0;
    http_header *headers;               // in order; values without blanks around them
    int         header_count;
    http_body   body;
    int64_t     body_bytes;             // HTTP_BODY_LENGTH
    bool        keep_alive;             // the connection stays open after this message
    bool        expects_continue;       // the client waits for "100 Continue" before it sends the body
} http_head;

enum {
    HTTP_LINE_BYTES_MAX = 8 * 1024,     // with its CR LF: request lines (longer: 414) and fields (431)
    HTTP_HEAD_BYTES_MAX = 32 * 1024,
    HTTP_HEADERS_MAX = 100,
    HTTP_METHOD_BYTES_MAX = 32,
};

typedef enum { HTTP_HEAD_MORE, HTTP_HEAD_DONE, HTTP_HEAD_BAD } http_head_state;

// A head that is being read line by line.
typedef struct {
    http_head   head;
    http_header fields[HTTP_HEADERS_MAX];
    bool        is_answer, asked_head;  // asked_head: the answer to HEAD has no body
    bool        started, skipped_blank;
    size_t      bytes;
    int         status;                 // HTTP_HEAD_BAD: what a server answers, 400 414 417 431 501 505
    const char *why;                    // and why, in words for people
    http_head_state state;
} http_head_reader;

void http_request_begin(http_head_reader *r);
void http_answer_begin(http_head_reader *r, bool asked_head);
// The next line with its CR LF. Views into `line` are kept: the lines must live as long as the head. head.headers points
// into the reader.
http_head_state http_head_line(http_head_reader *r, str line);

str  http_header_find(const http_header *headers, int count, str name);    // the first, empty when absent
bool http_is_token(str s);                                                 // RFC 9110 section 5.6.2
bool http_is_value(str s);                                                 // no controls but HT: may stand in a field
bool http_list_has(str value, str token);                                  // "a, b" has "B" (case does not matter)
const char *http_reason(int status);                                       // "Not Found"; "" for unknown ones
