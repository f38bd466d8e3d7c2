#include "wire/mail/sasl.h"

#include "base/base64.h"
#include "test.h"

TEST(sasl_plain_takes_exactly_three_parts)
{
    arena a = arena_make(1 << 16);
    sasl_plain p;
    CHECK(sasl_plain_read(sasl_plain_write(&a, S("bob@hamburger.edu"), S("pick les")), &a, &p));
    CHECK_STR(p.name, S("bob@hamburger.edu"));
    CHECK_STR(p.password, S("pick les"));
    CHECK_STR(p.authorize, S(""));
    static const struct { str raw; bool good; } rows[] = {
        {S("\0tim\0tanstaaf"), true},  {S("Ursel\0Kurt\0xipj3plmq"), true}, {S("\0tim"), false},   {S("tim"), false},
        {S("\0tim\0a\0b"), false},     {S("\0\0pass"), false},              {S("\0tim\0"), false}, {S(""), false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_ROW(i, sasl_plain_read(base64_text(&a, rows[i].raw), &a, &p) == rows[i].good);
    CHECK(!sasl_plain_read(S("not base64!"), &a, &p));
    unsigned char big[SASL_TEXT_MAX + 3] = {0};
    CHECK(!sasl_plain_read(base64_text(&a, str_of(big, sizeof big)), &a, &p));
    CHECK_STR(sasl_plain_write(&a, S("a\0b"), S("c")), S(""));
    arena_free(&a);
}

TEST(sasl_login_takes_one_text)
{
    arena a = arena_make(1 << 16);
    str got;
    CHECK(sasl_login_read(S("Ym9i"), &a, &got));
    CHECK_STR(got, S("bob"));
    CHECK(!sasl_login_read(S("="), &a, &got));
    CHECK(!sasl_login_read(S("AGI="), &a, &got));
    CHECK(!sasl_login_read(S("*"), &a, &got));
    CHECK_STR(base64_text(&a, S("Username:")), S(SASL_LOGIN_USERNAME));
    CHECK_STR(base64_text(&a, S("Password:")), S(SASL_LOGIN_PASSWORD));
    arena_free(&a);
}
