#include "wire/http/chunked.h"

static int digit_of(unsigned char c)
{
    if (is_digit(c))
        return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_text(unsigned char c) { return c >= ' ' ? c != 0x7f : c == '\t'; }

static chunk_state size_end(chunked *c)
{
    c->digits = c->line = 0;
    return c->left ? CHUNK_DATA : CHUNK_TRAILER_START;
}

static chunk_state size_digit(chunked *c, unsigned char byte)
{
    int digit = digit_of(byte);
    if (digit >= 0 && c->digits < CHUNK_SIZE_DIGITS_MAX) {
        c->digits++;
        c->left = c->left << 4 | (unsigned)digit;
        return CHUNK_SIZE;
    }
    if (c->digits == 0 || digit >= 0)
        return CHUNK_BAD;
    return byte == ';' ? CHUNK_EXTENSION : byte == '\r' ? CHUNK_SIZE_LF : CHUNK_BAD;
}

// One byte that is not of the body: where it leads.
static chunk_state step(chunked *c, unsigned char byte)
{
    switch (c->state) {
    case CHUNK_SIZE_FIRST:
        c->left = 0;
        return size_digit(c, byte);
    case CHUNK_SIZE:
        return size_digit(c, byte);
    case CHUNK_EXTENSION:
        if (byte == '\r')
            return CHUNK_SIZE_LF;
        c->extra++;
        return is_text(byte) && c->extra <= CHUNK_EXTRA_BYTES_MAX ? CHUNK_EXTENSION : CHUNK_BAD;
    case CHUNK_SIZE_LF:
        return byte == '\n' ? size_end(c) : CHUNK_BAD;
    case CHUNK_DATA_CR:
        return byte == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
    case CHUNK_DATA_LF:
        return byte == '\n' ? CHUNK_SIZE_FIRST : CHUNK_BAD;
    case CHUNK_TRAILER_START:
        if (byte == '\r')
            return CHUNK_END_LF;
        return is_text(byte) && byte > ' ' && ++c->extra <= CHUNK_EXTRA_BYTES_MAX ? CHUNK_TRAILER : CHUNK_BAD;
    case CHUNK_TRAILER:
        if (byte == '\r')
            return CHUNK_TRAILER_LF;
        return is_text(byte) && ++c->extra <= CHUNK_EXTRA_BYTES_MAX ? CHUNK_TRAILER : CHUNK_BAD;
    case CHUNK_TRAILER_LF:
        return byte == '\n' ? CHUNK_TRAILER_START : CHUNK_BAD;
    case CHUNK_END_LF:
        return byte == '\n' ? CHUNK_DONE : CHUNK_BAD;
    case CHUNK_DATA: case CHUNK_DONE: case CHUNK_BAD:
        break;
    }
    return CHUNK_BAD;
}

str chunked_next(chunked *c, str *in)
{
    while (in->len && c->state != CHUNK_DONE && c->state != CHUNK_BAD) {
        if (c->state == CHUNK_DATA) {
            ptrdiff_t n = (uint64_t)in->len < c->left ? in->len : (ptrdiff_t)c->left;
            str piece = str_first(*in, n);
            *in = str_from(*in, n);
            c->left -= (uint64_t)n;
            if (c->left == 0)
                c->state = CHUNK_DATA_CR;
            return piece;
        }
        bool in_size = c->state <= CHUNK_SIZE_LF;
        c->state = in_size && ++c->line > CHUNK_LINE_BYTES_MAX ? CHUNK_BAD : step(c, in->at[0]);
        *in = str_from(*in, 1);
    }
    return (str){0};
}

bool chunk_put(buf *out, str bytes)
{
    return buf_format(out, "%zx\r\n", (size_t)bytes.len) && buf_put(out, bytes) && buf_put(out, S("\r\n"));
}
