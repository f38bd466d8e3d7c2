// The commands. argv[0] is the command's own name ("story"); returns the program's exit code (cmd/options.h).
#pragma once
#include <stddef.h>

typedef struct {
    const char *name;
    int       (*run)(int argc, char **argv);
    const char *summary;            // half a sentence, for the list of commands
} command_entry;
extern const command_entry command_table[];      // in naru.c; ends with name NULL


int cmd_backup(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_console(int argc, char **argv);
int cmd_edge(int argc, char **argv);
int cmd_man(int argc, char **argv);
int cmd_race(int argc, char **argv);
int cmd_play(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_story(int argc, char **argv);
int cmd_torment(int argc, char **argv);
int cmd_torrent(int argc, char **argv);
int cmd_account(int argc, char **argv);
int cmd_mail(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_scene(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_services(int argc, char **argv);
int cmd_steering(int argc, char **argv);
int cmd_tracker(int argc, char **argv);
int cmd_try(int argc, char **argv);
int cmd_upgrade(int argc, char **argv);
int cmd_video(int argc, char **argv);
int cmd_up(int argc, char **argv);
int cmd_upper(int argc, char **argv);
