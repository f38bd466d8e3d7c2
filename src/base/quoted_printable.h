// Quoted-printable (RFC 2045 section 6.7): mostly readable text whose other bytes are written as =XX.
#pragma once
#include "base/buf.h"

enum { QUOTED_PRINTABLE_COLUMNS = 76 };     // an encoded line without its CR LF, a soft break's '=' included

// Appends text (lines ended by CR LF or LF, written as CR LF) encoded: soft breaks keep lines within 76 columns, a space
// or tab before a line end is coded, and so are "From " and a lone "." at the start of a line, which mail paths damage.
// A lone CR is coded. False when the buffer is full.
bool quoted_printable_put(buf *out, str text);
// Appends any bytes so that they come back exactly: as above, but CR and LF are coded too and only soft breaks end lines.
bool quoted_printable_put_binary(buf *out, str bytes);

// Appends the decoded bytes. Lenient (RFC 2045 section 6.7, note on robustness): soft breaks with blanks behind the '=',
// lower-case digits and bare LF are accepted, blanks before a line end are dropped, an '=' that begins nothing stays as
// it is. Line ends become CR LF. False only when the buffer is full.
bool quoted_printable_decode(buf *out, str in);
