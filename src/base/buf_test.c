#include "test.h"

#include "base/buf.h"
#include "base/err.h"

TEST(buf_grows_to_its_ceiling_and_no_further)
{
    buf b = buf_make(1000);
    for (int i = 0; i < 100; i++)
        CHECK_ROW(i, buf_put(&b, S("0123456789")));
    CHECK_INT(b.len, 1000);
    CHECK(b.cap <= 1000 && !b.full);
    CHECK(!buf_put_byte(&b, 'x') && b.full);
    CHECK_INT(b.len, 1000);
    buf_clear(&b);
    CHECK(!b.full && buf_put(&b, S("again")));
    CHECK_STR(buf_str(&b), S("again"));
    CHECK(buf_room(&b, 996) == NULL && b.full);
    buf_free(&b);
    CHECK(buf_put(&b, S("anew")));
    buf_free(&b);
}

TEST(buf_formats_and_drops)
{
    buf b = buf_make(100);
    CHECK(buf_format(&b, "%d letters to %s", 3, "bob") && buf_format(&b, "%s", ""));
    CHECK_STR(buf_str(&b), S("3 letters to bob"));
    buf_drop_front(&b, 2);
    CHECK_STR(buf_str(&b), S("letters to bob"));
    memcpy(buf_room(&b, 1), "!", 1);
    buf_added(&b, 1);
    CHECK_STR(buf_str(&b), S("letters to bob!"));
    CHECK(!buf_format(&b, "%100s", "x") && b.full);
    CHECK_STR(buf_str(&b), S("letters to bob!"));
    buf_free(&b);
}

TEST(err_has_a_name_and_a_sentence_for_each)
{
    for (int e = 0; e < E_COUNT; e++) {
        CHECK_ROW(e, err_name((err)e) && *err_name((err)e) && err_text((err)e) && *err_text((err)e));
        for (int other = 0; other < e; other++)
            CHECK_ROW(e, strcmp(err_name((err)e), err_name((err)other)) != 0);
    }
    CHECK_STR(str_z(err_name((err)9999)), S("unknown"));
}
