// Fields whose value is a list (RFC 9110 section 5.6.1), and the members "name", "name=token", "name="quoted"" of most of them.
// Pure. A field may come in several lines: they are one list, in order (section 5.3).
#pragma once
#include "wire/http/head.h"

typedef struct {
    const http_header *headers;
    int  count, at;                          // the field that is looked at next
    str  name, rest;                         // of which field; what is left of the line
} http_list;

// Walks over the members of all lines of a field. Commas inside quoted strings do not part; empty members are passed over.
http_list http_list_of(const http_header *headers, int count, str name);
bool      http_list_next(http_list *l, str *member);          // without blanks around it; false at the end

// Takes "name = value" apart; blanks around '=' belong to neither (what RFC 9110 forbids and people send). A quoted value comes
// without its quotes, backslashes still in it. *has_value: there was a '='.
void http_member_cut(str member, str *name, str *value, bool *has_value);
bool http_field_present(const http_header *headers, int count, str name);
