// Encoded words (RFC 2047): text beyond ASCII inside header fields.
#include <string.h>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "wire/mail/header.h"

bool encoded_words_fold(buf *out, ptrdiff_t *column, str text);      // used by header.c alone

// ---- encoding ----

enum {
    WORD_BYTES = 45,                 // of text in one word: "=?UTF-8?B?" + 60 letters + "?=" = 72, RFC 2047 2 allows 75
    WORD_BYTES_MIN = 12,             // no word is begun at the end of a line for less
    WORD_FRAME = 13,                 // a blank, "=?UTF-8?B?", "?="
};

// As many whole characters as fit into one word; controls become blanks, malformed bytes '?'.
static str word_take(str *text, unsigned char *room, size_t max)
{
    size_t n = 0;
    uint32_t code;
    while (text->len) {
        int length = utf8_decode(*text, &code);
        if (n + (size_t)(length ? length : 1) > max)
            break;
        if (length == 0 || code < 32 || code == 127)
            room[n++] = length ? ' ' : '?';
        else
            memcpy(room + n, text->at, (size_t)length), n += (size_t)length;
        *text = str_from(*text, length ? length : 1);
    }
    return str_of(room, n);
}

// How many bytes of text a word may take that begins at this column.
static ptrdiff_t word_space(ptrdiff_t column)
{
    ptrdiff_t bytes = (HEADER_COLUMNS - WORD_FRAME - column) / 4 * 3;
    return bytes > WORD_BYTES ? WORD_BYTES : bytes;
}

bool encoded_words_fold(buf *out, ptrdiff_t *column, str text)
{
    bool fits = true;
    while (text.len && fits) {
        unsigned char plain[WORD_BYTES], letters[WORD_BYTES / 3 * 4];
        ptrdiff_t space = word_space(*column);
        if (space < WORD_BYTES_MIN) {
            buf_put(out, S("\r\n"));
            *column = 0;
            space = word_space(0);
        }
        size_t n = base64_encode(letters, word_take(&text, plain, (size_t)space));
        fits = buf_format(out, " =?UTF-8?B?" STR_FMT "?=", STR_ARG(str_of(letters, n)));
        *column += WORD_FRAME + (ptrdiff_t)n;
    }
    return fits;
}

// ---- decoding ----

typedef struct {
    str charset, bytes;              // bytes decoded from B or Q
} encoded_word;

