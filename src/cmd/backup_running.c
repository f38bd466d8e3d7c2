// A backup of what runs. Each service lends its files (talk/lending.h) while they are copied, and goes on meanwhile.
//
// The order is what makes it whole. A letter moves from the queue (mta) into a mailbox (mailstore), never back. Let a letter have been
// accepted before the backup began, at time q when the queue is lent. Either it waits in the queue at q: then the lent journal holds
// it. Or it has ended there before q: then the mailbox had committed it before q, and so it is in the mailbox when that is lent at m > q
// (or its owner has removed it). So it is in the backup at least once. Were the mailboxes first, a letter could move between m and
// q and be in neither. Both may have it: then the mailbox has its delivery id too, written in the same transaction, and when the
// restored queue delivers the letter again, it is answered without a second copy. People come last: who had an account when a letter in
// the queue was accepted has one in the backup, and no restored queue bounces what was accepted.
//
// A service that dies meanwhile forgets its loan: its part is copied again. The queue's loan has ended well before the first mailbox's
// begins, so a part that is copied again never breaks the order.
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cmd/backup.h"
#include "cmd/commands.h"
#include "cmd/directory_remove.h"
#include "cmd/options.h"
#include "cmd/running.h"
#include "rt/loop.h"

enum {
    NAMES_BYTES_MAX = 256 << 20, ASK_MEMORY_BYTES_MAX = 2 * RUNNING_ANSWER_BYTES_MAX, BEAT_S = 10, AGAIN_MS = 100,
    LOANS_S = 75,                        // a loan that a dead backup left ends within this
};


// ---- asking -------------------------------------------------------------------------------------------------------------------

static void sleep_run(void *arg) { fiber_sleep(millis(*(int *)arg)); }

static void wait_a_little(backup *b)
{
    int ms = AGAIN_MS;
    loop_driver *driver = driver_linux_new();
    loop_run(driver, b->world, sleep_run, &ms);
    driver_linux_free(driver);
}

static json_t *ask_once(backup *b, str target, int *status)
{
    arena a = arena_make(ASK_MEMORY_BYTES_MAX);
    http_result r = running_ask(&a, b->from, S("POST"), target, (str){0});
    json_t *answer = r.error ? NULL : json_loadb((const char *)r.body.at, (size_t)r.body.len, 0, NULL);
    *status = r.error ? 0 : r.status;
    arena_free(&a);
    return answer;
}

// A service that is being started again answers 503 or not at all for a moment.
static json_t *ask(backup *b, str target, int *status)
{
    int64_t begun_ns = world_now_ns(b->world);
    for (;;) {
        json_t *answer = ask_once(b, target, status);
        bool away = *status == 0 || *status == 503 || *status == 504, lent = *status == 409;
        int64_t patience_ns = away ? seconds(BACKUP_PATIENCE_S) : lent ? seconds(LOANS_S) : 0;
        if (world_now_ns(b->world) - begun_ns >= patience_ns)
            return answer;
        json_decref(answer);
        wait_a_little(b);
    }
}

static bool beat(void *arg)
{
    backup *b = arg;
    int status;
    if (world_now_ns(b->world) < b->beat_ns)
        return true;
    b->beat_ns = world_now_ns(b->world) + seconds(BEAT_S);
    arena a = arena_make(4096);
    json_decref(ask_once(b, str_format(&a, "/" STR_FMT "/backup/keep?loan=%s", STR_ARG(b->loan_service), b->loan), &status));
    arena_free(&a);
    return status == 200;
}

// ---- one loan -----------------------------------------------------------------------------------------------------------------

static err lent_copy(backup *b, const json_t *loan)
{
    const json_t *one;
    size_t i;
    err e = E_OK;
    json_array_foreach(json_object_get(loan, "files"), i, one) {
        arena a = arena_make(64 * 1024);
        const char *path = json_string_value(json_object_get(one, "path"));
        if (!e)
            e = backup_data_file(b, str_format(&a, STR_FMT "/%s", STR_ARG(b->loan_service), path ? path : "?"),
                                 json_integer_value(json_object_get(one, "bytes")));
        arena_free(&a);
    }
    json_array_foreach(json_object_get(loan, "folders"), i, one) {
        arena a = arena_make(64 * 1024);
        if (!e)
            backup_blobs(b, str_format(&a, STR_FMT "/%s", STR_ARG(b->loan_service), json_string_value(one)), &e);
        arena_free(&a);
    }
    return e;
}

