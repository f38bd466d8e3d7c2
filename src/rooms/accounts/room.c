#include "base/heap_memory.h"
#include "rooms/accounts/accounts.h"
#include "rooms/accounts/accounts_inside.h"
#include "rt/log.h"
#include "rt/worker.h"
#include "wire/mail/address.h"

static const setting settings[] = {
    {.key = "domain", .type = SETTING_TEXT,
     .help_en = "added to user names that have no domain (default: the node's name)",
     .help_ko = "도메인 없는 사용자 이름에 붙이는 도메인"},
    {.key = "hash-memory", .type = SETTING_SIZE, .fallback = "19MiB", .min = 64 * 1024, .max = 1 << 30,
     .help_en = "memory of one password hash (argon2id)", .help_ko = "암호 해시 하나에 쓰는 메모리 (argon2id)"},
    {.key = "hash-passes", .type = SETTING_INT, .fallback = "2", .min = 1, .max = 20,
     .help_en = "passes of one password hash", .help_ko = "암호 해시의 반복 수"},
    {.key = "hash-at-once", .type = SETTING_INT, .fallback = "2", .min = 1, .max = 64,
     .help_en = "password hashes computed at the same time", .help_ko = "동시에 계산하는 암호 해시 수"},
    {.key = "registration", .type = SETTING_BOOL, .fallback = "no",
     .help_en = "strangers may become viewers of the console's films (the console's `registration` sets this, too)",
     .help_ko = "누구나 콘솔의 영화를 보는 시청자로 가입할 수 있음 (콘솔의 `registration`도 이것을 켬)"},
    {0},
};

#define HASH_WAIT_NS seconds(30)

// ---- hashing ---------------------------------------------------------------------------------------------------

typedef struct {
    world        *w;
    str           password;
    password_cost cost;
    const char   *hash;
    char         *out;
    bool          good;
} hashing;

static void hash_work(void *arg)
{
    hashing *h = arg;
    h->good = password_hash(h->w, h->password, h->cost, h->out);
}

static void verify_work(void *arg)
{
    hashing *h = arg;
    h->good = password_verify(h->hash, h->password);
}

static err hash_do(accounts *s, hashing *h, void (*step)(void *))
{
    err e = slots_take(&s->hashing, world_now_ns(s->w) + HASH_WAIT_NS);
    if (e != E_OK)
        return e;
    work(step, h);
    slots_give(&s->hashing);
    return E_OK;
}

err accounts_hash(accounts *s, str password, password_cost cost, char out[PASSWORD_HASH_MAX])
{
    hashing h = {.w = s->w, .password = password, .cost = cost, .out = out};
    err e = hash_do(s, &h, hash_work);
    return e == E_OK && !h.good ? E_LIMIT : e;
}

err accounts_verify(accounts *s, const char *hash, str password, bool *good)
{
    hashing h = {.password = password, .hash = hash};
    err e = hash_do(s, &h, verify_work);
    *good = h.good;
    return e;
}

// ---- people ----------------------------------------------------------------------------------------------------

str accounts_key(str who, arena *a, str *why)
{
    address read;
    *why = S("an account is an address such as bob@example.org");
    if (address_read(who, a, &read) != ADDRESS_OK || read.domain.at[0] == '[')
        return (str){0};
    return address_key(a, read);
}

bool accounts_password_usable(str password, str *why)
{
    bool clean = true;
    for (ptrdiff_t i = 0; i < password.len; i++)
        clean &= password.at[i] >= 32 && password.at[i] != 127;
    *why = !clean                                 ? S("a password may not hold control characters or line ends")
         : password.len < PASSWORD_BYTES_MIN      ? S("a password has at least 8 bytes")
         : password.len > PASSWORD_BYTES_MAX      ? S("a password has at most 255 bytes")
         : app_password_looks(password)           ? S("that looks like an app password; choose another")
                                                  : (str){0};
    return why->len == 0;
}

