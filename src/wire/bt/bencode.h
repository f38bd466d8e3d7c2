// Bencoding (BEP 3): integers, byte strings, lists and dictionaries. Pure. A text is read once into a flat array of nodes
// that look into it (nothing is copied, nothing recurses): a container's first child is the node after it.
#pragma once
#include "base/buf.h"

enum {
    BENCODE_DEPTH_MAX = 64,                  // containers inside each other; limits may ask for less
    BENCODE_INTEGER_DIGITS_MAX = 20,
    BENCODE_LENGTH_DIGITS_MAX = 10,
};

typedef enum { BENCODE_INTEGER, BENCODE_STRING, BENCODE_LIST, BENCODE_DICTIONARY } bencode_type;

// Why a text was refused: a literal for people, and the offset in bytes from the start of the text.
typedef struct {
    const char *reason;
    ptrdiff_t   offset;
} bencode_refusal;

typedef struct {
    const unsigned char *at;                 // the value's first byte ('i', a digit, 'l' or 'd')
    int64_t      integer;                    // the value of an integer; of a string, where its bytes begin after `at`
    int32_t      len;                        // bytes of the whole value, its end included
    int32_t      offset;                     // of `at` in the text that was read
    int32_t      span;                       // nodes: this one and all inside it
    int32_t      count;                      // children: items of a list, keys and values of a dictionary
    bencode_type type;
} bencode_node;

typedef struct {
    int32_t bytes_max;                       // of the whole text
    int32_t nodes_max;                       // values and keys
    int     depth_max;                       // at most BENCODE_DEPTH_MAX
    bool    any_order;                       // take dictionaries whose keys are not sorted or appear twice (the first counts)
    bool    rest_allowed;                    // something may follow the value (BEP 9: the piece behind the dictionary)
} bencode_limits;

// Reads one value. The result's nodes come from `a` and look into `in`; result[0] is the value. NULL with *why filled in
// when the text is malformed or not canonical (BEP 3: no leading zeros, no -0; keys sorted as raw bytes, none twice), a
// limit is passed or the arena is full. Takes time linear in the text.
const bencode_node *bencode_read(str in, const bencode_limits *limits, arena *a, bencode_refusal *why);

static inline str bencode_raw(const bencode_node *n) { return (str){n->at, n->len}; }       // the value as it was sent
bool bencode_is(const bencode_node *n, bencode_type type);                 // false for NULL too
str  bencode_string(const bencode_node *n);                                // empty for anything else and for NULL
// Value of a key; NULL when n is no dictionary (or NULL) or has no such key. Linear in the number of keys.
const bencode_node *bencode_get(const bencode_node *n, str key);
str  bencode_get_string(const bencode_node *n, str key);                   // empty when absent or no string
// False, *out untouched, when absent, no integer, or outside of low..high.
bool bencode_get_integer(const bencode_node *n, str key, int64_t low, int64_t high, int64_t *out);

// Walks a container: NULL at its end. In a dictionary keys and values alternate.
const bencode_node *bencode_first(const bencode_node *container);
const bencode_node *bencode_next(const bencode_node *container, const bencode_node *child);

// Writing: whoever writes opens and closes containers with put_byte 'd', 'l', 'e' and gives keys in sorted order.
bool bencode_put_string(buf *out, str s);
bool bencode_put_integer(buf *out, int64_t value);
bool bencode_put_key(buf *out, const char *key);                           // a literal
bool bencode_put_node(buf *out, const bencode_node *n);                    // from the values, not from the raw bytes
