#include "rt/own_dir.h"

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
