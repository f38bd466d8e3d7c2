#include "rt/own_dir.h"

#include <ftw.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool own_dir(const char *path, bool make)
{
    struct stat st;
    if (make)
        mkdir(path, 0700);                       // whether it worked or stood there before: looked at below
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

unsigned own_user(void) { return geteuid(); }

bool dir_owner(const char *path, unsigned *user, unsigned *group)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return false;
    *user = st.st_uid;
    *group = st.st_gid;
    return true;
}

bool user_find(const char *name, unsigned *user)
{
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    bool is_number = *name >= '0' && *name <= '9' && *end == 0 && number < UINT32_MAX;
    const struct passwd *p = is_number ? NULL : getpwnam(name);
    if (!is_number && !p)
        return false;
    *user = is_number ? (unsigned)number : p->pw_uid;
    return *user != 0;
}

static _Thread_local struct { uid_t user; gid_t group; } given_to;

static int give_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return lchown(path, given_to.user, given_to.group);
}

bool dir_give(const char *path, unsigned mode, unsigned user, unsigned group)
{
    enum { DESCRIPTORS_MAX = 16 };
    struct stat st;
    mkdir(path, mode);                           // looked at below
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || (st.st_uid == geteuid() && chmod(path, mode) != 0))
        return false;
    if (user == 0 || geteuid() != 0 || st.st_uid == user)
        return true;
    given_to.user = user;
    given_to.group = group;
    return nftw(path, give_one, DESCRIPTORS_MAX, FTW_PHYS | FTW_MOUNT) == 0;
}
