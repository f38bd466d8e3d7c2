#include "rt/access_line.h"

void access_line_rate(access_line *l, int64_t bps)
{
    l->bps = bps <= 0 || bps > ACCESS_LINE_BPS_MAX ? 0 : bps < ACCESS_LINE_BPS_MIN ? ACCESS_LINE_BPS_MIN : bps;
    l->free_ns = 0;
}

void world_line(world *w, access_line *line) { w->line = line; }

access_line *access_line_of(access_line *l, addr peer)
{
    for (int i = 0; l && i < l->host_count; i++)
        if (addr_eq_ip(l->hosts[i], peer))
            return NULL;
    return peer.family ? l : NULL;
}

size_t access_line_take(access_line *l, int64_t now_ns, size_t wanted, int64_t *passed_ns)
{
    int64_t piece = l->bps / 8 * ACCESS_LINE_PIECE_MS / 1000;
    piece = piece < ACCESS_LINE_PIECE_BYTES_MIN ? ACCESS_LINE_PIECE_BYTES_MIN : piece > ACCESS_LINE_PIECE_BYTES_MAX ? ACCESS_LINE_PIECE_BYTES_MAX : piece;
    *passed_ns = now_ns;
    if (!l->bps)
        return wanted;
    if (wanted > (size_t)piece)
        wanted = (size_t)piece;
    l->free_ns = (l->free_ns > now_ns ? l->free_ns : now_ns) + (int64_t)wanted * 8 * NS_PER_S / l->bps;
    l->bytes += wanted;
    *passed_ns = l->free_ns;
    return wanted;
}
