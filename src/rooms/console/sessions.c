#include "rooms/console/sessions.h"

#include <string.h>

#include "base/heap_memory.h"
#include "base/hex.h"
#include "base/map.h"
#include "rt/digest.h"

struct sessions {
    world   *w;
    map      by_hash;
    int64_t  idle_ns, life_ns;
    uint64_t numbers;
};

_Static_assert(SESSION_TOKEN_DIGITS == 2 * SESSION_TOKEN_BYTES, "two digits a byte");

sessions *sessions_new(world *w, int64_t idle_ns, int64_t life_ns)
{
    sessions *s = memory_zeroed(1, sizeof *s);
    *s = (sessions){.w = w, .by_hash = map_make(world_random_u64(w), SESSIONS_MAX), .idle_ns = idle_ns, .life_ns = life_ns};
    return s;
}

void sessions_lives(sessions *s, int64_t idle_ns, int64_t life_ns)
{
    s->idle_ns = idle_ns;
    s->life_ns = life_ns;
}

int sessions_count(const sessions *s) { return (int)s->by_hash.count; }

static str hash_of(const session *one) { return str_of(one->hash, sizeof one->hash); }

static bool next_of(const sessions *s, size_t *cursor, session **out)
{
    str key;
    void *value;
    bool more = map_each(&s->by_hash, cursor, &key, &value);
    *out = more ? value : NULL;
    return more;
}

void session_end(sessions *s, session *one)
{
    map_remove(&s->by_hash, hash_of(one));
    memory_free(one);
}

static bool always(void *value, void *context)
{
    (void)context;
    memory_free(value);
    return true;
}

void sessions_free(sessions *s)
{
    if (!s)
        return;
    map_remove_all_if(&s->by_hash, always, NULL);
    map_free(&s->by_hash);
    memory_free(s);
}

// ---- ending -------------------------------------------------------------------------------------------------------------------

static bool over(const sessions *s, const session *one, int64_t now_ns)
{
    return now_ns - one->last_ns >= s->idle_ns || now_ns - one->begun_ns >= s->life_ns;
}

typedef struct { const sessions *s; int64_t now_ns; str who; } ending;

static bool ends_now(void *value, void *context)
{
    const ending *e = context;
    session *one = value;
    bool gone = e->who.at ? str_eq(str_z(one->who), e->who) : over(e->s, one, e->now_ns);
    if (gone)
        memory_free(one);
    return gone;
}

int sessions_end_of(sessions *s, str who) { return (int)map_remove_all_if(&s->by_hash, ends_now, &(ending){s, 0, who}); }

// The one that was idle longest, of one person or of all.
static session *idlest(const sessions *s, str who, int *count)
{
    session *one, *found = NULL;
    *count = 0;
    for (size_t cursor = 0; next_of(s, &cursor, &one);) {
        if (who.len && !str_eq(str_z(one->who), who))
            continue;
        ++*count;
        if (!found || one->last_ns < found->last_ns)
            found = one;
    }
    return found;
}

static void make_room(sessions *s, str who, int64_t now_ns)
{
    int count;
    map_remove_all_if(&s->by_hash, ends_now, &(ending){s, now_ns, (str){0}});
    session *old = idlest(s, who, &count);
    if (old && count >= SESSIONS_PER_PERSON_MAX)
        session_end(s, old);
    old = idlest(s, (str){0}, &count);
    if (old && count >= SESSIONS_MAX)
        session_end(s, old);
}

// ---- beginning and finding ------------------------------------------------------------------------------------------------------

static void digits_make(world *w, char *out, size_t bytes)
{
    unsigned char secret[SESSION_TOKEN_BYTES];
    world_random(w, secret, bytes);
    hex_encode((unsigned char *)out, str_of(secret, bytes));
    out[2 * bytes] = 0;
}

static void text_keep(char *out, str text)
{
    if (text.len)
        memcpy(out, text.at, (size_t)text.len);
    out[text.len] = 0;
}

session *session_begin(sessions *s, str who, str role, int64_t now_ns, char token[SESSION_TOKEN_DIGITS + 1])
{
    if (!who.len || who.len > SESSION_WHO_BYTES_MAX || role.len > SESSION_ROLE_BYTES_MAX)
        return NULL;
    make_room(s, who, now_ns);
    session *one = memory_zeroed(1, sizeof *one);
    digits_make(s->w, token, SESSION_TOKEN_BYTES);
    digits_make(s->w, one->csrf, SESSION_CSRF_DIGITS / 2);
    digest_of(DIGEST_SHA256, str_of(token, SESSION_TOKEN_DIGITS), one->hash);
    text_keep(one->who, who);
    text_keep(one->role, role);
    one->begun_ns = one->last_ns = now_ns;
    one->number = ++s->numbers;
    map_put(&s->by_hash, hash_of(one), one);
    return one;
}

session *session_find(sessions *s, str token, int64_t now_ns)
{
    unsigned char hash[DIGEST_SHA256_BYTES];
    if (token.len != SESSION_TOKEN_DIGITS)
        return NULL;
    digest_of(DIGEST_SHA256, token, hash);
    session *one = map_get(&s->by_hash, str_of(hash, sizeof hash));
    if (one && over(s, one, now_ns)) {
        session_end(s, one);
        return NULL;
    }
    if (one)
        one->last_ns = now_ns;
    return one;
}

session *session_numbered(sessions *s, uint64_t number)
{
    session *one;
    for (size_t cursor = 0; next_of(s, &cursor, &one);)
        if (one->number == number)
            return one;
    return NULL;
}

bool session_renew(sessions *s, session *one, str role, str mark)
{
    bool same = role.len <= SESSION_ROLE_BYTES_MAX && mark.len <= SESSION_MARK_BYTES_MAX && (!one->mark[0] || str_eq(str_z(one->mark), mark));
    if (!same) {
        session_end(s, one);
        return false;
    }
    text_keep(one->role, role);
    text_keep(one->mark, mark);
    return true;
}

bool session_csrf_good(const session *one, str token) { return str_eq_secret(token, str_z(one->csrf)); }
