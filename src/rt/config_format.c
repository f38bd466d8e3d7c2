#include <string.h>

#include "base/buf.h"
#include "rt/config.h"

// Comments and empty lines, each on a line of its own. At the end of a block empty lines say nothing.
static void put_comments(buf *out, str lines, int depth)
{
    while (lines.len) {
        str text = str_cut(&lines, '\n');
        if (text.len)
            buf_format(out, "%*s", depth * 4, "");
        buf_put(out, text);
        buf_put_byte(out, '\n');
    }
}

static void put_word(buf *out, str word)
{
    bool plain = word.len > 0 && word.at[0] != '#';
    for (ptrdiff_t i = 0; i < word.len && plain; i++)
        plain = word.at[i] > ' ' && !strchr("\"{};", word.at[i]);
    if (plain) {
        buf_put(out, word);
        return;
    }
    buf_put_byte(out, '"');
    for (ptrdiff_t i = 0; i < word.len; i++) {
        unsigned char c = word.at[i];
        if (c == '"' || c == '\\' || c == '\n' || c == '\t')
            buf_format(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : c);
        else
            buf_put_byte(out, c);
    }
    buf_put_byte(out, '"');
}

static void put_statement(buf *out, const statement *s, int depth)
{
    put_comments(out, s->comment_above, depth);
    buf_format(out, "%*s", depth * 4, "");
    for (int i = 0; i < s->word_count; i++) {
        if (i)
            buf_put_byte(out, ' ');
        put_word(out, s->words[i]);
    }
    bool open = s->children || s->comment_end.len;
    if (s->has_block)
        buf_put(out, open ? S(" {\n") : S(" {}"));
    for (const statement *c = s->children; c && depth < CONFIG_DEPTH_MAX; c = c->next)
        put_statement(out, c, depth + 1);
    put_comments(out, s->comment_end, depth + 1);
    if (s->has_block && open)
        buf_format(out, "%*s}", depth * 4, "");
    if (s->comment_beside.len)
        buf_format(out, "    " STR_FMT, STR_ARG(s->comment_beside));
    buf_put_byte(out, '\n');
}

str config_format(const statement *root, arena *a)
{
    buf out = buf_make(a->max_bytes);
    for (const statement *s = root->children; s; s = s->next)
        put_statement(&out, s, 0);
    put_comments(&out, root->comment_end, 0);
    str text = str_copy(a, buf_str(&out));
    buf_free(&out);
    return text;
}
