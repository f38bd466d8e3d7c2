#include "wire/mail/address.h"

#include "test.h"

TEST(address_path_takes_what_people_and_programs_write)
{
    static const struct { const char *in; address_verdict verdict; const char *local, *domain, *rest; } rows[] = {
        {"<alice@crepes.fr>", ADDRESS_OK, "alice", "crepes.fr", ""},
        {" <alice@crepes.fr> SIZE=10", ADDRESS_OK, "alice", "crepes.fr", " SIZE=10"},
        {"alice@crepes.fr SIZE=10", ADDRESS_OK, "alice", "crepes.fr", " SIZE=10"},
        {"alice@crepes.fr", ADDRESS_OK, "alice", "crepes.fr", ""},
        {"<>", ADDRESS_NULL, "", "", ""},
        {"<> BODY=7BIT", ADDRESS_NULL, "", "", " BODY=7BIT"},
        {"<postmaster>", ADDRESS_NO_DOMAIN, "postmaster", "", ""},
        {"<@a.org,@b.org:joe@c.org>", ADDRESS_OK, "joe", "c.org", ""},
        {"<\"john doe\"@x.org>", ADDRESS_OK, "john doe", "x.org", ""},
        {"<\"a\\\"b\"@x.org>", ADDRESS_OK, "a\"b", "x.org", ""},
        {"<\"a@b\"@x.org>", ADDRESS_OK, "a@b", "x.org", ""},
        {"<joe%c.org@x.org>", ADDRESS_OK, "joe%c.org", "x.org", ""},
        {"<joe@[192.0.2.1]>", ADDRESS_OK, "joe", "[192.0.2.1]", ""},
        {"<joe@[IPv6:2001:db8::1]>", ADDRESS_OK, "joe", "[IPv6:2001:db8::1]", ""},
        {"<\xed\x95\x9c@x.org>", ADDRESS_NOT_ASCII, "", "", ""},
        {"<joe@\xed\x95\x9c.kr>", ADDRESS_NOT_ASCII, "", "", ""},
        {"", ADDRESS_SYNTAX, "", "", ""},
        {"<joe@x.org", ADDRESS_SYNTAX, "", "", ""},
        {"joe@x.org>", ADDRESS_SYNTAX, "", "", ""},
        {"<joe@x.org>SIZE=1", ADDRESS_SYNTAX, "", "", ""},
        {"<joe@>", ADDRESS_SYNTAX, "", "", ""},
        {"<@x.org>", ADDRESS_SYNTAX, "", "", ""},
        {"<.joe@x.org>", ADDRESS_SYNTAX, "", "", ""},
        {"<jo..e@x.org>", ADDRESS_SYNTAX, "", "", ""},
        {"<jo e@x.org>", ADDRESS_SYNTAX, "", "", ""},
        {"<joe@x..org>", ADDRESS_SYNTAX, "", "", ""},
        {"<joe@x.org.>", ADDRESS_SYNTAX, "", "", ""},
        {"<\"a\rb\"@x.org>", ADDRESS_SYNTAX, "", "", ""},
        {"<\"a\\\nb\"@x.org>", ADDRESS_SYNTAX, "", "", ""},
        {"<\"\"@x.org>", ADDRESS_SYNTAX, "", "", ""},
        {"<joe@[not.a.literal]>", ADDRESS_SYNTAX, "", "", ""},
        {"<joe@x.org\r>", ADDRESS_SYNTAX, "", "", ""},
        {"<@a.org joe@c.org>", ADDRESS_SYNTAX, "", "", ""},
    };
    arena a = arena_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        str in = str_z(rows[i].in);
        address got;
        CHECK_ROW(i, address_path_read(&in, &a, &got) == rows[i].verdict);
        CHECK_ROW(i, str_eq(got.local, str_z(rows[i].local)));
        CHECK_ROW(i, str_eq(got.domain, str_z(rows[i].domain)));
        bool read = rows[i].verdict <= ADDRESS_NO_DOMAIN;
        CHECK_ROW(i, str_eq(in, str_z(read ? rows[i].rest : rows[i].in)));
    }
    arena_free(&a);
}

static str repeated(arena *a, const char *format, int n)
{
    char letters[600];
    memset(letters, 'a', sizeof letters);
    return str_format(a, format, n, letters);
}