static str q_decode(str in, arena *msg)            // RFC 2047 4.2
{
    unsigned char *text = arena_array(msg, unsigned char, in.len + 1);
    size_t n = 0;
    for (ptrdiff_t i = 0; text && i < in.len; i++) {
        unsigned char c = in.at[i];
        int high = c == '=' && i + 2 < in.len ? hex_digit(in.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(in.at[i + 2]) : -1;
        if (low >= 0)
            i += 2;
        text[n++] = low >= 0 ? (unsigned char)(high * 16 + low) : c == '_' ? ' ' : c;
    }
    return str_of(text, n);
}

static str b_decode(str in, arena *msg)
{
    unsigned char *text = arena_array(msg, unsigned char, base64_decoded_size_max((size_t)in.len));
    return text ? str_of(text, base64_decode_mime(text, in)) : (str){0};
}

// "=?charset?B?...?=" at the start of *s. On success *s moves behind it.
static bool word_read(str *s, arena *msg, encoded_word *out)
{
    enum { CHARSET_MAX = 64, WORD_MAX = 2048 };    // RFC 2047 says 75; real ones are longer
    if (!str_starts(*s, S("=?")))
        return false;
    str rest = str_first(str_from(*s, 2), WORD_MAX);
    ptrdiff_t mark = str_find(rest, '?');
    if (mark <= 0 || mark > CHARSET_MAX || mark + 2 >= rest.len || rest.at[mark + 2] != '?')
        return false;
    str charset = str_first(rest, mark);
    unsigned char encoding = lower(rest.at[mark + 1]);
    str text = str_from(rest, mark + 3);
    ptrdiff_t end = str_find(text, '?');
    if (end < 0 || end + 1 >= text.len || text.at[end + 1] != '=' || (encoding != 'b' && encoding != 'q'))
        return false;
    if (str_find(str_first(text, end), ' ') >= 0 && encoding == 'b')
        return false;
    out->charset = str_cut(&charset, '*');         // without the language (RFC 2231 5)
    out->bytes = encoding == 'b' ? b_decode(str_first(text, end), msg) : q_decode(str_first(text, end), msg);
    *s = str_from(*s, text.at - s->at + end + 2);
    return true;
}

static str latin1_convert(str bytes, arena *msg)
{
    unsigned char *text = arena_array(msg, unsigned char, 2 * bytes.len + 1);
    size_t n = 0;
    for (ptrdiff_t i = 0; text && i < bytes.len; i++)
        n += (size_t)utf8_encode(text + n, bytes.at[i]);
    return str_of(text, n);
}

static str word_convert(str charset, str bytes, arena *msg, charset_convert *convert, void *arg)
{
    if (str_eq_nocase(charset, S("utf-8")) || str_eq_nocase(charset, S("us-ascii")))
        return bytes;
    if (str_eq_nocase(charset, S("iso-8859-1")))
        return latin1_convert(bytes, msg);
    return convert ? convert(arg, charset, bytes, msg) : (str){0};
}

// Appends text as one clean line: malformed bytes become U+FFFD, controls blanks.
static void clean_put(writer *w, str text)
{
    uint32_t code;
    while (text.len) {
        int length = utf8_decode(text, &code);
        if (length == 0)
            wr_bytes(w, S("\xef\xbf\xbd"));
        else if (utf8_is_control(code))
            wr_u8(w, ' ');
        else
            wr_bytes(w, str_first(text, length));
        text = str_from(text, length ? length : 1);
    }
}

static str blanks_skip(str s)
{
    while (s.len && (s.at[0] == ' ' || s.at[0] == '\t'))
        s = str_from(s, 1);
    return s;
}

// Neighbouring words of one charset are put together before they are converted: senders cut characters in half.
// `together` is room for all that any run can hold; it is used again for each run.
static bool run_read(str *s, writer together, arena *msg, encoded_word *run)
{
    encoded_word more;
    if (!word_read(s, msg, run))
        return false;
    wr_bytes(&together, run->bytes);
    for (str ahead = blanks_skip(*s); word_read(&ahead, msg, &more); ahead = blanks_skip(*s)) {
        if (!str_eq_nocase(more.charset, run->charset))
            break;
        wr_bytes(&together, more.bytes);
        *s = ahead;
    }
    run->bytes = wr_str(&together);
    return true;
}

// What is no encoded word: up to the next blank or the next '='.
static ptrdiff_t plain_length(str in)
{
    ptrdiff_t n = in.len > 0;
    while (n < in.len && in.at[n] != ' ' && in.at[n] != '\t' && in.at[n] != '=')
        n++;
    return n;
}

str header_text(str value, arena *msg, charset_convert *convert, void *arg)
{
    str in = header_unfold(value, msg);
    // One malformed byte becomes three, a Latin-1 byte two, a pair of EUC-KR three.
    size_t size = (size_t)in.len * 3 + 64;
    unsigned char *text = arena_array(msg, unsigned char, size), *scratch = arena_array(msg, unsigned char, in.len + 1);
    size_t scratch_size = (size_t)in.len + 1;
    if (!text || !scratch)
        return (str){0};
    writer w = wr_into(text, size);
    bool after_word = false;
    while (in.len && !w.bad) {
        str before = in, run_bytes = {0};
        encoded_word run;
        in = blanks_skip(in);
        str blanks = str_first(before, before.len - in.len);
        bool is_word = run_read(&in, wr_into(scratch, scratch_size), msg, &run);
        if (is_word)
            run_bytes = word_convert(run.charset, run.bytes, msg, convert, arg);
        if (is_word && (run_bytes.len || run.bytes.len == 0)) {
            clean_put(&w, after_word ? (str){0} : blanks);      // blanks between words of two charsets are none
            clean_put(&w, run_bytes);
            after_word = true;
            continue;
        }
        if (!is_word)
            in = str_from(in, plain_length(in));
        clean_put(&w, str_first(before, before.len - in.len));
        after_word = false;
    }
    return wr_str(&w);
}
