// The pages' files: they stand in the binary (web/build.mjs), named by what is in them, packed beside plain.
#include "rooms/console/console_inside.h"

#include <string.h>

#include "base/embedded.h"
#include "base/hex.h"
#include "rt/digest.h"

extern const embedded_file console_pages[];              // web/build.mjs; NAME.gz is NAME, packed

struct asset {
    str name, plain, packed, etag;                       // packed empty: none
    str type;
    bool for_ever;                                       // its name changes with its content
};

// The one page of many views: the address says which one is shown.
static const char *const views[] = {"/", "/films", "/status", "/accounting", "/account", "/sign-in", "/register"};

static str type_of(str name)
{
    static const struct { const char *end, *type; } types[] = {
        {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"}, {".txt", "text/plain; charset=utf-8"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_ends(name, str_z(types[i].end)))
            return str_z(types[i].type);
    return S("application/octet-stream");
}

static str packed_of(str name)
{
    for (const embedded_file *f = console_pages; f->name; f++) {
        str other = str_z(f->name);
        if (other.len == name.len + 3 && str_starts(other, name) && str_ends(other, S(".gz")))
            return f->text;
    }
    return (str){0};
}

static str etag_of(str text, arena *a)
{
    unsigned char hash[DIGEST_SHA256_BYTES];
    digest_of(DIGEST_SHA256, text, hash);
    return str_format(a, "\"" STR_FMT "\"", STR_ARG(hex_text(a, str_of(hash, 12))));
}

void assets_make(console *c)
{
    int count = 0;
    for (const embedded_file *f = console_pages; f->name; f++)
        count++;
    c->assets = arena_array(c->r->memory, asset, count + 1);
    for (const embedded_file *f = console_pages; f->name && c->assets; f++) {
        str name = str_z(f->name);
        if (str_ends(name, S(".gz")))
            continue;
        c->assets[c->asset_count++] = (asset){
            .name = name, .plain = f->text, .packed = packed_of(name), .etag = etag_of(f->text, c->r->memory), .type = type_of(name),
            .for_ever = !str_eq(name, S("index.html")),
        };
    }
}

static bool is_view(str path)
{
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if (str_eq(path, str_z(views[i])))
            return true;
    return str_starts(path, S("/watch/")) && film_id_sound(str_from(path, 7));
}

static const asset *asset_at(const console *c, str path)
{
    str name = is_view(path) ? S("index.html") : str_starts(path, S("/assets/")) ? str_from(path, 8) : (str){0};
    for (int i = 0; i < c->asset_count && name.len; i++)
        if (str_eq(c->assets[i].name, name))
            return &c->assets[i];
    return NULL;
}

bool asset_answer(console *c, const http_request *q, http_reply *reply)
{
    const asset *one = asset_at(c, q->path);
    if (!one)
        return false;
    bool packed = one->packed.len && http_list_has(http_header_get(q, S("Accept-Encoding")), S("gzip"));
    http_answer_header(reply, S("Cache-Control"), one->for_ever ? S("public, max-age=31536000, immutable") : S("no-cache"));
    http_answer_header(reply, S("ETag"), one->etag);
    http_answer_header(reply, S("Vary"), S("Accept-Encoding"));
    if (str_eq(http_header_get(q, S("If-None-Match")), one->etag)) {
        http_answer(reply, 304, one->type, (str){0});
        return true;
    }
    if (packed)
        http_answer_header(reply, S("Content-Encoding"), S("gzip"));
    http_answer(reply, 200, one->type, packed ? one->packed : one->plain);
    return true;
}
