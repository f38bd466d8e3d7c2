// naru torrent: makes, shows and checks .torrent files and magnet links, and fetches what they name (torrent_get.c).
#include "cmd/torrent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "cmd/commands.h"
#include "rt/digest.h"

enum { COMMAND_COLUMNS = 22, HELP_BYTES_MAX = 8 * 1024, BITS = 8, WITHIN_MS_MAX = 7 * 24 * 3600 * 1000 };
#define RATE_BITS_MAX (INT64_C(1) << 40)

static const torrent_command own_commands[] = {
    {"create", "PATH", "makes a .torrent file of a file or a folder", 2, 2, torrent_create},
    {"show", "FILE|MAGNET", "what a torrent file or a magnet link says", 2, 2, torrent_show},
    {"check", "FILE DIR", "are its files there, and right?", 3, 3, torrent_check},
    {"magnet", "FILE", "the magnet link of a torrent file", 2, 2, torrent_magnet},
    {"get", "FILE|MAGNET", "fetches it here, in the foreground", 2, 2, torrent_get},
    {0},
};

static const char examples[] =
    "  naru torrent create slides/ --piece 256KiB -o slides.torrent      (the course's chunks)\n"
    "  naru torrent check film.torrent ~/Downloads                       (exit code 1: something is damaged or missing)\n"
    "  naru torrent get slides.torrent --want '*.pdf,week1/' --first 3   (numbers: as show counts the files)\n"
    "  naru torrent add film.torrent; naru torrent why 1\n"
    "  naru torrent sequential 1 --within 10s --rate 4Mbit               (a player starts in 10 s and reads 4 Mbit/s)\n"
    "  naru torrent limit all --limit-up 8Mbit\n\n"
    "ID is a number of `list`, a hash (six digits are enough), a name, or all. Without --piece there are between 1,000 and 2,000\n"
    "pieces of 16 KiB to 16 MiB. -o FILE stands for --output FILE.\n";

static void commands_put(buf *out, const char *title, const torrent_command *rows)
{
    buf_put(out, str_z(title));
    for (; rows->name; rows++) {
        char words[COMMAND_COLUMNS];
        snprintf(words, sizeof words, "%s %s", rows->name, rows->takes);
        buf_format(out, "  %-*s %s\n", COMMAND_COLUMNS, words, rows->text);
    }
}

// "create PATH | show FILE|MAGNET | ..."
static void words_put(buf *out, const torrent_command *rows)
{
    for (; rows->name; rows++)
        buf_format(out, "%s%s%s%s", out->len ? " | " : "", rows->name, *rows->takes ? " " : "", rows->takes);
}

static torrent_verb *verb_find(const torrent_command *rows, str verb, int words)
{
    for (; rows->name; rows++)
        if (str_eq(verb, str_z(rows->name)) && words >= rows->words_min && words <= rows->words_max)
            return rows->run;
    return NULL;
}

void torrent_fail(torrent_run *r, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    r->code = code;
    r->trouble = str_vformat(&r->memory, format, args);
    if (!r->trouble.len)
        r->trouble = S("no memory is left");
    va_end(args);
}

bool torrent_read(torrent_run *r, str path, str *text)
{
    file_stat st;
    char *z = str_to_z(&r->memory, path);
    err e = file_read_all(r->world, z, &r->memory, METAINFO_BYTES_MAX, text);
    if (e && path_stat(r->world, z, &st) == E_OK && st.is_dir)
        torrent_fail(r, COMMAND_USAGE, STR_FMT ": a directory; name a torrent file (naru torrent create makes one of a directory)", STR_ARG(path));
    else if (e)
        torrent_fail(r, COMMAND_USAGE, STR_FMT ": %s", STR_ARG(path), err_text(e));
    return !e;
}

bool torrent_open(torrent_run *r, str path, metainfo *m, uint8_t hash[INFO_HASH_BYTES])
{
    str text;
    bencode_refusal why;
    if (!torrent_read(r, path, &text))
        return false;
    if (!metainfo_read(text, &r->memory, m, &why))
        return torrent_fail(r, COMMAND_USAGE, STR_FMT ": %s (at byte %td)", STR_ARG(path), why.reason, why.offset), false;
    digest_of(DIGEST_SHA1, m->info, hash);
    return true;
}

