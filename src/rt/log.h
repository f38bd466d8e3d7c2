// The log: one line a conversation, logfmt or JSON, stable names. Only rooms and commands log.
#pragma once
#include "base/text.h"
#include "rt/world.h"

typedef enum { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERROR } log_level;
typedef enum { LOG_LOGFMT, LOG_JSON } log_form;

// Where lines go (default: standard error, logfmt, LOG_INFO). A sink gets one whole line without LF; NULL: standard error.
typedef void log_sink(void *arg, str line);
void log_setup(log_form form, log_level least, log_sink *sink, void *arg);

typedef struct {
    const char *name;                // stable: "peer", "verdict", "duration_ms"
    enum { FIELD_STR, FIELD_INT, FIELD_ADDR, FIELD_NS } type;
    union { str s; int64_t n; const addr *a; } value;
} log_field;
#define F_STR(name, value_)  ((log_field){(name), FIELD_STR, {.s = (value_)}})
#define F_INT(name, value_)  ((log_field){(name), FIELD_INT, {.n = (int64_t)(value_)}})
#define F_ADDR(name, value_) ((log_field){(name), FIELD_ADDR, {.a = (value_)}})
#define F_NS(name, value_)   ((log_field){(name), FIELD_NS, {.n = (value_)}})      // written as milliseconds, 3 digits

// log_line("mta", LOG_INFO, "accepted", F_STR("from", x), F_INT("size", n)): time, level, host, service, event, trace, then
// the fields. Control characters, quotes and invalid UTF-8 from strangers are escaped. Lines over LOG_LINE_BYTES_MAX are
// cut and marked.
enum { LOG_LINE_BYTES_MAX = 4096 };
void log_write(const char *service, log_level level, const char *event, const log_field *fields, int count);
#define log_line(service, level, event, ...)                                                             \
    log_write((service), (level), (event), (const log_field[]){__VA_ARGS__},                             \
              (int)(sizeof((const log_field[]){__VA_ARGS__}) / sizeof(log_field)))
