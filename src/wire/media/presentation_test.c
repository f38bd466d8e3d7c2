#include "wire/media/presentation.h"

#include "test.h"
#include "wire/media/media_data.h"
#include "wire/media/segment_url.h"

// The promise of minBufferTime, played: from every segment on, bytes come at the rate, playing begins buffer_ms later.
static bool plays_through(const media_rendition *r, uint64_t bps, uint32_t buffer_ms)
{
    for (int i = 0; i < r->segment_count; i++) {
        unsigned __int128 bits = 0;
        for (int j = i; j < r->segment_count; j++) {
            bits += (unsigned __int128)r->segments[j].bytes * 8 * 1000 * r->timescale;
            unsigned __int128 passed = (unsigned __int128)buffer_ms * r->timescale
                                       + (unsigned __int128)(r->segments[j].start - r->segments[i].start) * 1000;
            if (bits > bps * passed)
                return false;
        }
    }
    return true;
}

TEST(bandwidth_is_the_least_rate_that_plays_through)
{
    uint64_t chance = 7;
    media_segment segments[40];
    for (int round = 0; round < 200; round++) {
        media_rendition r = {.timescale = 1000, .segments = segments, .segment_count = 1 + (int)(test_random(&chance) % 40)};
        uint64_t at = 0;
        for (int i = 0; i < r.segment_count; i++) {
            segments[i] = (media_segment){.start = at, .duration = 500 + test_random(&chance) % 8000, .bytes = 1 + test_random(&chance) % 3000000};
            at += segments[i].duration;
        }
        uint32_t buffer_ms = 500 + (uint32_t)(test_random(&chance) % 12000);
        uint64_t bps = media_bandwidth_bps(&r, buffer_ms);
        CHECK_ROW(round, plays_through(&r, bps, buffer_ms));
        CHECK_ROW(round, bps == 1 || !plays_through(&r, bps - 1, buffer_ms));
    }
}

TEST(rates_are_measured_over_segments)
{
    arena a = arena_make(1 << 20);
    media_rendition *r = &data_presentation(&a)->renditions[0];
    CHECK_INT(r->peak_bps, 150000 * 8 / 2);                      // the last segment: as many bytes in half the time
    CHECK_INT(r->average_bps, 450000 * 8 / 10);
    CHECK_INT(media_segment_at(r, 0), 0);
    CHECK_INT(media_segment_at(r, 3999), 0);
    CHECK_INT(media_segment_at(r, 4000), 1);
    CHECK_INT(media_segment_at(r, 99999), 2);
    r->segment_count = 0;
    CHECK_INT(media_segment_at(r, 0), -1);
    arena_free(&a);
}

TEST(references_are_resolved)
{
    static const struct { const char *base, *reference, *want; } rows[] = {
        {"http://a/b/c/d?q", "g", "http://a/b/c/g"},             // RFC 3986 section 5.4.1
        {"http://a/b/c/d?q", "./g", "http://a/b/c/g"},
        {"http://a/b/c/d?q", "g/", "http://a/b/c/g/"},
        {"http://a/b/c/d?q", "/g", "http://a/g"},
        {"http://a/b/c/d?q", "?y", "http://a/b/c/d?y"},
        {"http://a/b/c/d?q", "g?y", "http://a/b/c/g?y"},
        {"http://a/b/c/d?q", "", "http://a/b/c/d?q"},
        {"http://a/b/c/d?q", ".", "http://a/b/c/"},
        {"http://a/b/c/d?q", "..", "http://a/b/"},
        {"http://a/b/c/d?q", "../g", "http://a/b/g"},
        {"http://a/b/c/d?q", "../..", "http://a/"},
        {"http://a/b/c/d?q", "../../../g", "http://a/g"},        // never above the root
        {"http://a/b/c/d?q", "g#s", "http://a/b/c/g"},
        {"http://a/b/c/d?q", "g/../h", "http://a/b/c/h"},
        {"http://a", "g", "http://a/g"},
        {"http://a/b/", "https://c:8/d/../e", "https://c:8/e"},
        {"http://a/b/", "//c/d", ""}, {"http://a/b/", "ftp://c/d", ""}, {"http://a/b/", "data:x", ""}, {"file:///a", "b", ""},
        {"http://a/b/", "c d", ""}, {"http://a/b/", "c\"d", ""}, {"http:///b", "c", ""},
    };
    arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(media_url_resolve(str_z(rows[i].base), str_z(rows[i].reference), &a), str_z(rows[i].want));
    CHECK_STR(media_url_relative(S("v300/"), S("v300/init.mp4"), &a), S("init.mp4"));
    CHECK_STR(media_url_relative(S("v300/"), S("tiles-1.jpg"), &a), S("../tiles-1.jpg"));
    CHECK_STR(media_url_relative(S("a/b/"), S("a/c/d"), &a), S("../c/d"));
    CHECK_STR(media_url_relative(S(""), S("a/c"), &a), S("a/c"));
    arena_free(&a);
}

TEST(urls_are_split)
{
    static const struct { const char *url, *host, *target; int port; bool good, tls; } rows[] = {
        {"http://a/b?c#d", "a", "/b?c", 80, true, false}, {"https://a", "a", "/", 443, true, true},
        {"http://[::1]:8080/x", "::1", "/x", 8080, true, false}, {"http://a:81?q", "a", "/?q", 81, true, false},
        {"http://u@a/", "", "", 0, false, false}, {"http://a:0/", "", "", 0, false, false}, {"http://a:x/", "", "", 0, false, false},
        {"http://:80/", "", "", 0, false, false}, {"ftp://a/", "", "", 0, false, false}, {"http://[::1/", "", "", 0, false, false},
    };
    arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        media_url u;
        bool good = media_url_split(str_z(rows[i].url), &u, &a);
        CHECK_ROW(i, good == rows[i].good);
        CHECK_ROW(i, !good || (str_eq(u.host, str_z(rows[i].host)) && str_eq(u.target, str_z(rows[i].target))));
        CHECK_ROW(i, !good || (u.port == rows[i].port && u.tls == rows[i].tls));
    }
    arena_free(&a);
}

TEST(templates_are_filled)
{
    static const struct { const char *text, *want; } rows[] = {
        {"$Number$", "7"}, {"$Number%05d$", "00007"}, {"$Time%012d$x", "000000090000x"}, {"a$$b", "a$b"}, {"$RepresentationID$/$Bandwidth$", "v/5"},
        {"", ""}, {"plain", "plain"}, {"$Number", ""}, {"$Nummer$", ""}, {"$Number%5d$", ""}, {"$Number%0999d$", ""}, {"$Number%05x$", ""},
    };
    media_rendition r = {.id = S("v"), .peak_bps = 5};
    arena a = arena_make(1 << 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(media_template_fill(str_z(rows[i].text), &r, 7, 90000, &a), str_z(rows[i].want));
    arena_free(&a);
}
