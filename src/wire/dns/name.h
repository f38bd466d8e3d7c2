// Domain names (RFC 1034 3.1, RFC 1035 3.1, RFC 4343). A dns_name is a view of the uncompressed wire form: labels with
// their length bytes, the root's zero byte last; so the root itself is one zero byte. Whoever hands out a dns_name has
// checked it: the functions below trust the form.
#pragma once
#include "base/arena.h"
#include "base/bytes.h"

enum {
    DNS_NAME_MAX = 255,              // bytes in wire form, the root's byte included
    DNS_LABEL_MAX = 63,
    DNS_LABELS_MAX = 127,            // without the root
    DNS_POINTER_HOPS_MAX = 32,       // compression pointers followed while one name is read
    DNS_COMPRESS_SLOTS = 64,         // names a message's writer remembers
    DNS_COMPRESS_PROBES = 4,         // slots looked at for one label
};

typedef str dns_name;

extern const dns_name dns_root;

// Text with escapes (\. and \DDD) to wire form in `a`. A name without a final dot is relative to `origin`; "@" is the
// origin itself; an `origin` of length 0 stands for the root. False, with a sentence in *why (NULL: not wanted), for
// an empty label or name, a label over 63 or name over 255 bytes, a broken escape, a full arena.
bool dns_name_from_text(arena *a, str text, dns_name origin, dns_name *out, const char **why);

// The text with a final dot, escaped so that dns_name_from_text reads it back; "." for the root.
str dns_name_text(arena *a, dns_name n);
// The same without the final dot, for people; "." for the root.
str dns_name_show(arena *a, dns_name n);

// A well-formed uncompressed name and nothing after it?
bool dns_name_valid(str wire);

bool     dns_name_eq(dns_name a, dns_name b);              // ASCII case does not count
int      dns_name_cmp(dns_name a, dns_name b);             // canonical order, RFC 4034 6.1
bool     dns_name_under(dns_name n, dns_name parent);      // n is parent or below it
bool     dns_name_is_root(dns_name n);
bool     dns_name_is_wildcard(dns_name n);                 // the first label is "*" (RFC 4592)
int      dns_name_labels(dns_name n);                      // without the root
str      dns_name_label(dns_name n);                       // the first label's bytes; empty for the root
dns_name dns_name_parent(dns_name n);                      // without the first label; the root's parent is the root
dns_name dns_name_tail(dns_name n, int labels);            // the last `labels` labels and the root
dns_name dns_name_lower(arena *a, dns_name n);             // empty when the arena is full
dns_name dns_name_copy(arena *a, dns_name n);
uint64_t dns_name_hash(dns_name n, uint64_t key);          // case does not count

// `first` (as many labels as it has, its root dropped) in front of `rest`. False when longer than 255 bytes or the
// arena is full.
bool dns_name_join(arena *a, dns_name first, dns_name rest, dns_name *out);

// Reads a name that may be compressed; the reader must start at the message's first byte, because pointers count from
// there. A pointer must point before the part of the name that holds it (so there are no loops), at most
// DNS_POINTER_HOPS_MAX of them. The result is a view into the message when it holds no pointer, else a copy in `msg`.
// On failure the reader is bad and the result is the root. RFC 1035 4.1.4.
dns_name dns_name_read(reader *r, arena *msg);
// The same where compression is forbidden (RFC 3597 4): a view; a pointer is a failure.
dns_name dns_name_read_plain(reader *r);

// What a message's writer remembers of the names it has written: for each label its offset and where the rest of the
// name stands. Work per label is bounded by DNS_COMPRESS_PROBES; what does not fit is simply not compressed.
typedef struct {
    struct { uint16_t offset, rest; } slot[DNS_COMPRESS_SLOTS];   // offset 0: free (no name starts in the header)
} dns_compressor;

// Writes a name, compressed against what `c` remembers and remembered in it; c NULL: written plain.
void dns_name_write(writer *w, dns_compressor *c, dns_name n);
// Forgets names at or behind `offset`, for a writer that takes back what it wrote.
void dns_compressor_rewind(dns_compressor *c, ptrdiff_t offset);
