#include "base/quoted_printable.h"

#include "base/hex.h"

// The encoder's place on the line it writes.
typedef struct {
    buf *out;
    int  column;
} line;

static void end_line(line *l, str end)
{
    buf_put(l->out, end);
    l->column = 0;
}

// Writes one unit, 1 or 3 bytes that stay together; a soft break first when it would leave no column for a '='.
static void put_unit(line *l, str unit, bool last_on_line)
{
    if (l->column + unit.len > QUOTED_PRINTABLE_COLUMNS - !last_on_line)
        end_line(l, S("=\r\n"));
    buf_put(l->out, unit);
    l->column += (int)unit.len;
}

static void put_coded(line *l, unsigned char c, bool last_on_line)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char coded[3] = {'=', (unsigned char)digits[c >> 4], (unsigned char)digits[c & 15]};
    put_unit(l, (str){coded, 3}, last_on_line);
}

// One line without its end. The column counts what is written, so that a soft break's next line is judged anew.
static void put_line(line *l, str text)
{
    for (ptrdiff_t i = 0; i < text.len; i++) {
        unsigned char c = text.at[i];
        bool last = i + 1 == text.len;
        bool blank = c == ' ' || c == '\t';
        bool starts = l->column == 0 || l->column + 1 > QUOTED_PRINTABLE_COLUMNS - !last;
        bool damaged = starts && (c == '.' || str_starts(str_from(text, i), S("From ")));
        if (damaged || c == '=' || c > '~' || (c < ' ' && c != '\t') || (blank && last))
            put_coded(l, c, last);
        else
            put_unit(l, (str){&c, 1}, last);
    }
}

bool quoted_printable_put(buf *out, str text)
{
    line l = {.out = out};
    while (text.len && !out->full) {
        ptrdiff_t end = str_find(text, '\n');
        str here = end < 0 ? text : str_first(text, end);
        put_line(&l, end > 0 && here.at[end - 1] == '\r' ? str_first(here, end - 1) : here);
        if (end >= 0)
            end_line(&l, S("\r\n"));
        text = end < 0 ? (str){0} : str_from(text, end + 1);
    }
    return !out->full;
}

bool quoted_printable_put_binary(buf *out, str bytes)
{
    line l = {.out = out};
    if (!out->full)
        put_line(&l, bytes);
    return !out->full;
}

// One line without its end. True when it ends in a soft break, so that the next line goes on where it stops.
static bool decode_line(buf *out, str text)
{
    while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;                                     // RFC 2045 section 6.7 (3): added on the way
    bool soft = text.len && text.at[text.len - 1] == '=';
    text.len -= soft;
    for (ptrdiff_t i = 0; i < text.len; i++) {
        unsigned char c = text.at[i];
        if (c == '=' && text.len - i >= 3 && hex_decode(&c, str_sub(text, i + 1, 2)))
            i += 2;
        buf_put_byte(out, c);
    }
    return soft;
}

bool quoted_printable_decode(buf *out, str in)
{
    while (in.len && !out->full) {
        ptrdiff_t end = str_find(in, '\n');
        bool soft = decode_line(out, str_chomp(end < 0 ? in : str_first(in, end + 1)));
        if (end >= 0 && !soft)
            buf_put(out, S("\r\n"));
        in = end < 0 ? (str){0} : str_from(in, end + 1);
    }
    return !out->full;
}
