// Files of a magnet link that its user chose: kept in his words until peers have told what there is to choose from.
#include "rooms/swarm/swarm_inside.h"

enum { CHOICES_ARENA_BYTES_MAX = 1 << 30, NAMES_SHOWN = 60 };

static bool is_plain(str s)
{
    for (ptrdiff_t i = 0; i < s.len; i++)
        if (s.at[i] < ' ' || s.at[i] == 0x7f)
            return false;
    return true;
}

bool torrent_choices_usable(file_choices c)
{
    return c.want.len + c.skip.len + c.first.len <= TORRENT_CHOICES_BYTES_MAX && is_plain(c.want) && is_plain(c.skip) && is_plain(c.first);
}

// A line each: want, skip, first.
void torrent_choices_keep(torrent_entry *e, file_choices c)
{
    buf text = buf_make(TORRENT_CHOICES_BYTES_MAX + 2);
    if (files_chosen(c))
        buf_format(&text, STR_FMT "\n" STR_FMT "\n" STR_FMT, STR_ARG(c.want), STR_ARG(c.skip), STR_ARG(c.first));
    torrent_entry_text(e, &e->choices, buf_str(&text));
    torrent_entry_changed(e);
    buf_free(&text);
}

file_choices torrent_choices(const torrent_entry *e)
{
    str rest = e->choices;
    file_choices c;
    c.want = str_cut(&rest, '\n');
    c.skip = str_cut(&rest, '\n');
    c.first = rest;
    return c;
}

static bool priorities_choose(torrent_entry *e, const metainfo *m, arena *a, str *wrong)
{
    str *paths = arena_array(a, str, (size_t)m->file_count);
    file_choice *chosen = arena_array(a, file_choice, (size_t)m->file_count);
    unsigned char *priorities = arena_alloc(a, (size_t)m->file_count, 1, 1);
    *wrong = (str){0};
    if (!paths || !chosen || !priorities)
        return false;
    for (int i = 0; i < m->file_count; i++)
        paths[i] = m->files[i].path;
    if (!files_choose(torrent_choices(e), (file_names){m->name, paths, m->file_count}, true, chosen, wrong))
        return false;
    for (int i = 0; i < m->file_count; i++)
        priorities[i] = chosen[i] == FILE_SKIPPED ? PICKER_SKIP : chosen[i] == FILE_FIRST ? PICKER_HIGH : PICKER_NORMAL;
    torrent_entry_text(e, &e->priorities, str_of(priorities, (size_t)m->file_count));
    torrent_choices_keep(e, (file_choices){0});
    return true;
}

bool torrent_choices_apply(torrent *t)
{
    torrent_entry *e = torrent_entry_of(t);
    arena a = arena_make(CHOICES_ARENA_BYTES_MAX);
    metainfo m;
    str text, why = {0}, wrong;
    if (!e->choices.len || !e->has_metainfo) {
        arena_free(&a);
        return true;
    }
    err failed = torrent_list_read(t->swarm->entries, e, &a, &text, &m, &why);
    bool done = !failed && priorities_choose(e, &m, &a, &wrong);
    if (failed)
        torrent_trouble(t, failed, why);
    else if (!done)
        torrent_trouble(t, E_NO_ENTRY, str_format(&a, "no file of it is \"" STR_FMT "\": naru torrent files ID lists them, with --want FILES it goes on",
                                                  STR_ARG(str_first(wrong, NAMES_SHOWN))));
    else
        (void)torrent_list_save(t->swarm->entries);
    arena_free(&a);
    return done;
}
