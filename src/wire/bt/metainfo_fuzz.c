// An accepted torrent keeps its promises: paths stay below their folder, lengths add up, and what is written again is read
// again as the same.
#include "base/must.h"
#include "wire/bt/magnet.h"
#include "wire/bt/metainfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promises_hold(const metainfo *m, str in)
{
    int64_t at = 0;
    must(m->info.at >= in.at && m->info.at + m->info.len <= in.at + in.len && m->info.at - in.at == m->info_offset);
    must(!metainfo_part_trouble(m->name) && m->piece_bytes > 0 && m->pieces.len == (ptrdiff_t)m->piece_count * INFO_HASH_BYTES);
    for (int i = 0; i < m->file_count; i++) {
        must(m->files[i].offset == at && m->files[i].length >= 0 && m->files[i].path.len > 0);
        at += m->files[i].length;
        for (str rest = m->files[i].path; rest.len; )
            must(!metainfo_part_trouble(str_cut(&rest, '/')));
    }
    must(at == m->length && at <= METAINFO_LENGTH_MAX);
    int64_t last = metainfo_piece_length(m, m->piece_count - 1);
    must(last > 0 && last <= m->piece_bytes && (m->piece_count - 1) * m->piece_bytes + last == m->length);
    must(metainfo_file_at(m, m->length - 1) >= 0 && metainfo_file_at(m, m->length) == -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 14)
        return 0;
    arena a = arena_make(4 << 20);
    str in = str_of(data, size);
    bencode_refusal why;
    metainfo m, n;
    magnet link, again;
    buf out = buf_make(1 << 17);
    if (metainfo_read(in, &a, &m, &why)) {
        promises_hold(&m, in);
        must(metainfo_write(&out, &m) && metainfo_read(buf_str(&out), &a, &n, &why));
        must(n.length == m.length && n.file_count == m.file_count && str_eq(n.pieces, m.pieces));
        must(n.tracker_count == m.tracker_count && n.web_seed_count == m.web_seed_count);
    } else {
        must(why.reason && why.offset >= 0 && why.offset <= in.len);
    }
    buf_clear(&out);
    if (magnet_read(in, &a, &link, &why) && magnet_write(&out, &link) && out.len <= MAGNET_BYTES_MAX)
        must(magnet_read(buf_str(&out), &a, &again, &why) && str_eq(link.name, again.name) && link.peer_count == again.peer_count);
    buf_free(&out);
    arena_free(&a);
    return 0;
}
