#include "rt/meter.h"

#include <pthread.h>

#include "test.h"

TEST(meters_print_prometheus_text)
{
    static meter letters = {.name = "naru_test_letters_total", .help = "Letters.\nWith \\ in it", .type = METER_COUNTER};
    static meter verdicts = {.name = "naru_test_verdicts_total", .help = "Verdicts.", .type = METER_COUNTER, .label = "verdict",
                             .values = {"accepted", "say \"no\"\\\n"}};
    static meter open = {.name = "naru_test_open", .help = "Open.", .type = METER_GAUGE};
    static meter never = {.name = "naru_test_never_total", .help = "Never used.", .type = METER_COUNTER};
    meter_add(&letters, 3);
    meter_add(&letters, 4);
    meter_add_at(&verdicts, 1, 5);
    meter_set(&open, 9);
    meter_add(&open, -2);
    (void)never;
    buf out = buf_make(1 << 20);
    meters_print(&out);
    str all = buf_str(&out);
    CHECK(str_find_str(all, S("# HELP naru_test_letters_total Letters.\\nWith \\\\ in it\n# TYPE naru_test_letters_total counter\n"
                              "naru_test_letters_total 7\n")) >= 0);
    CHECK(str_find_str(all, S("naru_test_verdicts_total{verdict=\"accepted\"} 0\n"
                              "naru_test_verdicts_total{verdict=\"say \\\"no\\\"\\\\\\n\"} 5\n")) >= 0);
    CHECK(str_find_str(all, S("# TYPE naru_test_open gauge\nnaru_test_open 7\n")) >= 0);
    CHECK(str_find_str(all, S("never")) < 0);
    CHECK(str_find_str(all, S("naru_build_info{version=\"" NARU_VERSION "\"} 1\n")) >= 0);
    CHECK_INT(meter_value(&verdicts, 1), 5);

    str before = {0};
    for (str rest = all; rest.len;) {                              // families in order of their names, one TYPE each
        str line = str_cut(&rest, '\n');
        if (!str_starts(line, S("# TYPE ")))
            continue;
        CHECK(str_cmp(before, line) < 0);
        before = line;
    }
    buf_free(&out);
}

TEST(meter_histograms_are_cumulative)
{
    static meter sizes = {.name = "naru_test_size_bytes", .help = "Sizes.", .type = METER_HISTOGRAM};
    static const int64_t values[] = {0, 1, 2, 4, 5, 16, 1000, INT64_MAX / 4};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        meter_observe(&sizes, values[i]);
    buf out = buf_make(1 << 20);
    meters_print(&out);
    str all = buf_str(&out);
    static const char *const lines[] = {
        "naru_test_size_bytes_bucket{le=\"1\"} 2\n", "naru_test_size_bytes_bucket{le=\"4\"} 4\n",
        "naru_test_size_bytes_bucket{le=\"16\"} 6\n", "naru_test_size_bytes_bucket{le=\"1024\"} 7\n",
        "naru_test_size_bytes_bucket{le=\"268435456\"} 7\n", "naru_test_size_bytes_bucket{le=\"+Inf\"} 8\n",
        "naru_test_size_bytes_count 8\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        CHECK_ROW(i, str_find_str(all, str_z(lines[i])) >= 0);
    buf_free(&out);
}

static meter shared = {.name = "naru_test_shared_total", .help = "Shared.", .type = METER_COUNTER};

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++)
        meter_add(&shared, 1);
    return NULL;
}

TEST(meters_lose_nothing_between_threads)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(meter_value(&shared, 0), 40000);
    buf out = buf_make(1 << 20);
    meters_print(&out);
    str all = buf_str(&out);
    ptrdiff_t at = str_find_str(all, S("\nnaru_test_shared_total "));
    CHECK(at >= 0 && str_find_str(str_from(all, at + 1), S("\nnaru_test_shared_total ")) < 0);    // registered once
    buf_free(&out);
}
