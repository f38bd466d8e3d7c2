// An origin that answers what a case says, one answer after the other, and writes down what it was asked that it should not have been.
#pragma once
#include "rt/listener.h"
#include "stage.h"
#include "wire/http/head.h"

enum { ORIGIN_ANSWERS_MAX = 32 };

typedef struct {
    const case_step *want, *give;            // `want` may be NULL
} origin_turn;

typedef struct {
    const edge_stage *stage;
    const edge_case  *playing;
    arena            *memory;
    origin_turn       turns[ORIGIN_ANSWERS_MAX];
    int               count, next;           // those of this step
    const case_step  *serving;               // NULL: nothing by itself
    int64_t           asked, sent_bytes;     // since the last client
    int               left_alone;            // answers that stalled until the edge hung up
    int64_t           start_s;               // when the case began
    str               why;                   // the first thing that was wrong; empty: none
    int               why_line;
    scope             doors;
    bool              is_there;
} case_origin;

void origin_come(case_origin *o);            // listens
void origin_leave(case_origin *o);           // ends every conversation and listens no more; nothing when it does not
// The value of a field with its dates and names filled in.
str  case_expand(const edge_stage *s, int64_t start_s, str value, arena *a);
// Does a field of a message look as a case says? The lines of one name are joined.
bool case_field_fits(const edge_stage *s, int64_t start_s, const case_field *want, const http_header *headers, int count,
                     arena *a, str *got);
