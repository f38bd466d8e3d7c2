// HTTP/1.1, client side: one request over a conn that the caller opened (so that sockets, TLS, pairs and simulators all work).
#pragma once
#include "talk/http_serve.h"

typedef struct {
    err  error;                             // of the conversation; E_PROTOCOL: not HTTP, E_TOO_LONG: above the limit
    int  status;
    http_header *headers; int header_count;
    str  body;                              // in msg
    bool keep_alive;
} http_result;
// host: for the Host field; body may be empty. Reads an answer of at most body_bytes_max. The conn may carry another
// request afterwards when keep_alive says so. Deadlines are the caller's (conn_deadline). method, target, host and headers
// must be well-formed: what a stranger or user gives as target is checked, E_PROTOCOL when it is none.
http_result http_fetch(conn *c, str method, str host, str target, const http_header *headers, int header_count,
                       str body, size_t body_bytes_max, arena *msg);

// The same for bodies that are used as they come (films, downloads that may be given up): head hears the answer's head and how long the
// body is (-1: not said), then take each piece of the body, a view that is gone when it returns. Each says false to end it: E_CANCELED, and the
// conn is of no use any more. result.body stays empty.
typedef struct {
    bool (*head)(void *arg, const http_result *r, int64_t body_bytes);     // NULL: none
    bool (*take)(void *arg, str piece);
    void  *arg;
    bool (*wanted)(void *arg);               // is it still? asked while nothing comes (conn_wait_wanted); NULL: yes
} http_taker;
http_result http_fetch_pieces(conn *c, str method, str host, str target, const http_header *headers, int header_count,
                              str body, http_taker taker, uint64_t body_bytes_max, arena *msg);
str http_result_header(const http_result *r, str name);
