#include "rt/config.h"

#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/utf8.h"

// A file that is being read, and the place in it.
typedef struct {
    str  name, rest;
    int  line, column;
} source;

typedef struct {
    arena          *a;
    config_include *include;
    void           *arg;
    config_error   *error;
    bool            failed;
    int             includes;
    buf             comments;                       // comments and empty lines before the next statement
    str             words[CONFIG_WORDS_MAX];        // of the statement that is being read
} parser;

typedef enum {
    TOKEN_WORD, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_SEMICOLON, TOKEN_NEWLINE, TOKEN_COMMENT, TOKEN_END,
} token_type;
typedef struct {
    token_type type;
    str        text;
    int        line, column;
} token;

static void error_set(config_error *error, str name, int line, int column, str text)
{
    *error = (config_error){name, line, column,
                            text.len ? text : S("the configuration needs more memory than it is given")};
}

__attribute__((format(printf, 5, 6)))
static bool fail(parser *p, const source *s, int line, int column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!p->failed)
        error_set(p->error, s->name, line, column, str_vformat(p->a, format, args));
    va_end(args);
    p->failed = true;
    return false;
}

// ---- characters and words ----

static void step(source *s, ptrdiff_t bytes)
{
    for (ptrdiff_t i = 0; i < bytes; i++)
        if (s->rest.at[i] == '\n')
            s->line++, s->column = 1;
        else if ((s->rest.at[i] & 0xc0) != 0x80)
            s->column++;
    s->rest = str_from(s->rest, bytes);
}

// The bytes of the character that comes next; 0 with an error when it may not stand in a configuration.
static int character(parser *p, const source *s)
{
    uint32_t code = 0;
    int n = utf8_decode(s->rest, &code);
    if (n == 0)
        return fail(p, s, s->line, s->column, "byte 0x%02x is not UTF-8; save the file as UTF-8", s->rest.at[0]);
    if (utf8_is_control(code) && code != '\t')
        return fail(p, s, s->line, s->column, "an invisible character (U+%04X) stands here; remove it",
                    (unsigned)code);
    return n;
}

static bool ends_word(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '{' || c == '}' || c == ';';
}

static bool bare_word(parser *p, source *s, token *t)
{
    t->text = str_first(s->rest, 0);
    while (s->rest.len && !ends_word(s->rest.at[0])) {
        if (s->rest.at[0] == '"')
            return fail(p, s, s->line, s->column, "a quote stands inside a word; put the whole word in quotes");
        int n = character(p, s);
        if (n == 0)
            return false;
        t->text.len += n;
        step(s, n);
    }
    return true;
}

static bool quoted_escape(parser *p, source *s, unsigned char *out)
{
    static const char from[] = "\"\\nt", to[] = "\"\\\n\t";
    const char *hit = s->rest.len > 1 && s->rest.at[1] ? strchr(from, s->rest.at[1]) : NULL;
    if (!hit)
        return fail(p, s, s->line, s->column,
                    "a backslash in quotes stands before \", \\, n or t only; write \\\\ for itself");
    *out = (unsigned char)to[hit - from];
    step(s, 2);
    return true;
}

static bool quoted_word(parser *p, source *s, token *t)
{
    step(s, 1);
    ptrdiff_t end_of_line = str_find(s->rest, '\n');
    size_t room = (size_t)(end_of_line < 0 ? s->rest.len : end_of_line);
    unsigned char *out = arena_array(p->a, unsigned char, room + 1);
    if (!out)
        return fail(p, s, t->line, t->column, "%s", "");
    ptrdiff_t len = 0;
    while (s->rest.len && s->rest.at[0] != '"' && s->rest.at[0] != '\n') {
        if (s->rest.at[0] == '\\') {
            if (!quoted_escape(p, s, &out[len++]))
                return false;
            continue;
        }
        int n = character(p, s);
        if (n == 0)
            return false;
        memcpy(out + len, s->rest.at, (size_t)n);
        len += n;
        step(s, n);
    }
    if (s->rest.len == 0 || s->rest.at[0] != '"')
        return fail(p, s, t->line, t->column,
                    "this quote is not closed on its line; add a \" (\\n writes a line end)");
    step(s, 1);
    if (s->rest.len && !ends_word(s->rest.at[0]))
        return fail(p, s, s->line, s->column, "a blank is missing behind the closing quote");
    t->text = (str){out, len};
    return true;
}