bool torrent_playing_read(torrent_run *r, int64_t *within_ms, int64_t *bytes_per_s)
{
    int64_t bits = 0;
    str within = r->playing.within, rate = r->playing.rate;
    *within_ms = *bytes_per_s = 0;
    if (rate.len && !within.len)
        torrent_fail(r, COMMAND_USAGE, "--rate says how fast a player reads: say when he begins, too (--within 10s)");
    else if (within.len && (!duration_parse(within, within_ms) || *within_ms < 1 || *within_ms > WITHIN_MS_MAX))
        torrent_fail(r, COMMAND_USAGE, "--within " STR_FMT ": say a time as 10s, 5m or 1h30m, at most 7d", STR_ARG(within));
    else if (rate.len && (!rate_parse(rate, &bits) || bits < BITS * 1000 || bits > RATE_BITS_MAX))
        torrent_fail(r, COMMAND_USAGE, "--rate " STR_FMT ": say what a player reads, as 4Mbit", STR_ARG(rate));
    *bytes_per_s = bits / BITS;
    return r->trouble.len == 0;
}

str torrent_magnet_text(torrent_run *r, const metainfo *m, const uint8_t *hash)
{
    magnet link = {.name = m->name};
    memcpy(link.hash, hash, sizeof link.hash);
    for (int i = 0; i < m->tracker_count && i < MAGNET_TRACKERS_MAX; i++)
        link.trackers[link.tracker_count++] = m->trackers[i].url;
    for (int i = 0; i < m->web_seed_count && i < MAGNET_WEB_SEEDS_MAX; i++)
        link.web_seeds[link.web_seed_count++] = m->web_seeds[i];
    buf text = buf_make(MAGNET_BYTES_MAX);
    // Too many long URLs: the hash is what matters.
    if (!magnet_write(&text, &link)) {
        link.tracker_count = link.web_seed_count = 0;
        buf_clear(&text);
        (void)magnet_write(&text, &link);
    }
    str out = str_copy(&r->memory, buf_str(&text));
    buf_free(&text);
    return out;
}

// -o is what people type.
static void short_option_spell_out(int argc, char **argv, char *output)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "-o") == 0)
            argv[i] = output;
}

static const torrent_command *verb_named(const torrent_command *rows, str verb)
{
    while (rows->name && !str_eq(verb, str_z(rows->name)))
        rows++;
    return rows->name ? rows : NULL;
}

static int verb_missing(torrent_run *r, const command_help *help)
{
    str verb = r->words[0];
    const torrent_command *meant = r->word_count ? verb_named(own_commands, verb) : NULL;
    meant = !meant && r->word_count ? verb_named(torrent_remote_commands, verb) : meant;
    int code = !r->word_count ? usage_error(help, "say a verb and what it needs: create PATH, get FILE, add FILE, list, status ID ...")
               : meant        ? usage_error(help, "say: naru torrent %s %s", meant->name, meant->takes)
                              : usage_error(help, "there is no verb " STR_FMT, STR_ARG(verb));
    arena_free(&r->memory);
    return code;
}

