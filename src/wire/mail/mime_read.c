// The tree of a letter's parts. Each multipart's content is looked through once for its own boundary, so that the time
// is at most MIME_DEPTH_MAX times the length, whatever the boundaries are.
#include "base/base64.h"
#include "base/quoted_printable.h"
#include "wire/mail/mime.h"

static mime_encoding encoding_of(const header_block *h)
{
    const header_field *f = header_find(h, S("Content-Transfer-Encoding"));
    str v = f ? str_trim(f->value) : S("7bit");
    return str_eq_nocase(v, S("7bit"))     ? MIME_7BIT
         : str_eq_nocase(v, S("8bit"))     ? MIME_8BIT
         : str_eq_nocase(v, S("binary"))   ? MIME_BINARY
         : str_eq_nocase(v, S("base64"))   ? MIME_BASE64
         : str_eq_nocase(v, S("quoted-printable")) ? MIME_QUOTED_PRINTABLE
                                           : MIME_ENCODING_UNKNOWN;
}

static str without_directory(str name)
{
    ptrdiff_t slash = str_rfind(name, '/'), back = str_rfind(name, '\\');
    name = str_from(name, (slash > back ? slash : back) + 1);
    return str_eq(name, S(".")) || str_eq(name, S("..")) ? (str){0} : name;
}

static void part_describe(mime_part *p, arena *msg)
{
    mime_type disposition = {0};
    const header_field *type = header_find(&p->header, S("Content-Type"));
    const header_field *place = header_find(&p->header, S("Content-Disposition"));
    if (!mime_type_read(type ? type->value : S("text/plain"), msg, &p->type) || p->type.subtype.len == 0)
        p->type = (mime_type){.type = S("text"), .subtype = S("plain")};
    if (place && mime_type_read(place->value, msg, &disposition)) {
        p->attachment = str_eq(disposition.type, S("attachment"));
        p->file_name = mime_parameter(&disposition, S("filename"), msg, NULL, NULL);
    }
    if (p->file_name.len == 0)
        p->file_name = mime_parameter(&p->type, S("name"), msg, NULL, NULL);
    p->file_name = without_directory(p->file_name);
    p->encoding = encoding_of(&p->header);
}

typedef enum { LINE_TEXT, LINE_PART, LINE_CLOSE } line_kind;

static line_kind line_look(str line, str boundary)
{
    if (!str_starts(line, S("--")) || !str_starts(str_from(line, 2), boundary))
        return LINE_TEXT;
    str after = str_from(line, 2 + boundary.len);
    if (str_starts(after, S("--")))
        return LINE_CLOSE;
    return str_trim(after).len == 0 ? LINE_PART : LINE_TEXT;
}

// A place for one more part: the array doubles, up to MIME_PARTS_MAX.
static bool part_room(mime_tree *tree, arena *msg)
{
    if (tree->count < tree->room)
        return true;
    int room = tree->room ? tree->room * 2 : 8;
    if (room > MIME_PARTS_MAX)
        room = MIME_PARTS_MAX;
    mime_part *parts = tree->count < room ? arena_array(msg, mime_part, room) : NULL;
    for (int i = 0; parts && i < tree->count; i++)
        parts[i] = tree->parts[i];
    if (parts) {
        tree->parts = parts;
        tree->room = room;
    }
    return parts != NULL;
}

static void part_read(mime_tree *tree, str message, int parent, int depth, arena *msg);

static void multipart_read(mime_tree *tree, str content, str boundary, int parent, int depth, arena *msg)
{
    ptrdiff_t start = -1, at = 0;                  // of the part that is open
    line_kind kind = LINE_TEXT;
    while (at < content.len && kind != LINE_CLOSE && !tree->cut) {
        str rest = str_from(content, at);
        ptrdiff_t lf = str_find(rest, '\n'), length = lf < 0 ? rest.len : lf + 1;
        kind = line_look(str_first(rest, length), boundary);
        if (kind != LINE_TEXT && start >= 0)       // the line end before a boundary belongs to the boundary
            part_read(tree, str_chomp(str_sub(content, start, at - start)), parent, depth, msg);
        at += length;
        if (kind == LINE_PART)
            start = at;
    }
    if (kind != LINE_CLOSE && start >= 0 && !tree->cut)
        part_read(tree, str_from(content, start), parent, depth, msg);      // cut off in transit
}

static void part_read(mime_tree *tree, str message, int parent, int depth, arena *msg)
{
    if (depth > MIME_DEPTH_MAX || !part_room(tree, msg)) {
        tree->cut = true;
        return;
    }
    int self = tree->count++;
    mime_part *p = &tree->parts[self];
    *p = (mime_part){.depth = depth, .parent = parent};
    header_read(message, msg, &p->header);
    p->content = p->header.body;
    part_describe(p, msg);
    bool transparent = p->encoding != MIME_BASE64 && p->encoding != MIME_QUOTED_PRINTABLE;
    if (msg->full) {
        tree->cut = true;
    } else if (str_eq(p->type.type, S("multipart")) && transparent) {
        str boundary = {0};
        for (int i = 0; i < p->type.parameter_count && boundary.len == 0; i++)
            if (str_eq(p->type.parameters[i].name, S("boundary")))
                boundary = p->type.parameters[i].value;
        if (boundary.len && boundary.len <= MIME_BOUNDARY_MAX)
            multipart_read(tree, p->content, boundary, self, depth + 1, msg);
    } else if (str_eq(p->type.type, S("message")) && str_eq(p->type.subtype, S("rfc822")) && transparent) {
        part_read(tree, p->content, self, depth + 1, msg);
    }
}

mime_tree mime_read(str message, arena *msg)
{
    mime_tree tree = {0};
    part_read(&tree, message, -1, 0, msg);
    return tree;
}

bool mime_decode(const mime_part *p, buf *out)
{
    if (p->encoding == MIME_QUOTED_PRINTABLE)
        return quoted_printable_decode(out, p->content);
    if (p->encoding != MIME_BASE64)
        return buf_put(out, p->content);
    unsigned char *room = buf_room(out, base64_decoded_size_max((size_t)p->content.len));
    if (!room)
        return false;
    buf_added(out, base64_decode_mime(room, p->content));
    return true;
}
