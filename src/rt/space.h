// A space of one's own for `naru try --shell`: user, network and mount namespaces in which every IP address is this
// machine, the real ports are free, and /etc/resolv.conf is ours. And a shell in the foreground of the terminal inside it.
#pragma once
#include "base/arena.h"
#include "base/err.h"

// Moves the calling process into new namespaces; loopback is up and all IPv4 and IPv6 addresses are local to it. Before any
// thread starts. On failure nothing has changed that matters and *why says which step the machine refused, and why.
err space_enter(arena *a, str *why);

// Lays `text` over an existing file for this space only (a bind mount of directory/name, which is written first).
err space_file_over(const char *path, const char *directory, const char *name, str text, arena *a, str *why);

// Starts $SHELL (or /bin/sh) in the foreground of the terminal, with the environment plus `variables` ("NAME=value", ended by NULL).
err shell_start(const char *const *variables, int *pid);
int shell_wait(int pid);         // parks (through work()) until it ends; its exit code. Takes the terminal back.
void shell_hang_up(int pid);     // SIGHUP: the space is closing
