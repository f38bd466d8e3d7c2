#include "wire/media/steering.h"

#include "test.h"

TEST(a_steering_manifest_is_read)
{
    static const struct { const char *text; bool good; int count; uint32_t ttl_s; const char *first, *reload; } rows[] = {
        {"{\"VERSION\":1,\"TTL\":10,\"RELOAD-URI\":\"http:\\/\\/s\\u002fx\",\"PATHWAY-PRIORITY\":[\"e\",\"w\"]}", true, 2, 10, "e", "http://s/x"},
        {" { \"PATHWAY-PRIORITY\" : [ \"\\uac00\" ] , \"VERSION\" : 1 } \n", true, 1, 300, "\xea\xb0\x80", ""},
        {"{\"VERSION\":1,\"TTL\":0,\"SERVICE-LOCATION-PRIORITY\":[\"b\"]}", true, 1, 300, "b", ""},
        {"{\"VERSION\":1,\"X\":{\"a\":[1,-2.5e3,true,null,{}],\"b\":[]},\"PATHWAY-PRIORITY\":[\"b\",\"b\"]}", true, 1, 300, "b", ""},
        {"{\"VERSION\":1,\"TTL\":999999999999999999999999,\"PATHWAY-PRIORITY\":[\"b\"]}", true, 1, STEERING_TTL_S_MAX, "b", ""},
        {"{\"VERSION\":1,\"PATHWAY-PRIORITY\":[]}", false, 0, 0, "", ""},
        {"{\"VERSION\":2,\"PATHWAY-PRIORITY\":[\"b\"]}", false, 0, 0, "", ""},
        {"{\"VERSION\":\"1\",\"PATHWAY-PRIORITY\":[\"b\"]}", false, 0, 0, "", ""},
        {"{\"VERSION\":1,\"PATHWAY-PRIORITY\":[\"b\"]", false, 0, 0, "", ""},
        {"{\"VERSION\":1,\"PATHWAY-PRIORITY\":[\"b\"]}x", false, 0, 0, "", ""},
        {"{\"VERSION\":1,\"PATHWAY-PRIORITY\":[\"b\",]}", false, 0, 0, "", ""},
        {"{\"VERSION\":1,\"PATHWAY-PRIORITY\":[\"\\ud800\"]}", false, 0, 0, "", ""},
        {"{\"VERSION\":1,\"X\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]],\"PATHWAY-PRIORITY\":[\"b\"]}", false, 0, 0, "", ""},
        {"{\"VERSION\":01,\"PATHWAY-PRIORITY\":[\"b\"]}", false, 0, 0, "", ""},
        {"[]", false, 0, 0, "", ""}, {"", false, 0, 0, "", ""}, {"{}", false, 0, 0, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 20);
        steering_manifest m;
        const char *why = NULL;
        bool good = steering_read(str_z(rows[i].text), &m, &a, &why);
        CHECK_ROW(i, good == rows[i].good && (why == NULL) == good);
        CHECK_ROW(i, !good || (m.count == rows[i].count && m.ttl_s == rows[i].ttl_s && str_eq(m.ranking[0], str_z(rows[i].first))));
        CHECK_ROW(i, !good || str_eq(m.reload_url, str_z(rows[i].reload)));
        arena_free(&a);
    }
}

TEST(a_ranking_orders_the_bases)
{
    media_base bases[] = {{S("a"), S("1")}, {S("b"), S("2")}, {S("c"), S("3")}};
    media_presentation p = {.bases = bases, .base_count = 3};
    steering_manifest m = {.ranking = {S("c"), S("x"), S("a")}, .count = 3};
    int order[3];
    steering_order(&p, &m, order);
    CHECK(order[0] == 2 && order[1] == 0 && order[2] == 1);
}