static void lent_remove(backup *b, const json_t *loan, arena *a)
{
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(loan, "files"), i, one) {
        const char *path = json_string_value(json_object_get(one, "path"));
        arena_reset(a);
        path_remove(b->world, str_to_z(a, str_format(a, STR_FMT "/data/" STR_FMT "/%s", STR_ARG(b->to), STR_ARG(b->loan_service), path ? path : "?")));
    }
}

// What a loan brought that came to nothing goes again.
static void forget(backup *b, manifest_mark mark, const json_t *loan, str part)
{
    arena a = arena_make(64 * 1024);
    manifest_go_back(&b->manifest, mark);
    b->tried_again++;
    if (str_eq(b->loan_service, S("swarm")) || str_eq(b->loan_service, S("origin"))) {       // other parts lie in the same directory
        lent_remove(b, loan, &a);
        arena_free(&a);
        return;
    }
    directory_remove(b->world, part.len ? str_format(&a, STR_FMT "/data/" STR_FMT "/accounts/" STR_FMT, STR_ARG(b->to), STR_ARG(b->loan_service), STR_ARG(part))
                                        : str_format(&a, STR_FMT "/data/" STR_FMT, STR_ARG(b->to), STR_ARG(b->loan_service)));
    arena_free(&a);
}

typedef enum { LOAN_DONE, LOAN_AGAIN, LOAN_FAILED } loan_end;

static loan_end loan_refused(backup *b, int status, const json_t *answer)
{
    const char *why = json_string_value(json_object_get(answer, "error"));
    if (status == 404)                           // it is being started: its routes are not there yet
        return LOAN_AGAIN;
    backup_fail(b, str_format(&b->memory, STR_FMT " does not lend its files: %s", STR_ARG(b->loan_service), why ? why : "it does not answer"));
    return LOAN_FAILED;
}

static loan_end loan_take(backup *b, str part, arena *a)
{
    int status;
    manifest_mark mark = manifest_here(&b->manifest);
    buf target = buf_make(16 * 1024);
    buf_format(&target, "/" STR_FMT "/backup/lend?part=", STR_ARG(b->loan_service));
    percent_put(&target, part, S(""));
    json_t *loan = ask(b, buf_str(&target), &status);
    buf_free(&target);
    const char *id = json_string_value(json_object_get(loan, "loan"));
    if (status == 200 && json_is_true(json_object_get(loan, "nothing"))) {       // a mailbox whose directory a crash left empty
        json_decref(loan);
        return LOAN_DONE;
    }
    if (status != 200 || !id || strlen(id) != 16) {
        loan_end end = loan_refused(b, status, loan);
        json_decref(loan);
        return end;
    }
    memcpy(b->loan, id, sizeof b->loan);
    b->beat_ns = world_now_ns(b->world) + seconds(BEAT_S);
    b->copier.beat = beat;
    b->copier.arg = b;
    err e = lent_copy(b, loan);
    b->copier.beat = NULL;
    json_t *back = ask_once(b, str_format(a, "/" STR_FMT "/backup/return?loan=%s", STR_ARG(b->loan_service), b->loan), &status);
    bool sound = status == 200 && json_is_true(json_object_get(back, "sound"));
    json_decref(back);
    loan_end end = e == E_OK && sound ? LOAN_DONE : e == E_NO_SPACE || e == E_IO || (e && sound) ? LOAN_FAILED : LOAN_AGAIN;
    if (end == LOAN_FAILED)
        backup_fail(b, b->copier.why);
    else if (end == LOAN_AGAIN)
        forget(b, mark, loan, part);
    json_decref(loan);
    return end;
}

static bool lent(backup *b, const char *service, str part)
{
    loan_end end = LOAN_AGAIN;
    b->loan_service = str_z(service);
    for (int tries = 0; tries < BACKUP_TRIES_MAX && end == LOAN_AGAIN; tries++) {
        arena a = arena_make(64 * 1024);
        if (tries)
            wait_a_little(b);
        end = loan_take(b, part, &a);
        arena_free(&a);
    }
    if (end == LOAN_AGAIN)
        backup_fail(b, str_format(&b->memory, "%s did not stay up long enough to be copied (tried %d times); `naru status` says how it is", service,
                                  BACKUP_TRIES_MAX));
    return end == LOAN_DONE;
}

