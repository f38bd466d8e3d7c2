// The configuration language (docs/design.md section 8). `statement = word+ ( block | ";" | newline )`,
// `block = "{" statement* "}"` ("}" also ends a statement); # comments, "quotes", units, include, file: secrets.
#pragma once
#include "base/quantity.h"
#include "rt/world.h"

typedef struct statement {
    str   *words;                     // words[0] is the key
    int    word_count;
    struct statement *children;       // the block's statements, in order
    bool   has_block;
    struct statement *next;
    str    file;
    int    line, column;              // from 1; columns count characters
    str    comment_above, comment_beside, comment_end;      // "# ..." and empty lines; at the block's end (for config_format)
} statement;

typedef enum {
    SETTING_BOOL, SETTING_INT, SETTING_SIZE, SETTING_DURATION, SETTING_RATE, SETTING_TEXT, SETTING_ADDRESS, SETTING_PREFIX,
    SETTING_HOST,                     // an IP address without a port
    SETTING_LIST,                     // several words, or the key several times
    SETTING_BLOCK,                    // has children described by `block`
} setting_type;

typedef struct setting {
    const char  *key;
    setting_type type;
    const char  *fallback;            // the default as it would be written; NULL: none
    int64_t      min, max;            // numbers in bytes, ns, bit/s; for lists and blocks how many words; both 0: no bound
    bool         reloadable, repeated;
    const char  *help_en, *help_ko;
    const struct setting *block;      // ends with key NULL
    const char  *choices;             // of a text: "course|default|managed", nothing else may stand (NULL: any text); of a host: words
                                      // that may stand for one
} setting;

typedef struct { str file; int line, column; str text; } config_error;     // text: what, why and what to do

enum { CONFIG_FILE_BYTES_MAX = 1 << 20, CONFIG_DEPTH_MAX = 16, CONFIG_WORDS_MAX = 256, CONFIG_INCLUDES_MAX = 64 };

// Parses text into a root statement (no words, children). NULL with *error filled. `include PATH` is replaced by the
// statements of that file: include is called with the path, taken from the including file's folder when it is relative,
// and answers the text in the arena or false. NULL: refused. config_include_keep: it stays an ordinary statement.
typedef bool config_include(void *arg, str path, arena *a, str *text);
config_include config_include_keep;
statement *config_parse(str name, str text, arena *a, config_include *include, void *arg, config_error *error);
// Checks a block against a schema: unknown keys (with the nearest name), types, ranges, repeats.
bool config_check(const statement *block, const setting *schema, arena *a, config_error *error);

const statement *config_find(const statement *block, const char *key);          // the last one wins; NULL
const statement *config_first(const statement *block, const char *key);         // NULL; then config_next
const statement *config_next(const statement *s, const char *key);              // further ones with this key
// Values with the schema's default when the key is absent. The block was checked before (must).
bool    config_bool(const statement *block, const setting *schema, const char *key);
int64_t config_int(const statement *block, const setting *schema, const char *key);      // count, bytes, ns or bit/s
str     config_text(const statement *block, const setting *schema, const char *key);     // empty when absent
bool    config_address(const statement *block, const setting *schema, const char *key, uint16_t port, addr *out);

// A secret may stand in a file of its own: `password file:/etc/naru/key`. Reads it with `read` (as for include), without
// the line end. False with *error when the file cannot be read; absent: true and empty.
bool    config_secret(const statement *block, const setting *schema, const char *key, arena *a, config_include *read,
                      void *arg, str *out, config_error *error);

// "10.0.0.0/8", "2001:db8::/32"; a bare address is all of itself. The bits behind the prefix must be zero.
bool    prefix_parse(str text, addr *prefix, int *bits);
str     nearest_name(str word, const char *const *names, int count);      // for "did you mean"; empty when nothing is near
str     config_format(const statement *root, arena *a);  // canonical form (naru config fmt)
