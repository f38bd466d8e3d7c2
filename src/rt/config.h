// The configuration language (docs/design.md section 8). `statement = word+ ( block | ";" | newline )`,
// `block = "{" statement* "}"` ("}" also ends a statement); # comments, "quotes", units, include, file: secrets.
#pragma once
#include "base/arena.h"
#include "rt/world.h"

typedef struct statement {
    str   *words;                     // words[0] is the key
    int    word_count;
    struct statement *children;       // the block's statements, in order
    bool   has_block;
    struct statement *next;
    str    file;
    int    line, column;
} statement;

typedef enum {
    SETTING_BOOL, SETTING_INT, SETTING_SIZE, SETTING_DURATION, SETTING_RATE, SETTING_TEXT, SETTING_ADDRESS, SETTING_PREFIX,
    SETTING_LIST,                     // several words, or the key several times
    SETTING_BLOCK,                    // has children described by `block`
} setting_type;

typedef struct setting {
    const char  *key;
    setting_type type;
    const char  *fallback;            // the default as it would be written; NULL: none
    int64_t      min, max;            // for numbers (bytes, ns, bit/s); both 0: no bound
    bool         reloadable, repeated;
    const char  *help_en, *help_ko;
    const struct setting *block;      // ends with key NULL
} setting;

typedef struct { str file; int line, column; str text; } config_error;     // text: what, why and what to do

enum { CONFIG_FILE_BYTES_MAX = 1 << 20, CONFIG_DEPTH_MAX = 16, CONFIG_WORDS_MAX = 256, CONFIG_INCLUDES_MAX = 64 };

// Parses text into a root statement (no words, children). NULL with *error filled. include is called for `include PATH`
// (NULL: refused) and answers the file's text in the arena or false.
typedef bool config_include(void *arg, str path, arena *a, str *text);
statement *config_parse(str file, str text, arena *a, config_include *include, void *arg, config_error *error);
// Checks a block against a schema: unknown keys (with the nearest name), types, ranges, repeats.
bool config_check(const statement *block, const setting *schema, arena *a, config_error *error);

const statement *config_find(const statement *block, const char *key);          // the last one wins; NULL
const statement *config_next(const statement *s, const char *key);              // further ones with this key
// Values with the schema's default when the key is absent. The block was checked before (must).
bool    config_bool(const statement *block, const setting *schema, const char *key);
int64_t config_int(const statement *block, const setting *schema, const char *key);      // count, bytes, ns or bit/s
str     config_text(const statement *block, const setting *schema, const char *key);     // empty when absent
bool    config_address(const statement *block, const setting *schema, const char *key, uint16_t port, addr *out);

bool    size_parse(str text, int64_t *bytes);            // "25MB" (10^6), "64KiB" (2^10), "100"
bool    duration_parse(str text, int64_t *ns);           // "30s" "5m" "4h" "5d" "250ms" "1h30m"
bool    rate_parse(str text, int64_t *bits_per_s);       // "2Mbit" "300kbit"
str     nearest_name(str word, const char *const *names, int count);      // for "did you mean"; empty when nothing is near
str     config_format(const statement *root, arena *a);  // canonical form (naru config fmt)
