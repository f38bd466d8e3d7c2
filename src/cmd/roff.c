#include "cmd/roff.h"

static const char *special(unsigned char c)
{
    switch (c) {
    case '\\': return "\\e";
    case '-':  return "\\-";
    case '`':  return "\\(ga";
    case '\'': return "\\(aq";
    case '"':  return "\\(dq";
    case '^':  return "\\(ha";
    case '~':  return "\\(ti";
    default:   return NULL;
    }
}

void roff_put(buf *out, str text)
{
    bool line_begins = true;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        unsigned char c = text.at[i];
        if (line_begins && c == '.')
            buf_put(out, S("\\&"));
        if (special(c))
            buf_put(out, str_z(special(c)));
        else
            buf_put_byte(out, c);
        line_begins = c == '\n';
    }
}

void roff_put_z(buf *out, const char *text) { roff_put(out, str_z(text)); }

void roff_head(buf *out, str name, int section)
{
    buf_put(out, S(".TH \""));
    for (ptrdiff_t i = 0; i < name.len; i++) {
        unsigned char c = name.at[i];
        roff_put(out, str_of(&(unsigned char){c >= 'a' && c <= 'z' ? (unsigned char)(c - 'a' + 'A') : c}, 1));
    }
    buf_format(out, "\" %d \"\" \"naru %s\" \"naru\"\n.nh\n.ad l\n", section, NARU_VERSION);
}

void roff_lines(buf *out, const char *text)
{
    str lines = str_chomp(str_z(text));
    buf_put(out, S(".nf\n"));
    roff_put(out, lines);
    buf_put(out, S("\n.fi\n"));
}
