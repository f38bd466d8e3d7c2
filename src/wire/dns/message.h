// DNS messages (RFC 1035 4, RFC 6891, RFC 8914): wire form to values in an arena, and a builder that writes with
// compression and never leaves half a record.
#pragma once
#include "wire/dns/rdata.h"
#include "wire/dns/subnet.h"

enum {
    DNS_HEADER_BYTES = 12,
    DNS_MESSAGE_MAX = 65535,
    DNS_UDP_PLAIN_MAX = 512,             // answers to askers without EDNS
    DNS_UDP_MAX = 1232,                  // what naru offers and sends: never fragmented (DNS flag day 2020)
    DNS_RECORDS_MAX = 1024,              // of one message, all sections; more is refused as malformed
    DNS_EDNS_OPTIONS_MAX = 16,
    DNS_EDE_TEXT_MAX = 200,              // bytes of an extended error's sentence
    DNS_OPTION_NSID = 3, DNS_OPTION_SUBNET = 8, DNS_OPTION_COOKIE = 10, DNS_OPTION_PADDING = 12, DNS_OPTION_EDE = 15,
    DNS_OPTION_TRACE = 65313,            // naru's own, of the range for local use (RFC 6891 9): a story's id, 8 bytes
};

typedef struct {
    uint16_t id;
    uint8_t  opcode;                     // DNS_OP_QUERY ...
    uint16_t rcode;                      // 12 bits when EDNS is there, else 4
    bool response, authoritative, truncated, recursion_desired, recursion_available, authentic, checking_disabled;
} dns_header;

typedef struct {
    dns_name name;
    uint16_t type, class;
} dns_question;

typedef struct {
    dns_name name;
    uint16_t type, class;
    uint32_t ttl;                        // seconds, 0 ... 2^31-1; a wire value above counts as 0 (RFC 2181 8)
    str      rdata;                      // plain wire form, see rdata.h
} dns_record;

typedef struct {
    bool     present;
    uint16_t udp_size;                   // what the sender can take, at least 512
    uint8_t  version;
    bool     dnssec_ok;
    bool     has_ede;
    uint16_t ede;                        // the first extended error, DNS_EDE_...
    str      ede_text;                   // UTF-8, may be empty
    bool     has_subnet;
    dns_subnet subnet;                   // the client's network (RFC 7871); in replies with the scope of the answer
    uint64_t trace;                      // naru's own option: the story that the query belongs to; 0: none
} dns_edns;

typedef enum { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS } dns_section;

typedef struct {
    dns_header   header;
    bool         has_question;
    dns_question question;
    dns_record  *record;                 // all sections in order, without the OPT record
    int          first[DNS_SECTIONS], count[DNS_SECTIONS];
    dns_edns     edns;
} dns_message;

// Reads the fixed header; false when shorter than 12 bytes.
bool dns_header_read(str wire, dns_header *out);

// Reads a whole message; texts and names are views into `wire` or live in `msg`. False with a sentence in *why
// (NULL: not wanted) when it is malformed: cut short, more than one question, more records than DNS_RECORDS_MAX,
// bad names or rdata, two OPT records, a client subnet against the rules or in a query with a scope, bytes left over; what was read before is in *out, header first (its id is to
// be echoed in a FORMERR when wire.len >= 12).
bool dns_message_read(str wire, arena *msg, dns_message *out, const char **why);

static inline const dns_record *dns_message_record(const dns_message *m, dns_section s, int i)
{
    return &m->record[m->first[s] + i];
}

bool dns_question_eq(dns_question a, dns_question b);      // the name's case does not count

// Building. The builder writes into memory of the caller that is as large as the message may become.
typedef struct {
    writer         w;
    dns_compressor names;
    dns_header     header;
    dns_name       question;             // as it was given; most answers are about it
    uint16_t       questions, count[DNS_SECTIONS];
    ptrdiff_t      reserved;             // bytes kept for the OPT record
} dns_builder;

typedef struct { ptrdiff_t at; uint16_t count[DNS_SECTIONS]; } dns_mark;

// Begins a message in at[0 .. size); when `edns` is not NULL, room for that OPT record is kept.
void dns_build_start(dns_builder *b, void *at, size_t size, dns_header header, const dns_edns *edns);
void dns_build_question(dns_builder *b, dns_question q);
// Appends a record to a section; sections must come in order. False when it does not fit: nothing of it is written.
bool dns_build_record(dns_builder *b, dns_section s, const dns_record *r);
// To take back a whole set of records when its last one does not fit.
dns_mark dns_build_mark(const dns_builder *b);
void     dns_build_rewind(dns_builder *b, dns_mark mark);
// Writes the OPT record (the one dns_build_start made room for; its EDE text is cut or left out when it does not fit)
// and the header with the counts. The finished message is a view into the caller's memory; empty when `size` did not
// even hold header and question.
str  dns_build_end(dns_builder *b, const dns_edns *edns);

// A query with one question in memory of the caller (DNS_UDP_PLAIN_MAX bytes always do). udp_size 0: without EDNS.
str  dns_query_build(void *at, size_t size, uint16_t id, dns_question q, bool recursion_desired, uint16_t udp_size);
// The same with what its EDNS says beside (a trace for servers of ours, a client's network). NULL: without EDNS.
str  dns_query_build_with(void *at, size_t size, uint16_t id, dns_question q, bool recursion_desired, const dns_edns *edns);
// A bare reply to a message that may not even be readable: its id, opcode, RD and, when readable, question, with
// `rcode`. Empty when `wire` is too short for a header or is itself a response.
str  dns_reply_bare(void *at, size_t size, str wire, unsigned rcode);
