// HTTP/1.1 (RFC 9110, 9112) on a conn, server side: one request after the other, strict about everything that smuggles.
#pragma once
#include "rt/conn.h"
#include "wire/http/head.h"

typedef struct {
    str method, target, path, query;        // target as sent; path percent-decoded, without "..", query raw
    http_header *headers; int header_count;
    str body;                               // read whole, at most the server's limit
    bool keep_alive, http_1_0;
    addr peer;
} http_request;
typedef struct http_reply http_reply;       // the answer being written

typedef void http_handler(void *arg, const http_request *q, http_reply *reply, arena *msg);
typedef struct {
    size_t  body_bytes_max;                 // of a request; zero here and below: HTTP_BODY_BYTES_MAX and so on
    int     requests_max;                   // on one connection
    int64_t idle_ns;                        // between two requests
    bool    told;                           // into the story (requests and answers, no bodies)
} http_limits;
enum {
    HTTP_BODY_BYTES_MAX = 1 << 20, HTTP_REQUESTS_MAX = 1000, HTTP_IDLE_S = 60,
    HTTP_HEAD_S = 10,                       // a request's head must be there in this time
    HTTP_BYTES_PER_S_MIN = 1024,            // bodies may not come, answers not be taken, more slowly (after HTTP_GRACE_S)
    HTTP_GRACE_S = 20,
    HTTP_LINGER_S = 2,                      // after an answer that ends the connection what still comes is read past
    HTTP_LINGER_BYTES_MAX = 1 << 20,
    HTTP_ANSWER_HEADERS_BYTES_MAX = 16 * 1024,
    HTTP_MEMORY_BYTES_MAX = 64 << 20,       // of `msg`, for one request and its answer, besides the body
};
void http_serve(conn *c, http_limits limits, http_handler *handler, void *arg);     // until the conn ends

str  http_header_get(const http_request *q, str name);             // the first, empty when absent
str  http_query_get(const http_request *q, str name, arena *msg);  // ?name=value decoded, empty when absent
void http_answer(http_reply *r, int status, str content_type, str body);      // a whole answer with its length
void http_answer_header(http_reply *r, str name, str value);       // before http_answer / http_begin; CR LF in values: must
void http_begin(http_reply *r, int status, str content_type);      // a chunked answer (HTTP/1.0: until close)
// An answer of so many bytes that follow by http_write: exactly as many, or the connection ends.
void http_begin_length(http_reply *r, int status, str content_type, int64_t bytes);
bool http_write(http_reply *r, str bytes);                         // flushes: for live streams; false: the peer is gone
bool http_peer_left(const http_reply *r);                          // whoever asked has ended the connection: look while something is waited for
// An answer that was begun and cannot be brought to its end: the connection ends, and the peer sees that it is not whole.
void http_break_off(http_reply *r);
