#include "test.h"
#include "rooms/steering/steering_inside.h"

TEST(player_report_is_read)
{
    player_report p;
    CHECK(player_report_read(S("{\"session\":\"ab12\",\"presentation\":\"film\",\"server\":\"seoul-1\",\"rung\":\"v1000\",\"throughput_bps\":123456,"
                               "\"stalls\":2,\"buffer_ms\":9000}"), &p));
    CHECK_STR(p.server, S("seoul-1"));
    CHECK_STR(p.presentation, S("film"));
    CHECK_STR(p.rung, S("v1000"));
    CHECK(p.throughput_bps == 123456 && p.stalls == 2 && p.buffer_ms == 9000 && p.session == str_hash(S("ab12"), 0) && !p.failed);
    CHECK(player_report_read(S("{\"server\":\"x\",\"failed\":true}"), &p) && p.failed && p.throughput_bps == -1 && p.stalls == -1);
}

TEST(player_report_refuses_what_is_none)
{
    static const char *const rows[] = {
        "", "x", "[]", "{}", "{\"server\":\"\"}", "{\"server\":5}", "{\"server\":\"a\",\"stalls\":-1}", "{\"server\":\"a\",\"stalls\":1.5}",
        "{\"server\":\"a\",\"throughput_bps\":\"fast\"}", "{\"server\":\"a\",\"server\":\"b\"}", "{\"server\":\"a\",\"session\":7}", "{\"server\":\"a\"",
        "{\"server\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
        "{\"server\":\"a\",\"throughput_bps\":99999999999999999999}",
    };
    player_report p;
    for (int i = 0; i < (int)(sizeof rows / sizeof *rows); i++)
        CHECK_ROW(i, !player_report_read(str_z(rows[i]), &p));
}
