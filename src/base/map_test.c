#include "test.h"

#include "base/map.h"

enum { KEYS = 300, STEPS = 60000 };

static bool has_odd_key(void *value, void *context)
{
    (void)context;
    return (*(int *)value & 1) != 0;
}

TEST(map_agrees_with_a_plain_array)
{
    for (uint64_t secret = 0; secret < 4; secret++) {
        map m = map_make(secret, KEYS - 50);
        static int values[KEYS];
        static char names[KEYS][16];
        bool inside[KEYS] = {false};
        size_t count = 0;
        uint64_t seed = secret;
        for (int i = 0; i < KEYS; i++)
            values[i] = i, snprintf(names[i], sizeof names[i], "k%d", i);
        for (int step = 0; step < STEPS / 4; step++) {
            size_t i = test_random(&seed) % KEYS;
            str key = str_z(names[i]);
            if (test_random(&seed) % 2) {
                bool put = map_put(&m, key, &values[i]);
                CHECK_ROW(step, put == (inside[i] || count < KEYS - 50));
                count += put && !inside[i];
                inside[i] |= put;
            } else {
                CHECK_ROW(step, map_remove(&m, key) == (inside[i] ? &values[i] : NULL));
                count -= inside[i];
                inside[i] = false;
            }
            size_t j = test_random(&seed) % KEYS;
            CHECK_ROW(step, map_get(&m, str_z(names[j])) == (inside[j] ? &values[j] : NULL));
            CHECK_ROW(step, m.count == count);
        }
        size_t odd = 0, walked = 0, cursor = 0;
        for (size_t i = 0; i < KEYS; i++)
            odd += inside[i] && i % 2;
        CHECK_INT(map_remove_all_if(&m, has_odd_key, NULL), odd);
        str key;
        void *value;
        while (map_each(&m, &cursor, &key, &value)) {
            int n = *(int *)value;
            CHECK(inside[n] && n % 2 == 0);
            CHECK_STR(key, str_z(names[n]));
            CHECK(map_get(&m, key) == value);
            walked++;
        }
        CHECK_INT(walked, count - odd);
        map_free(&m);
    }
}

TEST(map_case_matters_only_where_it_should)
{
    int a = 1, b = 2;
    map plain = map_make(1, 10), nocase = map_make_nocase(1, 10);
    CHECK(map_put(&plain, S("Bob"), &a) && map_put(&plain, S("bob"), &b));
    CHECK(map_get(&plain, S("Bob")) == &a && map_get(&plain, S("bob")) == &b && !map_get(&plain, S("BOB")));
    CHECK(map_put(&nocase, S("Bob"), &a) && map_put(&nocase, S("bob"), &b));
    CHECK_INT(nocase.count, 1);
    CHECK(map_get(&nocase, S("BOB")) == &b);
    CHECK(map_remove(&nocase, S("bOb")) == &b && !map_get(&nocase, S("bob")));
    CHECK(map_get(&nocase, S("")) == NULL);
    CHECK(map_put(&nocase, S(""), &a) && map_get(&nocase, S("")) == &a);
    map_free(&plain);
    map_free(&nocase);
    CHECK(!map_get(&plain, S("Bob")) && !map_remove(&plain, S("Bob")));
    CHECK_INT(map_remove_all_if(&plain, has_odd_key, NULL), 0);
}
