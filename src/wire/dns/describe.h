// Messages for people: as dig prints them, and byte by byte with what each field means.
#pragma once
#include "wire/dns/zone_text.h"

enum { DNS_WIRE_FIELDS_MAX = 4096 };

// The message in dig's form, its sections as lines of a master file, ending in a line end. A message that cannot be
// read gives one line that says why.
str dns_message_text(arena *a, str wire);
// One line for stories and logs: "query 4660 www.ibm.com A", "reply 4660 NOERROR aa: 2 answers, 1 authority".
str dns_message_line(arena *a, str wire);

typedef struct {
    int offset, len;             // bytes of the message; len 0: bits of the field before
    str section;                 // "header", "question", "answer 1", ...
    str name;                    // "identification"
    str value;                   // "4660"
    str explanation;             // a sentence, may be empty
} dns_wire_field;

// Every byte of the message in order, at most DNS_WIRE_FIELDS_MAX fields; what cannot be read is one field
// "malformed" that holds the rest. Returns their number, the fields in *out. `korean`: explanations in Korean.
int dns_wire_view(arena *a, str wire, bool korean, dns_wire_field **out);
// The fields as lines: offset, bytes in hex, name, value, explanation, with a line before each section.
str dns_wire_text(arena *a, str wire, const dns_wire_field *field, int fields);
