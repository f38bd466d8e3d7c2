#include "cmd/up_metrics.h"
#include "test.h"

static const char first[] = "# HELP naru_b_total Bs\n# TYPE naru_b_total counter\nnaru_b_total{kind=\"x y\"} 1\nnaru_b_total{kind=\"z\"} 2\n"
                            "# HELP naru_c Cs\n# TYPE naru_c gauge\nnaru_c 3\n";
static const char second[] = "# HELP naru_a As\n# TYPE naru_a gauge\nnaru_a 4\n# HELP naru_c other words\n# TYPE naru_c gauge\nnaru_c -5\n";

TEST(metrics_of_two_services_stand_together_and_say_whose_they_are)
{
    metrics_page p = metrics_page_make();
    buf out = buf_make(4096);
    metrics_add(&p, "mta", str_z(first));
    metrics_add(&p, "resolver", str_z(second));
    metrics_write(&p, &out);
    CHECK_STR(buf_str(&out), S("# HELP naru_a As\n# TYPE naru_a gauge\nnaru_a{service=\"resolver\"} 4\n"
                               "# HELP naru_b_total Bs\n# TYPE naru_b_total counter\n"
                               "naru_b_total{service=\"mta\",kind=\"x y\"} 1\nnaru_b_total{service=\"mta\",kind=\"z\"} 2\n"
                               "# HELP naru_c Cs\n# TYPE naru_c gauge\nnaru_c{service=\"mta\"} 3\nnaru_c{service=\"resolver\"} -5\n"));
    metrics_page_free(&p);
    buf_free(&out);
}

TEST(metrics_that_are_none_are_left_out)
{
    static const char *const pages[] = {"", "\n\n", "naru_a 1\n", "# HELP\n", "# TYPE x y\n", "{\"json\": true}", "# HELP a b\n{ } }\n#\nx\n"};
    metrics_page p = metrics_page_make();
    buf out = buf_make(4096);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        metrics_add(&p, "mta", str_z(pages[i]));
    metrics_write(&p, &out);
    CHECK(str_find(buf_str(&out), '{') < 0);
    metrics_page_free(&p);
    buf_free(&out);
}
