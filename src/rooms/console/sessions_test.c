#include "rooms/console/sessions.h"

#include "base/arena.h"
#include "test.h"

enum { IDLE_S = 100, LIFE_S = 1000 };

static sessions *make(world **w)
{
    *w = world_linux_new(S("test"), NULL, 0);
    return sessions_new(*w, seconds(IDLE_S), seconds(LIFE_S));
}

static void done(sessions *s, world *w)
{
    sessions_free(s);
    world_linux_free(w);
}

TEST(session_is_found_by_its_token_alone)
{
    world *w;
    sessions *s = make(&w);
    char token[SESSION_TOKEN_DIGITS + 1], other[SESSION_TOKEN_DIGITS + 1];
    session *one = session_begin(s, S("kim@club.example"), S("admin"), 5, token);
    CHECK(one && session_find(s, str_z(token), 6) == one);
    CHECK(strcmp(one->who, "kim@club.example") == 0 && strcmp(one->role, "admin") == 0);
    CHECK(session_begin(s, S("lee@club.example"), S("user"), 5, other) != one && strcmp(token, other) != 0);
    token[0] = token[0] == 'a' ? 'b' : 'a';
    CHECK(!session_find(s, str_z(token), 6));
    CHECK(!session_find(s, S(""), 6) && !session_find(s, str_first(str_z(other), 63), 6));
    CHECK(!session_find(s, str_of(one->hash, 32), 6));               // what the table knows opens nothing
    done(s, w);
}

TEST(session_ends_when_idle_and_in_any_case)
{
    world *w;
    sessions *s = make(&w);
    char token[SESSION_TOKEN_DIGITS + 1];
    session_begin(s, S("kim"), S(""), 0, token);
    CHECK(session_find(s, str_z(token), seconds(IDLE_S) - 1));
    CHECK(session_find(s, str_z(token), 2 * seconds(IDLE_S) - 2));   // its use counts
    CHECK(!session_find(s, str_z(token), 3 * seconds(IDLE_S) - 2));
    CHECK_INT(sessions_count(s), 0);
    session_begin(s, S("kim"), S(""), 0, token);
    for (int64_t at = 0; at < LIFE_S; at += IDLE_S / 2)
        CHECK(session_find(s, str_z(token), seconds(at)));
    CHECK(!session_find(s, str_z(token), seconds(LIFE_S)));
    done(s, w);
}

TEST(session_of_before_signing_in_is_nothing_afterwards)
{
    world *w;
    sessions *s = make(&w);
    char before[SESSION_TOKEN_DIGITS + 1], after[SESSION_TOKEN_DIGITS + 1];
    session_end(s, session_begin(s, S("kim"), S(""), 0, before));
    session_begin(s, S("kim"), S(""), 0, after);
    CHECK(!session_find(s, str_z(before), 1) && session_find(s, str_z(after), 1));
    done(s, w);
}

TEST(session_csrf_token_is_its_own)
{
    world *w;
    sessions *s = make(&w);
    char token[SESSION_TOKEN_DIGITS + 1];
    session *one = session_begin(s, S("kim"), S(""), 0, token), *two = session_begin(s, S("kim"), S(""), 0, token);
    CHECK(session_csrf_good(one, str_z(one->csrf)) && !session_csrf_good(one, str_z(two->csrf)));
    CHECK(!session_csrf_good(one, S("")) && strlen(one->csrf) == SESSION_CSRF_DIGITS);
    done(s, w);
}

TEST(sessions_have_a_ceiling_a_person_and_in_all)
{
    world *w;
    sessions *s = make(&w);
    char token[SESSION_TOKEN_DIGITS + 1], first[SESSION_TOKEN_DIGITS + 1];
    arena a = arena_make(1 << 20);
    session_begin(s, S("kim"), S(""), 0, first);
    for (int i = 1; i < 3 * SESSIONS_PER_PERSON_MAX; i++)
        session_begin(s, S("kim"), S(""), i, token);
    CHECK_INT(sessions_count(s), SESSIONS_PER_PERSON_MAX);
    CHECK(!session_find(s, str_z(first), 99) && session_find(s, str_z(token), 99));
    for (int i = 0; i < SESSIONS_MAX + 10; i++)
        CHECK(session_begin(s, str_format(&a, "%d", i), S(""), 100 + i, token));
    CHECK_INT(sessions_count(s), SESSIONS_MAX);
    CHECK(session_find(s, str_z(token), 10000));
    CHECK(sessions_end_of(s, S("4100")) == 1 && sessions_end_of(s, S("4100")) == 0);
    session_begin(s, S("new"), S(""), seconds(LIFE_S) * 2, token);   // what is over goes when one comes
    CHECK_INT(sessions_count(s), 1);
    arena_free(&a);
    done(s, w);
}

TEST(session_is_found_by_number_while_it_lasts)
{
    world *w;
    sessions *s = make(&w);
    char token[SESSION_TOKEN_DIGITS + 1];
    session *one = session_begin(s, S("kim"), S(""), 0, token);
    uint64_t number = one->number;
    CHECK(session_numbered(s, number) == one);
    session_end(s, one);
    CHECK(!session_numbered(s, number));
    CHECK(!session_begin(s, S(""), S(""), 0, token));
    done(s, w);
}
