// Tracker URLs and BEP 34 records of strangers: what is read is harmless, and written and read again the same.
#include "base/must.h"
#include "talk/tracker_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void url_check(str in, arena *a)
{
    tracker_url u, again, scrape;
    const char *why = NULL;
    if (!tracker_url_read(in, a, &u, &why)) {
        must(why && why[0]);
        return;
    }
    must(u.port && u.host.len && u.path.len && u.path.at[0] == '/');
    for (ptrdiff_t i = 0; i < u.path.len; i++)
        must(u.path.at[i] > ' ' && u.path.at[i] < 0x7f && u.path.at[i] != '#');
    str text = tracker_url_text(a, &u);
    if (text.len > TRACKER_URL_BYTES_MAX)                  // the port was not said
        return;
    must(tracker_url_read(text, a, &again, &why));
    must(again.scheme == u.scheme && again.port == u.port && str_eq(again.host, u.host) && str_eq(again.path, u.path));
    must(str_eq(again.query, u.query) && addr_eq(again.numeric, u.numeric));
    if (u.numeric.family && (addr_is_any(u.numeric) || (u.numeric.family == 4 && u.numeric.ip[0] >= 224)))
        must(tracker_url_guard(&u, u.numeric, (addr){0}, true) != NULL);
    (void)tracker_url_scrape(&u, a, &scrape);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = arena_make(64 * 1024);
    tracker_host h;
    url_check(str_of(data, size), &a);
    if (tracker_host_read(str_of(data, size), &h) || tracker_host_from_rdata(str_of(data, size), &a, &h))
        must(h.said && h.count >= 0 && h.count <= TRACKER_WAYS_MAX);
    for (int i = 0; i < h.count; i++)
        must(h.way[i].port);
    arena_free(&a);
    return 0;
}
