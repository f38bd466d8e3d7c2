// The sets of traces of bench/rate: the public ones from a folder, or made ones from a seed.
#pragma once
#include "rate_session.h"

enum { SET_TRACES_MAX = 512 };
typedef struct { char name[24]; trace *traces; int count; bool made; } trace_set;      // made: not the public ones

// Reads FOLDER/NAME/*.json, in order of name. False: no such folder, or nothing in it.
bool set_load(trace_set *set, const char *folder, const char *name);
// The segment table FOLDER/bbb.json. False: not there or not a table.
bool film_load(film *f, const char *path);
// `count` traces like those of a kind: "3G", "4G", "DSL". Same seed, same traces.
void set_make(trace_set *set, const char *kind, int count, uint64_t seed);
void film_make(film *f, uint64_t seed);                  // like bbb.json: 10 rungs, 3 s, sizes that vary
void film_free(film *f);
void set_free(trace_set *set);
