// naru completion: what makes bash, zsh and fish complete naru's words and options, from the commands' own tables.
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/heap_memory.h"
#include "base/text.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/schema.h"
#include "rt/json_text.h"

enum { VERB_BYTES_MAX = 32, SCRIPT_BYTES_MAX = 4 << 20 };

// ---- what may stand where --------------------------------------------------------------------------------------

// Calls put(arg, verb) for each word that stands for itself in "list | show ID | retry ID": small letters alone.
static void verbs_of(const char *words, void (*put)(void *, str), void *arg)
{
    str rest = str_z(words);
    while (rest.len) {
        str word = str_word(&rest);
        bool plain = word.len > 0 && word.len < VERB_BYTES_MAX;
        for (ptrdiff_t i = 0; i < word.len && plain; i++)
            plain = (word.at[i] >= 'a' && word.at[i] <= 'z') || word.at[i] == '-';
        if (plain)
            put(arg, word);
    }
}

typedef enum { VALUE_ANY, VALUE_FILE, VALUE_DIR, VALUE_CHOICE } value_kind;

static value_kind value_of(const command_option *o)
{
    str value = str_z(o->value);
    if (str_find(value, '|') >= 0)
        return VALUE_CHOICE;
    if (str_eq(value, S("DIR")))
        return VALUE_DIR;
    return str_starts(value, S("FILE")) ? VALUE_FILE : VALUE_ANY;
}

static void print_choices(const command_option *o)
{
    for (const char *c = o->value; *c; c++)
        putchar(*c == '|' ? ' ' : *c);
}

static void print_verb(void *arg, str verb)
{
    (void)arg;
    printf(" " STR_FMT, STR_ARG(verb));
}

static void print_commands(void)
{
    for (const command_entry *c = command_table; c->name; c++)
        printf(" %s", c->name);
}

static void print_settings(void)
{
    for (const setting *s = schema_whole(); s->key; s++)
        printf(" %s", s->key);
}

// ---- bash ------------------------------------------------------------------------------------------------------

static void bash_values(void *arg, const command_help *help)
{
    const command_entry *c = arg;
    for (const command_option *o = help->options; o && o->name; o++) {
        if (o->type == OPTION_FLAG)
            continue;
        printf("    '%s --%s') ", c->name, o->name);
        switch (value_of(o)) {
        case VALUE_CHOICE: printf("words='"), print_choices(o), printf("'"); break;
        case VALUE_DIR:    printf("kind=-d"); break;
        case VALUE_FILE:   printf("kind=-f"); break;
        case VALUE_ANY:    printf("kind=none"); break;
        }
        printf(" ;;\n");
    }
}

static void bash_words(void *arg, const command_help *help)
{
    const command_entry *c = arg;
    printf("        %s) words='--help", c->name);
    for (const command_option *o = help->options; o && o->name; o++)
        printf(" --%s", o->name);
    verbs_of(help->words, print_verb, NULL);
    printf("' ;;\n");
}

