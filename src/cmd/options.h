// The command line of every command: long options from a table, help from the same table.
#pragma once
#include "base/text.h"

// What every command of naru returns.
enum {
    COMMAND_OK = 0,
    COMMAND_FAILED = 1,             // it was tried and did not work; standard error says why
    COMMAND_USAGE = 2,              // the command line (or a file that it names) is wrong
    COMMAND_UNREACHABLE = 3,        // no running naru answers, or not the server that was asked for
};

typedef enum { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER } option_type;

typedef struct {
    const char *name;               // "json" for --json; NULL ends the table
    option_type type;
    void       *into;               // bool *, str * or int64_t *; what is there before is the default
    const char *value;              // "DIR": what stands for the value in the help text; NULL for flags
    const char *help;
} command_option;

typedef struct {
    const char *name;               // "story", or "queue list"
    const char *words;              // "[ID]": the words that follow, for the usage line
    const char *summary;            // one sentence
    const command_option *options;
    const char *more;               // further lines of help (examples); may be NULL
} command_help;

enum { COMMAND_WORDS_MAX = 256 };

// Reads argv[1..]: options (--name, --name=value, --name value) may stand anywhere, "--" ends them, what remains goes
// into words (views into argv). --help and -h print the help. False: the command ends with *code, everything is said.
bool options_read(int argc, char **argv, const command_help *help, str *words, int words_max, int *word_count, int *code);

// Says "naru NAME: TEXT" and where the help is, on standard error; returns COMMAND_USAGE.
int  usage_error(const command_help *help, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Says "naru NAME: TEXT" on standard error; returns `code`.
int  command_error(const char *name, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void help_print(const command_help *help);

// A command's help as data, for manual pages and completion: runs the command only as far as its options_read, which
// calls take(arg, help) and ends it. `help` is valid during that call.
typedef void help_taker(void *arg, const command_help *help);
void command_help_take(int (*run)(int argc, char **argv), const char *name, help_taker *take, void *arg);

// "ko" or "en": what --lang says, else what $LC_ALL, $LC_MESSAGES or $LANG say. Empty when --lang says something else.
str  language_choose(str wanted);
bool terminal_at(int descriptor);               // results may be coloured there, progress shown
int  terminal_columns(void);                    // of standard output; 80 when it is no terminal
