#include "wire/media/presentation.h"

#include "base/must.h"

uint64_t media_ms(uint64_t units, uint32_t timescale)
{
    must(timescale > 0);
    return units / timescale * 1000 + units % timescale * 1000 / timescale;
}

uint64_t media_segment_start_ms(const media_rendition *r, int segment)
{
    must(segment >= 0 && segment < r->segment_count);
    return media_ms(r->segments[segment].start, r->timescale);
}

uint64_t media_segment_end_ms(const media_rendition *r, int segment)
{
    must(segment >= 0 && segment < r->segment_count);
    const media_segment *s = &r->segments[segment];
    uint64_t end = s->start > UINT64_MAX - s->duration ? UINT64_MAX : s->start + s->duration;
    return media_ms(end, r->timescale);
}

int media_segment_at(const media_rendition *r, uint64_t ms)
{
    int low = 0, high = r->segment_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (media_segment_end_ms(r, middle) <= ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->segment_count ? low : r->segment_count - 1;
}

static bool sizes_known(const media_rendition *r)
{
    for (int i = 0; i < r->segment_count; i++)
        if (r->segments[i].bytes == 0 || r->segments[i].duration == 0)
            return false;
    return r->segment_count > 0 && r->timescale > 0;
}

// bytes over a duration as bits a second, rounded up.
static uint64_t rate_bps(uint64_t bytes, uint64_t duration, uint32_t timescale)
{
    unsigned __int128 bits = (unsigned __int128)bytes * 8 * timescale;
    unsigned __int128 rate = (bits + duration - 1) / duration;
    return rate > UINT64_MAX ? UINT64_MAX : (uint64_t)rate;
}

void media_rates_measure(media_rendition *r)
{
    if (!sizes_known(r))
        return;
    uint64_t bytes = 0, duration = 0;
    r->peak_bps = 0;
    for (int i = 0; i < r->segment_count; i++) {
        const media_segment *s = &r->segments[i];
        uint64_t rate = rate_bps(s->bytes, s->duration, r->timescale);
        r->peak_bps = rate > r->peak_bps ? rate : r->peak_bps;
        if (__builtin_add_overflow(bytes, s->bytes, &bytes) || __builtin_add_overflow(duration, s->duration, &duration))
            return;
    }
    r->average_bps = rate_bps(bytes, duration, r->timescale);
}

// Is this rate enough from every beginning? With t the time since the first segment and b the bits before a
// segment: for all i <= j, b(j+1) - b(i) <= rate * (buffer + t(j) - t(i)). One pass, keeping the worst b(i) - rate
// * t(i).
static bool rate_suffices(const media_rendition *r, uint64_t rate, uint32_t buffer_ms)
{
    __int128 lead = (__int128)rate * buffer_ms * r->timescale;           // all in bits * ms * timescale
    __int128 before = 0, least = 0;
    for (int i = 0; i < r->segment_count; i++) {
        __int128 paid = (__int128)rate * 1000 * (__int128)(r->segments[i].start - r->segments[0].start);
        if (i == 0 || before - paid < least)
            least = before - paid;
        before += (__int128)r->segments[i].bytes * 8 * 1000 * r->timescale;
        if (before - paid - least > lead)
            return false;
    }
    return true;
}

uint64_t media_bandwidth_bps(const media_rendition *r, uint32_t buffer_ms)
{
    enum { RATE_BITS_MAX = 40 };                                         // a terabit: products stay within 128 bits
    if (!sizes_known(r) || buffer_ms == 0)
        return r->peak_bps;
    for (int i = 0; i < r->segment_count; i++)
        if (r->segments[i].bytes >> 48 || r->segments[i].start >> 52 || r->segments[i].start < r->segments[0].start)
            return r->peak_bps;
    uint64_t low = 1, high = UINT64_C(1) << RATE_BITS_MAX;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (rate_suffices(r, middle, buffer_ms))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool media_segments_aligned(const media_rendition *a, const media_rendition *b)
{
    if (a->segment_count != b->segment_count)
        return false;
    for (int i = 0; i < a->segment_count; i++) {
        uint64_t x = media_segment_start_ms(a, i), y = media_segment_start_ms(b, i);
        if ((x > y ? x - y : y - x) > 1)
            return false;
    }
    return true;
}