static bool comment(parser *p, source *s, token *t)
{
    t->text = str_first(s->rest, 0);
    while (s->rest.len && s->rest.at[0] != '\n') {
        int n = s->rest.at[0] == '\r' ? 1 : character(p, s);
        if (n == 0)
            return false;
        t->text.len += n;
        step(s, n);
    }
    t->text = str_trim(t->text);
    return str_find(t->text, '\r') < 0
           || fail(p, s, t->line, t->column, "a carriage return stands inside this comment; remove it");
}

static bool token_read(parser *p, source *s, token *t)
{
    while (s->rest.len && (s->rest.at[0] == ' ' || s->rest.at[0] == '\t' || str_starts(s->rest, S("\r\n"))))
        step(s, 1);
    *t = (token){.line = s->line, .column = s->column, .type = TOKEN_END};
    if (s->rest.len == 0)
        return true;
    unsigned char c = s->rest.at[0];
    if (c == '\r')
        return character(p, s) != 0;                            // says that it may not stand alone
    if (c == '#')
        return t->type = TOKEN_COMMENT, comment(p, s, t);
    if (c == '"')
        return t->type = TOKEN_WORD, quoted_word(p, s, t);
    t->type = c == '{' ? TOKEN_OPEN : c == '}' ? TOKEN_CLOSE : c == ';' ? TOKEN_SEMICOLON : c == '\n' ? TOKEN_NEWLINE
            : TOKEN_WORD;
    if (t->type == TOKEN_WORD)
        return bare_word(p, s, t);
    step(s, 1);
    return true;
}

// ---- comments and empty lines, kept for config_format ----

static void comment_keep(parser *p, str text)
{
    buf_put(&p->comments, text);
    buf_put_byte(&p->comments, '\n');
}

static void blank_keep(parser *p)
{
    str all = buf_str(&p->comments);
    if (!str_eq(all, S("\n")) && !str_ends(all, S("\n\n")))
        buf_put_byte(&p->comments, '\n');
}

static str comments_take(parser *p)
{
    str all = str_copy(p->a, buf_str(&p->comments));
    buf_clear(&p->comments);
    return all;
}

// ---- statements and blocks ----

typedef struct {
    statement **end;            // where the next one is linked in
    statement  *last;
    bool        same_line;      // as the last one's end
} chain;

static bool block_read(parser *p, source *s, statement *block, chain *c, int depth);

static bool include_read(parser *p, const source *from, const statement *st, chain *c, int depth)
{
    if (!p->include)
        return fail(p, from, st->line, st->column, "include is not possible here; write the statements out");
    if (st->word_count != 2 || st->has_block)
        return fail(p, from, st->line, st->column, "include takes one path: include other.conf");
    if (++p->includes > CONFIG_INCLUDES_MAX)
        return fail(p, from, st->line, st->column, "more than %d includes; does a file include itself?",
                    CONFIG_INCLUDES_MAX);
    str path = st->words[1], text;
    ptrdiff_t slash = str_rfind(from->name, '/');
    if (!str_starts(path, S("/")) && slash >= 0)
        path = str_join(p->a, str_first(from->name, slash + 1), path);
    if (!p->include(p->arg, path, p->a, &text))
        return fail(p, from, st->line, st->column, "cannot read the included file " STR_FMT, STR_ARG(path));
    source s = {path, text, 1, 1};
    if (text.len > CONFIG_FILE_BYTES_MAX)
        return fail(p, &s, 1, 1, "the file is larger than %d bytes", CONFIG_FILE_BYTES_MAX);
    return block_read(p, &s, NULL, c, depth + 1);
}

// Words up to what ends the statement; a block is read too. `t` is the first word and becomes the token behind the statement.
static bool words_read(parser *p, source *s, statement *st, token *t)
{
    int count = 0;
    do {
        if (count == CONFIG_WORDS_MAX)
            return fail(p, s, t->line, t->column, "more than %d words in one statement", CONFIG_WORDS_MAX);
        p->words[count++] = t->text;
        if (!token_read(p, s, t))
            return false;
    } while (t->type == TOKEN_WORD);
    if (p->words[0].len == 0)
        return fail(p, s, st->line, st->column, "a statement begins with a name; here stands an empty one");
    st->words = arena_array(p->a, str, count);
    if (!st->words)
        return fail(p, s, st->line, st->column, "%s", "");
    memcpy(st->words, p->words, (size_t)count * sizeof(str));
    st->word_count = count;
    return true;
}

