// Master files (RFC 1035 5): $ORIGIN, $TTL (RFC 2308 4), $INCLUDE, parentheses, escapes, relative names, blank owners,
// TTL and class in any order. The parser is pure: included text comes through a callback.
#pragma once
#include "wire/dns/message.h"

enum {
    ZONE_INCLUDE_DEPTH_MAX = 8,
    ZONE_INCLUDES_MAX = 1000,            // of one zone, all together
};

typedef struct {
    str  file;                           // as given, or as $INCLUDE names it
    int  line;                           // from 1
    const char *sentence;
} dns_zone_error;

typedef struct {
    // Called for every record in order; its name and rdata live only during the call. False, with a sentence in
    // *why, refuses the record and ends the parse with that error.
    bool (*record)(void *context, const dns_record *r, const char **why);
    // Returns in *text, which must live until the parse ends, what the file at `path` holds; false with a sentence in
    // *why. NULL: $INCLUDE is refused.
    bool (*include)(void *context, str path, str *text, const char **why);
    void *context;
    dns_name origin;                     // in force at the start
    uint16_t class;                      // of records that do not say; anything else is refused
} dns_zone_hooks;

// Parses `text`, called `file` in errors. False at the first error, *error says where and what (its file may live in
// `room`). `room` also holds the names of $ORIGIN lines; about 300 bytes each are used of it.
bool dns_zone_parse(const dns_zone_hooks *hooks, arena *room, str file, str text, dns_zone_error *error);

// One record as a line of a master file, without the line end: name, TTL, class, type, data.
str dns_record_text(arena *a, const dns_record *r);
