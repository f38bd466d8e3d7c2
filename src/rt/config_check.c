#include "base/buf.h"
#include "base/must.h"
#include "rt/config.h"

// ---- the nearest name ----

enum { NAME_LETTERS_MAX = 32, NAMES_LIST_BYTES_MAX = 300 };

// Edit distance where swapped neighbours count once (optimal string alignment). Both at most NAME_LETTERS_MAX.
static int edit_distance(str a, str b)
{
    int rows[3][NAME_LETTERS_MAX + 1];
    int *before = rows[0], *last = rows[1], *now = rows[2];
    for (int j = 0; j <= b.len; j++)
        last[j] = j;
    for (int i = 1; i <= a.len; i++) {
        now[0] = i;
        for (int j = 1; j <= b.len; j++) {
            unsigned char x = lower(a.at[i - 1]), y = lower(b.at[j - 1]);
            int best = last[j - 1] + (x != y);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && x == lower(b.at[j - 2]) && y == lower(a.at[i - 2]) && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        int *spare = before;
        before = last, last = now, now = spare;
    }
    return last[b.len];
}

str nearest_name(str word, const char *const *names, int count)
{
    str best = {0};
    if (word.len < 2 || word.len > NAME_LETTERS_MAX)
        return best;
    int best_distance = (int)(word.len < 4 ? 2 : word.len / 3 + 2);          // one more than what is still near
    for (int i = 0; i < count; i++) {
        str name = str_z(names[i]);
        if (name.len > NAME_LETTERS_MAX)
            continue;
        bool begins = word.len >= 3 && str_starts_nocase(name, word);        // cut short: "addr" for "address"
        int distance = begins ? 1 : edit_distance(word, name);
        if (distance < best_distance && distance < name.len)
            best = name, best_distance = distance;
    }
    return best;
}

// ---- values ----

bool prefix_parse(str text, addr *prefix, int *bits)
{
    bool slash = str_find(text, '/') >= 0;
    str ip = str_cut(&text, '/');
    if (!addr_parse_ip(ip, 0, prefix))
        return false;
    int all = prefix->family == 4 ? 32 : 128;
    uint64_t n = (uint64_t)all;
    if (slash && (text.len > 3 || !str_to_u64(text, &n) || n > (uint64_t)all))
        return false;
    *bits = (int)n;
    for (int bit = *bits; bit < all; bit++)
        if (prefix->ip[bit / 8] >> (7 - bit % 8) & 1)
            return false;
    return true;
}

static bool bool_parse(str s, bool *out)
{
    *out = str_eq(s, S("on")) || str_eq(s, S("yes")) || str_eq(s, S("true"));
    return *out || str_eq(s, S("off")) || str_eq(s, S("no")) || str_eq(s, S("false"));
}

static bool number_parse(setting_type type, str text, int64_t *out)
{
    switch (type) {
    case SETTING_INT:      return str_to_i64(text, out);
    case SETTING_SIZE:     return size_parse(text, out);
    case SETTING_RATE:     return rate_parse(text, out);
    case SETTING_DURATION: return duration_parse(text, out) && !__builtin_mul_overflow(*out, NS_PER_MS, out);
    default:               return false;
    }
}

// How a number of this type would be written.
static str number_text(setting_type type, int64_t n, arena *a)
{
    switch (type) {
    case SETTING_DURATION: return duration_text(a, n / NS_PER_MS);
    case SETTING_SIZE:     return n % 1000 ? str_format(a, "%lld", (long long)n) : size_text(a, n);
    case SETTING_RATE:     return str_format(a, "%lldbit", (long long)n);
    default:               return str_format(a, "%lld", (long long)n);
    }
}

// ---- checking against a schema ----

typedef struct { arena *a; config_error *error; } checking;

__attribute__((format(printf, 3, 4)))
static bool fail(const checking *k, const statement *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str text = str_vformat(k->a, format, args);
    va_end(args);
    *k->error = (config_error){s->file, s->line, s->column,
                               text.len ? text : S("the configuration needs more memory than it is given")};
    return false;
}

static const setting *setting_find(const setting *schema, str key)
{
    for (; schema && schema->key; schema++)
        if (str_eq(key, str_z(schema->key)))
            return schema;
    return NULL;
}

static bool unknown_key(const checking *k, const statement *s, const setting *schema)
{
    enum { NAMES_MAX = 256 };
    const char *names[NAMES_MAX] = {0};
    int count = 0;
    buf list = buf_make(NAMES_LIST_BYTES_MAX);
    for (; schema && schema->key && count < NAMES_MAX; schema++) {
        buf_format(&list, "%s%s", count ? ", " : "", schema->key);
        names[count++] = schema->key;
    }
    str key = s->words[0], near = nearest_name(key, names, count);
    if (near.len)
        fail(k, s, "unknown setting \"" STR_FMT "\"; did you mean \"" STR_FMT "\"?", STR_ARG(key), STR_ARG(near));
    else if (count && !list.full)
        fail(k, s, "unknown setting \"" STR_FMT "\"; here may stand: " STR_FMT, STR_ARG(key),
             STR_ARG(buf_str(&list)));
    else
        fail(k, s, "unknown setting \"" STR_FMT "\"; `naru config describe` lists what there is", STR_ARG(key));
    buf_free(&list);
    return false;
}

static bool check_number(const checking *k, const statement *s, const setting *t, str word)
{
    static const char *const examples[] = {
        [SETTING_INT] = "a whole number, for example 20",
        [SETTING_SIZE] = "a size, for example 25MB or 64KiB",
        [SETTING_DURATION] = "a time, for example 30s, 5m or 1h30m",
        [SETTING_RATE] = "a rate, for example 2Mbit or 300kbit",
    };
    int64_t n;
    if (!number_parse(t->type, word, &n))
        return fail(k, s, "%s: \"" STR_FMT "\" is not %s", t->key, STR_ARG(word), examples[t->type]);
    if ((t->min || t->max) && (n < t->min || n > t->max)) {
        str low = number_text(t->type, t->min, k->a), high = number_text(t->type, t->max, k->a);
        return fail(k, s, "%s: " STR_FMT " is out of range; it may be from " STR_FMT " to " STR_FMT, t->key,
                    STR_ARG(word), STR_ARG(low), STR_ARG(high));
    }
    return true;
}

// Is the text one of those that may stand?
static bool is_choice(const setting *t, str word)
{
    for (str left = str_z(t->choices); left.len > 0;)
        if (str_eq(word, str_cut(&left, '|')))
            return true;
    return false;
}

static bool not_a_choice(const checking *k, const statement *s, const setting *t, str word)
{
    enum { CHOICES_MAX = 16 };
    const char *names[CHOICES_MAX];
    int count = 0;
    for (str left = str_z(t->choices); left.len > 0 && count < CHOICES_MAX; count++)
        names[count] = str_to_z(k->a, str_cut(&left, '|'));
    str near = nearest_name(word, names, count);
    if (near.len)
        return fail(k, s, "%s: \"" STR_FMT "\" is none of %s; did you mean \"" STR_FMT "\"?", t->key, STR_ARG(word), t->choices,
                    STR_ARG(near));
    return fail(k, s, "%s: \"" STR_FMT "\" is none of %s", t->key, STR_ARG(word), t->choices);
}

static bool check_word(const checking *k, const statement *s, const setting *t, str word)
{
    addr address;
    int bits;
    bool flag;
    switch (t->type) {
    case SETTING_BOOL:
        return bool_parse(word, &flag)
               || fail(k, s, "%s: \"" STR_FMT "\" is neither on nor off", t->key, STR_ARG(word));
    case SETTING_ADDRESS:
        return addr_parse(word, 0, &address)
            || fail(k, s, "%s: \"" STR_FMT "\" is not an IP address, for example 192.0.2.1, 192.0.2.1:53 or [::1]:53",
                    t->key, STR_ARG(word));
    case SETTING_PREFIX:
        return prefix_parse(word, &address, &bits)
            || fail(k, s, "%s: \"" STR_FMT "\" is not a prefix, for example 10.0.0.0/8 (the bits behind it are zero)",
                    t->key, STR_ARG(word));
    case SETTING_INT: case SETTING_SIZE: case SETTING_DURATION: case SETTING_RATE:
        return check_number(k, s, t, word);
    case SETTING_TEXT:
        return !t->choices || is_choice(t, word) || not_a_choice(k, s, t, word);
    case SETTING_HOST:
        return addr_parse_ip(word, 0, &address) || (t->choices && is_choice(t, word))
            || fail(k, s, "%s: \"" STR_FMT "\" is not an IP address without a port, for example 192.0.2.1 or 2001:db8::1", t->key,
                    STR_ARG(word));
    case SETTING_LIST: case SETTING_BLOCK:
        return true;
    }
    return false;
}

// How many words may stand behind the key.
static bool check_count(const checking *k, const statement *s, const setting *t)
{
    int values = s->word_count - 1;
    if (t->type == SETTING_LIST || t->type == SETTING_BLOCK) {
        int64_t least = t->min || t->max ? t->min : 0, most = t->min || t->max ? t->max : CONFIG_WORDS_MAX;
        if (values >= least && values <= most)
            return true;
        return fail(k, s, "%s takes from %lld to %lld words, here stand %d", t->key, (long long)least,
                    (long long)most, values);
    }
    if (values == 0 && t->type == SETTING_BOOL)
        return true;                                             // the bare name means on
    if (values == 0)
        return fail(k, s, "%s has no value; write one behind it", t->key);
    if (values > 1 && !t->repeated)
        return fail(k, s, "%s takes one value, here stand %d; put a text with blanks in quotes", t->key, values);
    return true;
}

static bool check_statement(const checking *k, const statement *s, const setting *t, int depth);

static bool check_block(const checking *k, const statement *block, const setting *schema, int depth)
{
    for (const statement *s = block->children; s; s = s->next) {
        const setting *t = setting_find(schema, s->words[0]);
        if (!t)
            return unknown_key(k, s, schema);
        const statement *again = config_next(s, t->key);
        if (again && !t->repeated && t->type != SETTING_LIST)
            return fail(k, again, "%s stands here a second time (first in line %d); keep one", t->key, s->line);
        if (!check_statement(k, s, t, depth))
            return false;
    }
    return true;
}

static bool check_statement(const checking *k, const statement *s, const setting *t, int depth)
{
    if (s->has_block && t->type != SETTING_BLOCK)
        return fail(k, s, "%s takes a value and no { block }", t->key);
    if (!check_count(k, s, t))
        return false;
    for (int i = 1; i < s->word_count; i++)
        if (!check_word(k, s, t, s->words[i]))
            return false;
    must(depth <= CONFIG_DEPTH_MAX);                             // the parser lets none deeper through
    return t->type != SETTING_BLOCK || !t->block || check_block(k, s, t->block, depth + 1);
}

bool config_check(const statement *block, const setting *schema, arena *a, config_error *error)
{
    checking k = {a, error};
    *error = (config_error){0};
    return !block || check_block(&k, block, schema, 0);
}

// ---- looking values up ----

static const statement *with_key(const statement *s, const char *key)
{
    str name = str_z(key);
    while (s && !str_eq(s->words[0], name))
        s = s->next;
    return s;
}

const statement *config_next(const statement *s, const char *key) { return s ? with_key(s->next, key) : NULL; }

const statement *config_first(const statement *block, const char *key) { return block ? with_key(block->children, key) : NULL; }

const statement *config_find(const statement *block, const char *key)
{
    const statement *last = NULL;
    for (const statement *s = block ? with_key(block->children, key) : NULL; s; s = config_next(s, key))
        last = s;
    return last;
}

// The one value of a key: what is written, else the default, else empty.
static str value_of(const statement *block, const setting *schema, const char *key, const setting **t)
{
    *t = setting_find(schema, str_z(key));
    must(*t != NULL);
    const statement *s = config_find(block, key);
    if (!s)
        return str_z((*t)->fallback);
    return s->word_count > 1 ? s->words[1] : (*t)->type == SETTING_BOOL ? S("on") : (str){0};
}

bool config_bool(const statement *block, const setting *schema, const char *key)
{
    const setting *t;
    str value = value_of(block, schema, key, &t);
    bool on = false;
    must(t->type == SETTING_BOOL && (value.len == 0 || bool_parse(value, &on)));
    return on;
}

int64_t config_int(const statement *block, const setting *schema, const char *key)
{
    const setting *t;
    str value = value_of(block, schema, key, &t);
    int64_t n = 0;
    must(value.len == 0 || number_parse(t->type, value, &n));
    return n;
}

str config_text(const statement *block, const setting *schema, const char *key)
{
    const setting *t;
    return value_of(block, schema, key, &t);
}

bool config_address(const statement *block, const setting *schema, const char *key, uint16_t port, addr *out)
{
    const setting *t;
    str value = value_of(block, schema, key, &t);
    *out = (addr){0};
    return value.len && addr_parse(value, port, out);
}

bool config_secret(const statement *block, const setting *schema, const char *key, arena *a, config_include *read,
                   void *arg, str *out, config_error *error)
{
    *out = config_text(block, schema, key);
    if (!str_starts(*out, S("file:")))
        return true;
    str path = str_from(*out, 5);
    *out = (str){0};
    const statement *s = config_find(block, key);
    checking k = {a, error};
    if (!read(arg, path, a, out))
        return fail(&k, s ? s : block, "%s: cannot read the secret in " STR_FMT, key, STR_ARG(path));
    *out = str_chomp(*out);
    return true;
}