static bool statement_read(parser *p, source *s, chain *c, token *t, int depth)
{
    statement *st = arena_new(p->a, statement);
    if (!st)
        return fail(p, s, t->line, t->column, "%s", "");
    st->file = s->name, st->line = t->line, st->column = t->column;
    st->comment_above = comments_take(p);
    if (!words_read(p, s, st, t))
        return false;
    if (t->type == TOKEN_OPEN) {
        st->has_block = true;
        chain inner = {.end = &st->children};
        if (!block_read(p, s, st, &inner, depth + 1))
            return false;
        t->type = TOKEN_SEMICOLON;                               // ended, and nothing read ahead
    }
    if (str_eq(st->words[0], S("include")) && p->include != config_include_keep)
        return include_read(p, s, st, c, depth);
    *c->end = st;
    c->end = &st->next;
    c->last = st;
    c->same_line = true;
    return true;
}

// What stands between statements; false: an error. *done: the block has ended.
static bool between(parser *p, source *s, const statement *block, chain *c, const token *t, int *newlines, bool *done)
{
    switch (t->type) {
    case TOKEN_NEWLINE:
        if (++*newlines > 1 && (c->last || p->comments.len))      // an empty line at a block's beginning says nothing
            blank_keep(p);
        c->same_line = false;
        return true;
    case TOKEN_COMMENT:
        if (c->same_line && c->last->comment_beside.len == 0)
            c->last->comment_beside = t->text;
        else
            comment_keep(p, t->text);
        *newlines = 0;
        return true;
    case TOKEN_SEMICOLON:
        return fail(p, s, t->line, t->column, "a ; stands here without a statement before it; remove it");
    case TOKEN_OPEN:
        return fail(p, s, t->line, t->column, "a block needs a name before it, on the same line: name {");
    case TOKEN_CLOSE:
        *done = true;
        return block || fail(p, s, t->line, t->column, "this } closes nothing; remove it or add its {");
    case TOKEN_END:
        *done = true;
        return !block || fail(p, s, block->line, block->column, "the block of " STR_FMT " is never closed; add a }",
                              STR_ARG(block->words[0]));
    case TOKEN_WORD:
        break;
    }
    return false;
}

// block: whose statements these are; NULL for a file, which ends where its text ends.
static bool block_read(parser *p, source *s, statement *block, chain *c, int depth)
{
    if (depth > CONFIG_DEPTH_MAX)
        return fail(p, s, s->line, s->column, "blocks and includes are nested deeper than %d", CONFIG_DEPTH_MAX);
    int newlines = 1;
    bool done = false;
    token t;
    while (!done) {
        if (!token_read(p, s, &t))
            return false;
        while (t.type == TOKEN_WORD) {
            if (!statement_read(p, s, c, &t, depth))
                return false;
            newlines = 0;
            if (t.type == TOKEN_SEMICOLON && !token_read(p, s, &t))
                return false;
        }
        if (!between(p, s, block, c, &t, &newlines, &done))
            return false;
    }
    while (str_eq(buf_str(&p->comments), S("\n")) || str_ends(buf_str(&p->comments), S("\n\n")))
        p->comments.len--;                                       // empty lines before a block's end say nothing
    if (block)
        block->comment_end = comments_take(p); // a file's stay for config_parse, or the including file
    return true;
}

bool config_include_keep(void *arg, str path, arena *a, str *text)
{
    (void)arg, (void)path, (void)a, (void)text;
    return false;
}

statement *config_parse(str name, str text, arena *a, config_include *include, void *arg, config_error *error)
{
    parser p = {.a = a, .include = include, .arg = arg, .error = error};
    p.comments = buf_make(CONFIG_FILE_BYTES_MAX * 2);
    source s = {name, text, 1, 1};
    *error = (config_error){0};
    statement *root = arena_new(a, statement);
    chain c = {.end = root ? &root->children : NULL};
    bool good = root || fail(&p, &s, 1, 1, "%s", "");
    if (good && text.len > CONFIG_FILE_BYTES_MAX)
        good = fail(&p, &s, 1, 1, "the file is larger than %d bytes", CONFIG_FILE_BYTES_MAX);
    if (good && str_starts(text, S("\xef\xbb\xbf")))
        s.rest = str_from(text, 3);                              // a byte order mark, as some editors write it
    good = good && block_read(&p, &s, NULL, &c, 0);
    if (good) {
        root->file = name, root->line = root->column = 1, root->has_block = true;
        root->comment_end = comments_take(&p);
        if (a->full)
            good = fail(&p, &s, 1, 1, "%s", "");
    }
    buf_free(&p.comments);
    return good ? root : NULL;
}