// ---- all ----------------------------------------------------------------------------------------------------------------------

static bool runs(const backup *b, str service)
{
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(b->status, "services"), i, one)
        if (str_eq(service, str_z(json_string_value(one))))
            return true;
    return false;
}

static bool mailboxes(backup *b)
{
    arena a = arena_make(NAMES_BYTES_MAX);
    str *names;
    int count = 0;
    err e = dir_list(b->world, str_to_z(&a, str_format(&a, STR_FMT "/mailstore/accounts", STR_ARG(b->from))), &a, &names, &count);
    bool good = !e || e == E_NO_ENTRY ||
                backup_fail(b, str_format(&b->memory, "cannot list " STR_FMT "/mailstore/accounts: %s: run this as the user that naru was started by, "
                                          "or as root", STR_ARG(b->from), err_text(e)));
    for (int i = 0; good && i < count; i++)
        good = lent(b, "mailstore", names[i]);
    arena_free(&a);
    return good;
}

// By the first digit of their hashes.
static bool torrents(backup *b)
{
    int64_t files = b->manifest.at.files;
    bool good = true;
    for (str digits = S("0123456789abcdef"); digits.len && good; digits = str_from(digits, 1))
        good = lent(b, "swarm", str_first(digits, 1));
    return good && (b->manifest.at.files == files || backup_left_out_payload(b));
}

// One by one; a film that comes meanwhile is in the next backup.
static bool films(backup *b)
{
    arena a = arena_make(NAMES_BYTES_MAX);
    str *names = NULL;
    int count = 0;
    err e = dir_list(b->world, str_to_z(&a, str_format(&a, STR_FMT "/origin/films", STR_ARG(b->from))), &a, &names, &count);
    bool good = !e || e == E_NO_ENTRY ||
                backup_fail(b, str_format(&b->memory, "cannot list " STR_FMT "/origin/films: %s: run this as the user that naru was started by, or as root",
                                          STR_ARG(b->from), err_text(e)));
    for (int i = 0; good && i < count; i++)
        good = lent(b, "origin", names[i]);
    arena_free(&a);
    return good;
}

const char *const backup_lenders[BACKUP_LENDERS] = {"mta", "mailstore", "accounts", "tracker", "swarm", "origin", "console"};     // in this order: see above

static bool lends(str service)
{
    for (size_t i = 0; i < BACKUP_LENDERS; i++)
        if (str_eq(service, str_z(backup_lenders[i])))
            return true;
    return false;
}

// Whatever else lies there: of services that are switched off, and files beside them.
static bool others(backup *b)
{
    str *names = NULL;
    int count = 0;
    arena a = arena_make(NAMES_BYTES_MAX);
    bool good = dir_list(b->world, str_to_z(&a, b->from), &a, &names, &count) == E_OK || backup_fail(b, S("cannot list naru's directory"));
    for (int i = 0; good && i < count; i++) {
        file_stat st;
        char *path = str_to_z(&a, str_format(&a, STR_FMT "/" STR_FMT, STR_ARG(b->from), STR_ARG(names[i])));
        if (lends(names[i]) || str_eq(names[i], S("run")) || path_stat(b->world, path, &st) != E_OK || !st.is_dir)
            continue;
        if (runs(b, names[i]))
            good = backup_left_out(b, str_format(&a, STR_FMT " (it runs, and does not lend its files)", STR_ARG(names[i])));
        else
            good = backup_tree(b, names[i]);
    }
    arena_free(&a);
    return good;
}

bool backup_running(backup *b)
{
    bool good = true;
    for (size_t i = 0; i < BACKUP_LENDERS && good; i++) {
        const char *service = backup_lenders[i];
        if (!runs(b, str_z(service)))
            good = backup_tree(b, str_z(service));
        else if (strcmp(service, "mailstore") == 0)
            good = mailboxes(b);
        else if (strcmp(service, "origin") == 0)
            good = films(b);
        else
            good = lent(b, service, (str){0}) && (strcmp(service, "swarm") != 0 || torrents(b));
    }
    return good && others(b);
}
