#include "cmd/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "rt/config.h"

static void say(const char *name, const char *format, va_list args)
{
    fprintf(stderr, "naru %s: ", name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int usage_error(const command_help *help, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(help->name, format, args);
    va_end(args);
    fprintf(stderr, "`naru %s --help` shows how it is used\n", help->name);
    return COMMAND_USAGE;
}

int command_error(const char *name, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(name, format, args);
    va_end(args);
    return code;
}

void help_print(const command_help *help)
{
    printf("naru %s%s%s%s\n\n%s\n", help->name, help->options && help->options->name ? " [OPTIONS]" : "",
           help->words && *help->words ? " " : "", help->words ? help->words : "", help->summary);
    if (help->options && help->options->name)
        printf("\nOptions:\n");
    for (const command_option *o = help->options; o && o->name; o++) {
        int width = printf("  --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("%*s%s\n", width < 24 ? 24 - width : 1, "", o->help);
    }
    if (help->more)
        printf("\n%s\n", help->more);
    printf("\nExit codes: 0 done, 1 failed, 2 wrong command line or file, 3 no running naru (or server) answers.\n");
}

// ---- help as data ----

// Set while a command runs for its help alone.
static struct { help_taker *take; void *arg; } asked_for_help;

void command_help_take(int (*run)(int argc, char **argv), const char *name, help_taker *take, void *arg)
{
    enum { NAME_BYTES_MAX = 64 };
    char own[NAME_BYTES_MAX];
    char *argv[] = {own, NULL};
    snprintf(own, sizeof own, "%s", name);
    asked_for_help.take = take;
    asked_for_help.arg = arg;
    (void)run(1, argv);
    asked_for_help.take = NULL;
}

// ---- reading ----

static const command_option *option_find(const command_help *help, str name)
{
    for (const command_option *o = help->options; o && o->name; o++)
        if (str_eq(name, str_z(o->name)))
            return o;
    return NULL;
}

static int unknown_option(const command_help *help, str name)
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX] = {"help"};
    int count = 1;
    for (const command_option *o = help->options; o && o->name && count < NAMES_MAX; o++)
        names[count++] = o->name;
    str near = nearest_name(name, names, count);
    if (near.len)
        return usage_error(help, "unknown option --" STR_FMT "; did you mean --" STR_FMT "?", STR_ARG(name),
                           STR_ARG(near));
    return usage_error(help, "unknown option --" STR_FMT, STR_ARG(name));
}

static int option_set(const command_help *help, const command_option *o, str value)
{
    if (o->type == OPTION_TEXT)
        *(str *)o->into = value;
    else if (!str_to_i64(value, o->into))
        return usage_error(help, "--%s takes a whole number, not \"" STR_FMT "\"", o->name, STR_ARG(value));
    return COMMAND_OK;
}

// The option in argv[*i], with its value from there or from the next word.
static int option_read(const command_help *help, int argc, char **argv, int *i)
{
    str text = str_from(str_z(argv[*i]), 2), name = text, value = {0};
    ptrdiff_t equals = str_find(text, '=');
    if (equals >= 0) {
        name = str_first(text, equals);
        value = str_from(text, equals + 1);
    }
    const command_option *o = option_find(help, name);
    if (!o)
        return unknown_option(help, name);
    if (o->type == OPTION_FLAG) {
        if (equals >= 0)
            return usage_error(help, "--%s takes no value", o->name);
        *(bool *)o->into = true;
        return COMMAND_OK;
    }
    if (equals < 0) {
        if (*i + 1 >= argc)
            return usage_error(help, "--%s takes a value: --%s %s", o->name, o->name, o->value ? o->value : "VALUE");
        value = str_z(argv[++*i]);
    }
    return option_set(help, o, value);
}

bool options_read(int argc, char **argv, const command_help *help, str *words, int words_max, int *word_count,
                  int *code)
{
    bool only_words = false;
    *code = COMMAND_OK;
    *word_count = 0;
    if (asked_for_help.take) {
        asked_for_help.take(asked_for_help.arg, help);
        return false;
    }
    for (int i = 1; i < argc && *code == COMMAND_OK; i++) {
        str word = str_z(argv[i]);
        if (only_words || !str_starts(word, S("-")) || word.len == 1) {
            if (*word_count < words_max)
                words[(*word_count)++] = word;
            else
                *code = usage_error(help, "\"" STR_FMT "\" is one word too many", STR_ARG(word));
        } else if (str_eq(word, S("--"))) {
            only_words = true;
        } else if (str_eq(word, S("--help")) || str_eq(word, S("-h"))) {
            help_print(help);
            return false;
        } else if (str_starts(word, S("--"))) {
            *code = option_read(help, argc, argv, &i);
        } else {
            *code = usage_error(help, "options have long names, for example --help; \"" STR_FMT "\" is none",
                                STR_ARG(word));
        }
    }
    return *code == COMMAND_OK;
}

// ---- where we are ----

str language_choose(str wanted)
{
    if (wanted.len)
        return str_eq(wanted, S("ko")) || str_eq(wanted, S("en")) ? wanted : (str){0};
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (int i = 0; i < 3; i++) {
        str value = str_z(getenv(names[i]));
        if (value.len)
            return str_starts(value, S("ko")) ? S("ko") : S("en");
    }
    return S("en");
}

bool terminal_at(int descriptor) { return isatty(descriptor) == 1; }

int terminal_columns(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}