static void bash(void)
{
    printf("# naru: completion for bash; `source <(naru completion bash)`\n"
           "_naru()\n{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words= kind=\n"
           "    COMPREPLY=()\n"
           "    [ \"$cur\" = = ] && cur=\n"
           "    [ \"$prev\" = = ] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "        COMPREPLY=($(compgen -W '--help --version");
    print_commands();
    printf("' -- \"$cur\"))\n        return\n    fi\n    case \"$command $prev\" in\n");
    for (const command_entry *c = command_table; c->name; c++)
        command_help_take(c->run, c->name, bash_values, (void *)(uintptr_t)c);
    printf("    'man man') words='naru.conf --list");
    print_commands();
    printf("' ;;\n    'config describe') words='--json --lang");
    print_settings();
    printf("' ;;\n    'config check' | 'config fmt' | 'config show' | 'up up' | 'services services') kind=-f ;;\n"
           "    esac\n"
           "    if [ -z \"$words$kind\" ] || [ \"${cur#-}\" != \"$cur\" ]; then\n        kind=\n        case \"$command\" in\n");
    for (const command_entry *c = command_table; c->name; c++)
        command_help_take(c->run, c->name, bash_words, (void *)(uintptr_t)c);
    printf("        esac\n    fi\n"
           "    case \"$kind\" in\n"
           "    -f | -d) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen $kind -- \"$cur\") ;;\n"
           "    none) ;;\n"
           "    *) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
           "    esac\n"
           "}\n"
           "complete -F _naru naru\n");
}

// ---- zsh -------------------------------------------------------------------------------------------------------

// Within '...' and within _arguments' [...]: no quote, no bracket, no colon.
static void zsh_text(const char *text)
{
    for (; *text; text++)
        if (*text == '\'')
            printf("'\\''");
        else if (strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
}

static void zsh_command(void *arg, const command_help *help)
{
    const command_entry *c = arg;
    printf("    %s) _arguments '--help[how it is used]'", c->name);
    for (const command_option *o = help->options; o && o->name; o++) {
        printf(" \\\n        '--%s%s[", o->name, o->value ? "=" : "");
        zsh_text(o->help);
        printf("]");
        if (o->value) {
            value_kind kind = value_of(o);
            printf(":%s:", kind == VALUE_CHOICE ? "value" : o->name);
            if (kind == VALUE_CHOICE)
                printf("("), print_choices(o), printf(")");
            else if (kind != VALUE_ANY)
                printf(kind == VALUE_DIR ? "_files -/" : "_files");
        }
        printf("'");
    }
    printf(" \\\n        '*:word:_naru_words_%s' ;;\n", c->name);
}

static void zsh_words(void *arg, const command_help *help)
{
    const command_entry *c = arg;
    printf("_naru_words_%s() { _alternative 'words:word:(", c->name);
    verbs_of(help->words, print_verb, NULL);
    if (strcmp(c->name, "man") == 0)
        printf(" naru.conf"), print_commands();
    printf(" )' 'files:file:_files' }\n");
}

static void zsh(void)
{
    printf("#compdef naru\n# naru: completion for zsh\n");
    for (const command_entry *c = command_table; c->name; c++)
        command_help_take(c->run, c->name, zsh_words, (void *)(uintptr_t)c);
    printf("_naru()\n{\n    local -a commands\n    commands=(\n");
    for (const command_entry *c = command_table; c->name; c++) {
        printf("        '%s:", c->name);
        zsh_text(c->summary);
        printf("'\n");
    }
    printf("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n"
           "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n");
    for (const command_entry *c = command_table; c->name; c++)
        command_help_take(c->run, c->name, zsh_command, (void *)(uintptr_t)c);
    printf("    esac\n}\n"
           "if [ \"$funcstack[1]\" = _naru ]; then _naru \"$@\"; else compdef _naru naru; fi\n");
}

// ---- fish ------------------------------------------------------------------------------------------------------

static void fish_text(const char *text)
{
    putchar('\'');
    for (; *text; text++)
        printf(*text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    putchar('\'');
}

static void fish_command(void *arg, const command_help *help)
{
    const command_entry *c = arg;
    for (const command_option *o = help->options; o && o->name; o++) {
        printf("complete -c naru -n '__fish_seen_subcommand_from %s' -l %s -d ", c->name, o->name);
        fish_text(o->help);
        value_kind kind = o->value ? value_of(o) : VALUE_ANY;
        if (kind == VALUE_CHOICE)
            printf(" -x -a '"), print_choices(o), printf("'");
        else if (o->value)
            printf(kind == VALUE_DIR ? " -x -a '(__fish_complete_directories)'" : kind == VALUE_FILE ? " -r -F" : " -x");
        printf("\n");
    }
    printf("complete -c naru -n '__fish_seen_subcommand_from %s' -a '", c->name);
    verbs_of(help->words, print_verb, NULL);
    if (strcmp(c->name, "man") == 0)
        printf(" naru.conf");
    printf("'\n");
}

static void fish(void)
{
    printf("# naru: completion for fish\ncomplete -c naru -n __fish_use_subcommand -f\n");
    for (const command_entry *c = command_table; c->name; c++) {
        printf("complete -c naru -n __fish_use_subcommand -a %s -d ", c->name);
        fish_text(c->summary);
        printf("\n");
    }
    for (const command_entry *c = command_table; c->name; c++)
        command_help_take(c->run, c->name, fish_command, (void *)(uintptr_t)c);
}

// ---- the command -----------------------------------------------------------------------------------------------

// The shells' printers write to standard output: it is collected meanwhile.
static void print_json(const char *shell, void (*print)(void))
{
    char *script = memory_zeroed(1, SCRIPT_BYTES_MAX);
    FILE *out = stdout, *collected = fmemopen(script, SCRIPT_BYTES_MAX, "w");
    buf text = buf_make(2 * SCRIPT_BYTES_MAX);
    if (collected) {
        stdout = collected;
        print();
        stdout = out;
        fclose(collected);
    }
    buf_format(&text, "{\"shell\": \"%s\", \"script\": ", shell);
    json_put(&text, str_z(script));
    printf(STR_FMT "}\n", STR_ARG(buf_str(&text)));
    buf_free(&text);
    memory_free(script);
}

int cmd_completion(int argc, char **argv)
{
    static const struct { const char *shell; void (*print)(void); } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    str words[1];
    bool json = false;
    const command_option options[] = {{"json", OPTION_FLAG, &json, NULL, "as JSON"}, {0}};
    const command_help help = {"completion", "bash | zsh | fish", "Prints what makes this shell complete naru's commands and options.",
                               options,
                               "  source <(naru completion bash)                  bash, now\n"
                               "  naru completion zsh > ~/.zfunc/_naru            zsh, with that folder in $fpath\n"
                               "  naru completion fish > ~/.config/fish/completions/naru.fish\n"
                               "`make install` puts all three where the shells look."};
    int count, code;
    if (!options_read(argc, argv, &help, words, 1, &count, &code))
        return code;
    for (size_t i = 0; i < sizeof shells / sizeof *shells && count; i++)
        if (str_eq(words[0], str_z(shells[i].shell))) {
            if (json)
                print_json(shells[i].shell, shells[i].print);
            else
                shells[i].print();
            return COMMAND_OK;
        }
    return usage_error(&help, "say for which shell: bash, zsh or fish");
}