int cmd_torrent(int argc, char **argv)
{
    torrent_run r = {.memory = arena_make(TORRENT_MEMORY_BYTES_MAX), .out = buf_make(TORRENT_TEXT_BYTES_MAX), .get.port = -1};
    torrent_get_options *get = &r.get;
    const command_option options[] = {
        {"piece", OPTION_TEXT, &r.piece, "SIZE", "create: bytes of a piece, a power of two (default: by the length)"},
        {"tracker", OPTION_TEXT, &r.trackers, "URLS", "create: trackers, separated by commas, each a tier"},
        {"web-seed", OPTION_TEXT, &r.web_seeds, "URLS", "create: where the same files are on the web, separated by commas"},
        {"private", OPTION_FLAG, &r.private, NULL, "create: peers come from the trackers alone"},
        {"comment", OPTION_TEXT, &r.comment, "TEXT", "create: a comment"},
        {"name", OPTION_TEXT, &r.name, "NAME", "create: the torrent's name (default: PATH's last part)"},
        {"no-date", OPTION_FLAG, &r.no_date, NULL, "create: do not say when; the same files give the same bytes"},
        {"output", OPTION_TEXT, &r.output, "FILE", "create: where to write (default: NAME.torrent here)"},
        {"dir", OPTION_TEXT, &get->dir, "DIR", "get, add: where the files go (default: here; add: as configured)"},
        {"peer", OPTION_TEXT, &get->peers, "ADDRESSES", "get: peers to begin with, separated by commas"},
        {"port", OPTION_NUMBER, &get->port, "N", "get: where peers reach us (default: 6881, or any free one; 0: any)"},
        {"mode", OPTION_TEXT, &get->mode, "MODE", "get: whom we send to: default, course (tit-for-tat by the book) or managed"},
        {"slots", OPTION_NUMBER, &get->slots, "N", "get: peers that we send to at once (default: 4)"},
        {"limit-up", OPTION_TEXT, &get->limit_up, "RATE", "get, add, limit: send no more than this (8Mbit; none: no limit)"},
        {"limit-down", OPTION_TEXT, &get->limit_down, "RATE", "get, add, limit: receive no more than this"},
        {"ratio", OPTION_TEXT, &r.remote.ratio, "N", "add, limit: pause it when it has sent N times its length (1.5); none: never; default: as configured"},
        {"seed", OPTION_FLAG, &get->seed, NULL, "get: go on sending when all is there, until interrupted"},
        {"seed-seconds", OPTION_NUMBER, &get->seed_seconds, "N", "get: go on sending for so long"},
        {"sequential", OPTION_FLAG, &get->sequential, NULL, "get, add: the pieces in order"},
        {"within", OPTION_TEXT, &r.playing.within, "TIME", "get, add, sequential: all is wanted within this time; with --rate the first piece"},
        {"rate", OPTION_TEXT, &r.playing.rate, "RATE", "get, add, sequential: further pieces as fast as a player reads them (4Mbit)"},
        {"off", OPTION_FLAG, &r.remote.off, NULL, "sequential: rarest first again, no deadlines"},
        {"superseed", OPTION_FLAG, &get->superseed, NULL, "get, add: as the first seed, show each peer one piece at a time: about one copy is sent"},
        {"bind", OPTION_TEXT, &get->bind, "ADDRESS", "get: use this address of ours and no other; without it nothing is sent"},
        {"no-dht", OPTION_FLAG, &get->no_dht, NULL, "get: do not ask the distributed hash table"},
        {"dht-router", OPTION_TEXT, &get->dht_routers, "HOSTS", "get: host:port of nodes to begin with, separated by commas"},
        {"local", OPTION_FLAG, &get->local, NULL, "get: find peers of this network by multicast"},
        {"keep-state", OPTION_FLAG, &get->keep_state, NULL, "get: leave .naru-HASH beside the files when all is there"},
        {"verbose", OPTION_FLAG, &get->verbose, NULL, "get: one line a conversation on standard error"},
        {"paused", OPTION_FLAG, &r.remote.paused, NULL, "add: do not start it yet"},
        {"want", OPTION_TEXT, &r.files.want, "FILES", "get, add: only these files (1,3-5,*.pdf,week1/); files: these, too"},
        {"skip", OPTION_TEXT, &r.files.skip, "FILES", "get, add, files: these are not wanted"},
        {"first", OPTION_TEXT, &r.files.first, "FILES", "get, add, files, sequential: these before the others; with --within these alone are played"},
        {"delete-files", OPTION_FLAG, &r.remote.delete_files, NULL, "remove: the files, too"},
        {"watch", OPTION_FLAG, &r.remote.watch, NULL, "list, status: again every second"},
        {"naru", OPTION_TEXT, &r.remote.naru, "DIR", "the data directory of the running naru (default: the newest)"},
        {"host", OPTION_TEXT, &r.remote.host, "NAME", "whose swarm (naru try may have several)"},
        {"json", OPTION_FLAG, &r.json, NULL, "JSON instead of text"},
        {0},
    };
    buf words = buf_make(HELP_BYTES_MAX), more = buf_make(HELP_BYTES_MAX);
    words_put(&words, own_commands);
    words_put(&words, torrent_remote_commands);
    commands_put(&more, "Files, without a running naru:\n", own_commands);
    commands_put(&more, "\nThe running naru's torrents:\n", torrent_remote_commands);
    buf_format(&more, "\n%s", examples);
    const command_help help = {"torrent", str_to_z(&r.memory, buf_str(&words)),
                               "Makes, shows, checks and fetches torrents, and controls those of a running naru.", options,
                               str_to_z(&r.memory, buf_str(&more))};
    buf_free(&words);
    buf_free(&more);
    char output[] = "--output";
    torrent_verb *run = NULL;
    short_option_spell_out(argc, argv, output);
    if (!options_read(argc, argv, &help, r.words, COMMAND_WORDS_MAX, &r.word_count, &r.code))
        return r.code;
    if (r.word_count)
        run = verb_find(own_commands, r.words[0], r.word_count);
    if (!run && r.word_count)
        run = verb_find(torrent_remote_commands, r.words[0], r.word_count);
    if (!run)
        return verb_missing(&r, &help);
    r.world = world_linux_new(S("torrent"), NULL, 0);
    run(&r);
    if (r.out.len)
        fwrite(r.out.at, 1, r.out.len, stdout);
    if (r.trouble.len)
        (void)command_error("torrent", r.code, STR_FMT, STR_ARG(r.trouble));
    else if (r.out.full)
        r.code = command_error("torrent", COMMAND_FAILED, "the text is too long to be printed whole");
    world_linux_free(r.world);
    buf_free(&r.out);
    arena_free(&r.memory);
    return r.code;
}
