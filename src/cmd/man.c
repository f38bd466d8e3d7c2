// naru man: the manual pages as roff, from the commands' own tables of words and options.
#include "cmd/man.h"

#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/roff.h"
#include "rt/json_text.h"

enum { PAGE_BYTES_MAX = 1 << 20 };

static const char exit_codes[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nIt was done.\n"
    ".TP\n.B 1\nIt was tried and did not work; standard error says why.\n"
    ".TP\n.B 2\nThe command line, or a file that it names, is wrong.\n"
    ".TP\n.B 3\nNo running naru answers, or not the server that was asked for.\n";

// ---- one command -----------------------------------------------------------------------------------------------

typedef struct { buf *out; const command_entry *command; } page;

static void put_options(buf *out, const command_option *o)
{
    buf_put(out, S(".SH OPTIONS\n"));
    for (; o && o->name; o++) {
        buf_put(out, S(".TP\n\\fB\\-\\-"));
        roff_put_z(out, o->name);
        buf_put(out, S("\\fR"));
        if (o->value) {
            buf_put(out, S(" \\fI"));
            roff_put_z(out, o->value);
            buf_put(out, S("\\fR"));
        }
        buf_put_byte(out, '\n');
        roff_put_z(out, o->help);
        buf_put_byte(out, '\n');
    }
    buf_put(out, S(".TP\n\\fB\\-\\-help\\fR\nThis, shorter.\n"));
}

static void put_command(void *arg, const command_help *help)
{
    const page *p = arg;
    buf *out = p->out;
    buf_put(out, S(".SH NAME\nnaru\\-"));
    roff_put_z(out, p->command->name);
    buf_put(out, S(" \\- "));
    roff_put_z(out, p->command->summary);
    buf_put(out, S("\n.SH SYNOPSIS\n\\fBnaru "));
    roff_put_z(out, help->name);
    buf_put(out, help->options && help->options->name ? S("\\fR [\\fIoptions\\fR] ") : S("\\fR "));
    roff_put_z(out, help->words);
    buf_put(out, S("\n.SH DESCRIPTION\n"));
    roff_put_z(out, help->summary);
    buf_put_byte(out, '\n');
    if (help->more) {
        buf_put(out, S(".PP\n"));
        roff_lines(out, help->more);
    }
    put_options(out, help->options);
    buf_put(out, str_z(exit_codes));
    buf_put(out, S(".SH SEE ALSO\n.BR naru (1),\n.BR naru.conf (5)\n"));
}

// ---- naru(1) ---------------------------------------------------------------------------------------------------

static const struct { const char *name, *text; } environment[] = {
    {"NARU_DIR", "the directory of the running naru that commands speak to; --dir goes before it"},
    {"NARU_PASSWORD", "the password of the account, where no --password-file is given"},
    {"XDG_RUNTIME_DIR", "below its folder naru every running naru is listed; without it: /tmp/naru-UID"},
    {"LC_ALL, LC_MESSAGES, LANG", "Korean when they begin with ko, else English; --lang goes before them"},
};

static const struct { const char *name, *text; } files[] = {
    {"/etc/naru/naru.conf", "the configuration of `naru up`, see naru.conf(5)"},
    {"DIRECTORY/control.sock", "how commands speak to the running naru: HTTP and JSON, for its own user alone"},
};

static void put_item(buf *out, const char *name, const char *text)
{
    buf_put(out, S(".TP\n\\fB"));
    roff_put_z(out, name);
    buf_put(out, S("\\fR\n"));
    roff_put_z(out, text);
    buf_put_byte(out, '\n');
}

static void put_overview(buf *out)
{
    buf_put(out, S(".SH NAME\nnaru \\- names, mail, files and video of a domain in one program\n"
                   ".SH SYNOPSIS\n\\fBnaru\\fR \\fIcommand\\fR [\\fIwords and options\\fR]\n.br\n\\fBnaru \\-\\-version\\fR\n"
                   ".SH DESCRIPTION\nThe first word chooses the command. Each has a page of its own, naru\\-COMMAND(1), and\n"
                   "\\fBnaru\\fR \\fIcommand\\fR \\fB\\-\\-help\\fR says the same in short. Start with \\fBnaru try\\fR.\n"
                   "Options may stand anywhere among the words; \\fB\\-\\-\\fR ends them.\n"
                   "Results go to standard output, everything else to standard error; \\fB\\-\\-json\\fR makes them JSON.\n"
                   ".SH COMMANDS\n"));
    for (const command_entry *c = command_table; c->name; c++)
        put_item(out, c->name, c->summary);
    buf_put(out, S(".SH ENVIRONMENT\n"));
    for (size_t i = 0; i < sizeof environment / sizeof *environment; i++)
        put_item(out, environment[i].name, environment[i].text);
    buf_put(out, S(".SH FILES\n"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put_item(out, files[i].name, files[i].text);
    buf_put(out, str_z(exit_codes));
    buf_put(out, S(".SH SEE ALSO\n.BR naru.conf (5)"));
    for (const command_entry *c = command_table; c->name; c++) {
        buf_put(out, S(",\n.BR naru\\-"));
        roff_put_z(out, c->name);
        buf_put(out, S(" (1)"));
    }
    buf_put_byte(out, '\n');
}

// ---- the command -----------------------------------------------------------------------------------------------

static bool page_put(buf *out, str name, bool korean)
{
    if (name.len == 0 || str_eq(name, S("naru"))) {
        roff_head(out, S("naru"), 1);
        put_overview(out);
        return true;
    }
    if (str_eq(name, S("naru.conf"))) {
        roff_head(out, S("naru.conf"), 5);
        man_config(out, korean);
        return true;
    }
    for (const command_entry *c = command_table; c->name; c++)
        if (str_eq(name, str_z(c->name))) {
            char title[64];
            snprintf(title, sizeof title, "naru-%s", c->name);
            roff_head(out, str_z(title), 1);
            command_help_take(c->run, c->name, put_command, &(page){out, c});
            return true;
        }
    return false;
}

static void print_pages(bool json)
{
    printf(json ? "[\"naru.1\", \"naru.conf.5\"" : "naru.1\nnaru.conf.5\n");
    for (const command_entry *c = command_table; c->name; c++)
        printf(json ? ", \"naru-%s.1\"" : "naru-%s.1\n", c->name);
    if (json)
        printf("]\n");
}

static void print_page(str name, const buf *text, bool json)
{
    if (!json) {
        fwrite(text->at, 1, text->len, stdout);
        return;
    }
    buf out = buf_make(2 * PAGE_BYTES_MAX);
    buf_put(&out, S("{\"page\": "));
    json_put(&out, name.len ? name : S("naru"));
    buf_put(&out, S(", \"roff\": "));
    json_put(&out, buf_str(text));
    printf(STR_FMT "}\n", STR_ARG(buf_str(&out)));
    buf_free(&out);
}

// "try", "naru-try" and "naru-try.1" are the same page.
static str page_name(str word)
{
    if (str_ends(word, S(".1")) || str_ends(word, S(".5")))
        word = str_first(word, word.len - 2);
    return str_starts(word, S("naru-")) ? str_from(word, 5) : word;
}

int cmd_man(int argc, char **argv)
{
    bool list = false, json = false;
    str words[1], lang = {0};
    const command_option options[] = {
        {"list", OPTION_FLAG, &list, NULL, "print the names of all pages"},
        {"lang", OPTION_TEXT, &lang, "ko|en", "naru.conf: the language"},
        {"json", OPTION_FLAG, &json, NULL, "as JSON"},
        {0},
    };
    const command_help help = {"man", "[COMMAND | naru.conf]", "Prints a manual page as roff.", options,
                               "  naru man query | man -l -          read it\n"
                               "  naru man naru.conf | man -l -      every setting\n"
                               "`make install` puts all of them where man finds them."};
    int count, code;
    if (!options_read(argc, argv, &help, words, 1, &count, &code))
        return code;
    lang = language_choose(lang);
    if (!lang.len)
        return usage_error(&help, "--lang is ko or en");
    if (list) {
        print_pages(json);
        return COMMAND_OK;
    }
    buf out = buf_make(PAGE_BYTES_MAX);
    str name = count ? page_name(words[0]) : (str){0};
    if (page_put(&out, name, str_eq(lang, S("ko"))))
        print_page(name, &out, json);
    else
        code = usage_error(&help, "there is no page \"" STR_FMT "\"; `naru man --list` lists them", STR_ARG(words[0]));
    buf_free(&out);
    return code;
}
