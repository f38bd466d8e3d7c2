// naru torrent: makes, shows and checks .torrent files and magnet links, and fetches what they name (torrent_get.c).
#include "cmd/torrent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "rt/digest.h"

static const struct { const char *name; int words; torrent_verb *run; } verbs[] = {
    {"create", 2, torrent_create},
    {"show", 2, torrent_show},
    {"check", 3, torrent_check},
    {"magnet", 2, torrent_magnet},
    {"get", 2, torrent_get},
};

static const char more[] =
    "  naru torrent create film.mp4 --tracker udp://tracker.example:6969 -o film.torrent\n"
    "  naru torrent create slides/ --piece 256KiB        (the course's chunks)\n"
    "  naru torrent show film.torrent\n"
    "  naru torrent check film.torrent ~/Downloads       (exit code 1: something is damaged or missing)\n"
    "  naru torrent magnet film.torrent\n"
    "  naru torrent get film.torrent --dir ~/Downloads --seed\n"
    "  naru torrent get slides.torrent --want '*.pdf,week1/' --first 3      (numbers: as show counts the files)\n"
    "  naru torrent add film.torrent                     (to the running naru; then list, status, pause, resume, remove)\n"
    "  naru torrent limit all --limit-up 8Mbit\n"
    "  naru torrent move 1 ~/Films                       (its files, while it runs)\n"
    "  naru torrent why 1                                (who is choked and why, which piece is next and why)\n"
    "ID is a number of `list`, a hash, a name, or all. Without --piece there are between 1,000 and 2,000 pieces of 16 KiB to 16 MiB. -o FILE stands for --output FILE.\n";

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

bool torrent_open(torrent_run *r, str path, metainfo *m, uint8_t hash[INFO_HASH_BYTES])
{
    str text;
    bencode_refusal why;
    err e = file_read_all(r->world, str_to_z(&r->memory, path), &r->memory, METAINFO_BYTES_MAX, &text);
    if (e)
        return torrent_fail(r, COMMAND_USAGE, STR_FMT ": %s", STR_ARG(path), err_text(e)), false;
    if (!metainfo_read(text, &r->memory, m, &why))
        return torrent_fail(r, COMMAND_USAGE, STR_FMT ": %s (at byte %td)", STR_ARG(path), why.reason, why.offset), false;
    digest_of(DIGEST_SHA1, m->info, hash);
    return true;
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
        {"first", OPTION_TEXT, &r.files.first, "FILES", "get, add, files: these before the others"},
        {"delete-files", OPTION_FLAG, &r.remote.delete_files, NULL, "remove: the files, too"},
        {"watch", OPTION_FLAG, &r.remote.watch, NULL, "list, status: again every second"},
        {"naru", OPTION_TEXT, &r.remote.naru, "DIR", "the data directory of the running naru (default: the newest)"},
        {"host", OPTION_TEXT, &r.remote.host, "NAME", "whose swarm (naru try may have several)"},
        {"json", OPTION_FLAG, &r.json, NULL, "JSON instead of text"},
        {0},
    };
    const command_help help = {"torrent", "create PATH | show FILE|MAGNET | check FILE DIR | magnet FILE | get FILE|MAGNET |"
                               " add FILE|MAGNET | list | status [ID] | pause ID | resume ID | verify ID | announce ID |"
                               " move ID DIR | remove ID | limit ID |"
                               " peers ID | files ID | why ID",
                               "Makes, shows, checks and fetches torrents, and controls those of a running naru.", options, more};
    char output[] = "--output";
    torrent_verb *run = NULL;
    short_option_spell_out(argc, argv, output);
    if (!options_read(argc, argv, &help, r.words, COMMAND_WORDS_MAX, &r.word_count, &r.code))
        return r.code;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs && r.word_count; i++)
        if (str_eq(r.words[0], str_z(verbs[i].name)) && r.word_count == verbs[i].words)
            run = verbs[i].run;
    if (!run && r.word_count)
        run = torrent_remote(r.words[0], r.word_count);
    if (!run)
        return usage_error(&help, "say a verb and what it needs: create PATH, show FILE, check FILE DIR, magnet FILE, get FILE, add FILE, list, status, "
                                  "pause ID, resume ID, verify ID, announce ID, move ID DIR, remove ID, limit ID, peers ID, files ID, why ID");
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
