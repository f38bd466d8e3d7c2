// Upper case is stable (twice is once), keeps within its bounds, and cutting the text anywhere as a stream would makes
// no difference.
#include <string.h>

#include "base/heap_memory.h"
#include "base/must.h"
#include "rooms/upper/upper_text.h"

enum { INPUT_BYTES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_BYTES_MAX)
        return 0;
    str all = str_of(data + 1, size - 1);
    size_t bound = size * UPPER_GROWTH + UPPER_SLACK_BYTES;
    unsigned char *once = memory_new(bound), *twice = memory_new(bound * UPPER_GROWTH + UPPER_SLACK_BYTES);
    size_t len = upper_text(once, all);
    must(len <= (size_t)all.len * UPPER_GROWTH);
    must(upper_text(twice, str_of(once, len)) == len && memcmp(once, twice, len) == 0);

    ptrdiff_t cut = all.len ? data[0] % (all.len + 1) : 0, whole = upper_text_whole(str_first(all, cut));
    must(cut - whole >= 0 && cut - whole <= UPPER_TAIL_BYTES_MAX);
    size_t first = upper_text(twice, str_first(all, whole));
    first += upper_text(twice + first, str_from(all, whole));
    must(first == len && memcmp(once, twice, len) == 0);

    size_t fit = upper_text_fit(twice, data[0], all);
    must(fit <= data[0] && memcmp(once, twice, fit) == 0);
    memory_free(once);
    memory_free(twice);
    return 0;
}