err accounts_add(room *r, str who, str password, str role, arena *a, str *why)
{
    accounts *s = r->state;
    char hash[PASSWORD_HASH_MAX];
    str key = accounts_key(who, a, why);
    if (key.len == 0 || !accounts_password_usable(password, why))
        return E_PROTOCOL;
    if (role.len && !str_eq(role, S("user")) && !str_eq(role, S("admin")) && !str_eq(role, S("viewer"))) {
        *why = S("a role is user, admin or viewer");
        return E_PROTOCOL;
    }
    if (people_find(s->people, key)) {
        *why = str_format(a, "there is an account " STR_FMT " already; `naru account passwd` changes its password",
                          STR_ARG(key));
        return E_EXISTS;
    }
    err e = accounts_hash(s, password, s->cost, hash);
    if (e == E_OK)
        e = people_add(s->people, key, hash, role.len ? role : S("user"));
    *why = e == E_OK ? (str){0} : str_format(a, "the account could not be stored: %s", err_text(e));
    if (e == E_OK)
        log_line("accounts", LOG_NOTICE, "added", F_STR("account", key));
    return e;
}

err accounts_put(room *r, str who, str password)
{
    accounts *s = r->state;
    char hash[PASSWORD_HASH_MAX];
    arena a = arena_make(16 * 1024);
    str why, key = accounts_key(who, &a, &why);
    err e = accounts_add(r, who, password, (str){0}, &a, &why);
    if (e == E_EXISTS && accounts_password_usable(password, &why)) {
        e = accounts_hash(s, password, s->cost, hash);
        person *there = people_find(s->people, key);
        if (e == E_OK)
            e = there ? people_set_hash(s->people, there, hash) : E_NO_ENTRY;
    }
    arena_free(&a);
    return e;
}

// ---- life ------------------------------------------------------------------------------------------------------

static void settings_take(accounts *s)
{
    const statement *block = s->r->settings;
    str domain = config_text(block, settings, "domain");
    s->domain = str_lower(s->r->memory, domain.len ? domain : s->r->node->name);
    s->cost.memory_kib = (uint32_t)(config_int(block, settings, "hash-memory") / 1024);
    s->cost.passes = (uint32_t)config_int(block, settings, "hash-passes");
    s->hashing.free = (int)config_int(block, settings, "hash-at-once");
    s->registration = config_bool(block, settings, "registration");
    // A client may mistype a few times; a name is tried from many places at once and must not be locked for its owner.
    s->clients = (backoff){.free_failures = 5, .first_ns = seconds(1), .max_ns = minutes(5), .forget_ns = minutes(30)};
    s->names = (backoff){.free_failures = 20, .first_ns = seconds(1), .max_ns = seconds(30), .forget_ns = minutes(30)};
    s->clients.secret = world_random_u64(s->w);
    s->names.secret = world_random_u64(s->w);
}

static err nobody_make(accounts *s)
{
    char secret[APP_PASSWORD_BYTES + 1];
    app_password_make(s->w, secret);
    err e = accounts_hash(s, str_z(secret), s->cost, s->nobody);
    return e == E_OK ? accounts_hash(s, str_z(secret), app_password_cost(), s->nobody_app) : e;
}

static void gone(room *r)
{
    accounts *s = r->state;
    if (!s)
        return;
    people_close(s->people);
    memory_free(s);
    r->state = NULL;
}

static err start(room *r, str *why)
{
    accounts *s = memory_zeroed(1, sizeof *s);
    r->state = s;
    accounts_meters_show();
    s->r = r;
    s->w = r->world;
    settings_take(s);
    room_directory(r);
    err e = people_open(s->w, room_path(r, r->memory, S("people.db")), r->memory, &s->people, why);
    if (e != E_OK)
        return e;
    e = nobody_make(s);
    if (e != E_OK) {
        *why = S("accounts: no memory for password hashes; lower hash-memory");
        return e;
    }
    accounts_control(s);
    accounts_backup(s);
    return room_offer(r, "accounts.login", accounts_converse, s);
}

const room_kind accounts_kind = {.name = "accounts", .settings = settings, .start = start, .gone = gone};
