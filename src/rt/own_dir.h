// Directories in shared places (/tmp) that must be this user's alone.
#pragma once
#include <stdbool.h>

// Is `path` a directory (no link) that this user owns and nobody else may enter? `make`: made with mode 0700 when missing.
bool     own_dir(const char *path, bool make);
unsigned own_user(void);                         // the effective user's number
// Whose directory it is. False: it is not there.
bool     dir_owner(const char *path, unsigned *user, unsigned *group);
// The user of this name or number. False: there is none, or it is root. Blocks: asks the machine's user database.
bool     user_find(const char *name, unsigned *user);
// Makes the directory `path` with this mode when it is missing. With a user (not 0, and we are root) it and all below becomes that
// user's, when it is not yet. False: it cannot be made or given.
bool     dir_give(const char *path, unsigned mode, unsigned user, unsigned group);
