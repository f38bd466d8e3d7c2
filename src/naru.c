// naru: the command word chooses the command. Each command is a file in cmd/.
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "rt/config.h"

const command_entry command_table[] = {
    {"try", cmd_try, "the small Internet on this machine, nothing left behind"},
    {"up", cmd_up, "the services of naru.conf, each in a locked process of its own"},
    {"scene", cmd_scene, "play the course's cases, one or all"},
    {"story", cmd_story, "every message of a letter's or a query's journey"},
    {"mail", cmd_mail, "send, list, read and delete mail"},
    {"query", cmd_query, "ask DNS, with --trace and --wire"},
    {"torrent", cmd_torrent, "torrent files and magnet links: create, show, check"},
    {"tracker", cmd_tracker, "the tracker's swarms, and its record in the DNS"},
    {"edge", cmd_edge, "the HTTP cache: what is kept, what is asked for, purges"},
    {"steering", cmd_steering, "the CDN nodes that viewers are sent to, and why"},
    {"race", cmd_race, "a file to N peers: one server against peer to peer, bounds and runs"},
    {"play", cmd_play, "a film by DASH or HLS: buffer, rung, server, stalls, live"},
    {"video", cmd_video, "films for the origin: encode, list, look into"},
    {"upper", cmd_upper, "a text in upper case over UDP or TCP"},
    {"queue", cmd_queue, "the mail queue"},
    {"account", cmd_account, "people and their passwords"},
    {"status", cmd_status, "what is running and how it is"},
    {"ps", cmd_ps, "every conversation, and what it waits for"},
    {"torment", cmd_torment, "ten thousand letters while it is killed: what is lost?"},
    {"services", cmd_services, "what each service of `naru up` may touch, and what the kernel enforces"},
    {"reload", cmd_reload, "the running `naru up` reads its configuration again"},
    {"upgrade", cmd_upgrade, "the program on the disk takes the running one's place, no connection refused"},
    {"backup", cmd_backup, "all of a naru, also while it runs, into a directory; and is it whole?"},
    {"restore", cmd_restore, "a backup back into an empty directory"},
    {"console", cmd_console, "the console: how it is, the account of viewings"},
    {"config", cmd_config, "check, format, show and describe naru.conf"},
    {"man", cmd_man, "the manual pages"},
    {"completion", cmd_completion, "what makes the shell complete naru's commands and options"},
    {0},
};
enum { COMMANDS = sizeof command_table / sizeof *command_table - 1 };

static void usage(FILE *to)
{
    fprintf(to, "naru %s: names, mail, files and video of a domain in one program.\n\nusage: naru COMMAND [words and options]\n\n", NARU_VERSION);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", command_table[i].name, command_table[i].summary);
    fprintf(to, "\n`naru COMMAND --help` says more. Start with: naru try\n");
}

static int is_word(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return COMMAND_USAGE;
    }
    if (is_word(argv[1], "--help", "-h") || (argc == 2 && strcmp(argv[1], "help") == 0)) {
        usage(stdout);
        return COMMAND_OK;
    }
    char *help[] = {argv[0], argv[2], (char[]){"--help"}, NULL};   // naru help query: naru query --help
    if (strcmp(argv[1], "help") == 0) {
        argv = help;
        argc = 3;
    }
    if (is_word(argv[1], "--version", "version")) {
        printf("naru %s\n", NARU_VERSION);
        return COMMAND_OK;
    }
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++) {
        names[i] = command_table[i].name;
        if (strcmp(argv[1], names[i]) == 0)
            return command_table[i].run(argc - 1, argv + 1);
    }
    str near = nearest_name(str_z(argv[1]), names, COMMANDS);
    fprintf(stderr, "naru: there is no command \"%s\"%s" STR_FMT "%s; `naru --help` lists them\n", argv[1], near.len ? "; did you mean \"" : "",
            STR_ARG(near), near.len ? "\"?" : "");
    return COMMAND_USAGE;
}