TEST(address_lengths_are_limited)
{
    arena a = arena_make(1 << 16);
    address got;
    CHECK_INT(address_read(repeated(&a, "<%.*s@x.org>", 64), &a, &got), ADDRESS_OK);
    CHECK_INT(address_read(repeated(&a, "<%.*s@x.org>", 65), &a, &got), ADDRESS_TOO_LONG);
    CHECK_INT(address_read(repeated(&a, "<\"%.*s\"@x.org>", 62), &a, &got), ADDRESS_OK);
    CHECK_INT(address_read(repeated(&a, "<\"%.*s\"@x.org>", 63), &a, &got), ADDRESS_TOO_LONG);
    CHECK_INT(address_read(repeated(&a, "<j@%.*s.org>", 63), &a, &got), ADDRESS_OK);
    CHECK_INT(address_read(repeated(&a, "<j@%.*s.org>", 64), &a, &got), ADDRESS_SYNTAX);
    CHECK_INT(address_read(repeated(&a, "<j@%.*s.org>", 500), &a, &got), ADDRESS_TOO_LONG);
    str d = repeated(&a, "%.*s", 62);
    str path = str_format(&a, "<j@%.*s.%.*s.%.*s.%.*s.kr>", STR_ARG(d), STR_ARG(d), STR_ARG(d), STR_ARG(d));
    CHECK_INT(path.len, 258);
    CHECK_INT(address_read(path, &a, &got), ADDRESS_TOO_LONG);
    arena_free(&a);
}

TEST(address_writes_quotes_where_needed)
{
    static const struct { const char *local, *domain, *text; } rows[] = {
        {"alice", "crepes.fr", "alice@crepes.fr"}, {"john doe", "x.org", "\"john doe\"@x.org"},
        {"a\"b\\c", "x.org", "\"a\\\"b\\\\c\"@x.org"}, {".a", "x.org", "\".a\"@x.org"}, {"", "", ""},
        {"postmaster", "", "postmaster"}, {"a\r\nRCPT TO:<b@c>", "x.org", ""}, {"a", "x.org\n", ""},
    };
    arena a = arena_make(1 << 16);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        address who = {str_z(rows[i].local), str_z(rows[i].domain)};
        CHECK_ROW(i, str_eq(address_text(&a, who), str_z(rows[i].text)));
    }
    CHECK(address_eq((address){S("a"), S("X.org")}, (address){S("a"), S("x.ORG")}));
    CHECK(!address_eq((address){S("A"), S("x.org")}, (address){S("a"), S("x.org")}));
    CHECK_STR(address_key(&a, (address){S("Bob"), S("Hamburger.EDU")}), S("bob@hamburger.edu"));
    arena_free(&a);
}

TEST(address_list_reads_names_groups_and_comments)
{
    arena a = arena_make(1 << 16);
    header_address got[8];
    bool bad = true;
    int n = address_list_read(S("Alice Kim <alice@crepes.fr>, \"Kim, Bob\" <bob@x.org>,, carol@x.org (Carol (the cook))"),
                              &a, got, 8, &bad);
    CHECK_INT(n, 3);
    CHECK(!bad);
    CHECK_STR(got[0].name, S("Alice Kim"));
    CHECK_STR(got[0].address.local, S("alice"));
    CHECK_STR(got[1].name, S("Kim, Bob"));
    CHECK_STR(got[1].address.domain, S("x.org"));
    CHECK_STR(got[2].name, S("Carol (the cook)"));
    CHECK_STR(got[2].address.local, S("carol"));

    n = address_list_read(S("friends: a@b.org, B <b@b.org>; <c@c.org>, undisclosed:;"), &a, got, 8, &bad);
    CHECK_INT(n, 3);
    CHECK(!bad);
    CHECK_STR(got[0].group, S("friends"));
    CHECK_STR(got[1].group, S("friends"));
    CHECK_STR(got[2].group, S(""));

    n = address_list_read(S("nonsense here, <broken, ok@x.org, <@relay.org:d@d.org>"), &a, got, 8, &bad);
    CHECK(bad);
    CHECK_INT(n, 2);
    CHECK_STR(got[0].address.local, S("ok"));
    CHECK_STR(got[1].address.local, S("d"));

    CHECK_INT(address_list_read(S("a@x.org, b@x.org, c@x.org"), &a, got, 2, NULL), 2);
    CHECK_INT(address_list_read(S("(((((((((((((((((((((( a@x.org"), &a, got, 2, &bad), 0);
    CHECK(bad);
    CHECK_INT(address_list_read(S("\"open"), &a, got, 2, &bad), 0);
    CHECK(bad);
    arena_free(&a);
}
