// What comes first, and what comes at all: magnet links, chosen files, deadlines.
#include "rooms/swarm/swarm_play_test.h"

#include "base/must.h"
#include "rt/loop.h"
#include "test.h"

// ---- magnet links -------------------------------------------------------------------------------------------------------

// Host 0 seeds; host 1 knows its link.
static void link_add(play *p, file_choices choices)
{
    str link = str_format(&p->memory, "magnet:?xt=urn:btih:" STR_FMT "&x.pe=10.0.0.1:%d",
                          STR_ARG(hex_text(&p->memory, str_of(p->hash, sizeof p->hash))), PORT);
    film_add(p, 0, (swarm_addition){0});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.magnet = link, .choices = choices});
}

static void magnet_fetched(void *arg)
{
    play *p = arg;
    link_add(p, (file_choices){0});
    CHECK(view(p, 1).state == TORRENT_METADATA || view(p, 1).state == TORRENT_QUEUED);
    CHECK(complete_within(p, 1, seconds(60)));
    CHECK_STR(view(p, 1).name, S("film"));
    CHECK_INT(view(p, 1).length, LENGTH);
}
TEST(torrent_of_a_magnet_link_fetches_its_metadata_first) { play_swarm((play){0}, magnet_fetched); }

static void chosen_before_known(void *arg)
{
    play *p = arg;
    link_add(p, (file_choices){.first = S("f*")});
    CHECK(complete_within(p, 1, seconds(60)));
    CHECK_INT(torrent_entry_of(p->t[1])->priorities.at[0], PICKER_HIGH);
    CHECK_INT(torrent_entry_of(p->t[1])->choices.len, 0);
    fiber_world(p->w[1]);
    CHECK(!torrent_choose(p->t[1], (file_choices){.want = S("1")}));         // its files are known now
}
TEST(files_of_a_magnet_link_are_chosen_when_they_are_known) { play_swarm((play){0}, chosen_before_known); }

// Nothing comes until somebody chooses what there is; resuming alone does not help.
static void chosen_in_vain(void *arg)
{
    play *p = arg;
    link_add(p, (file_choices){.want = S("*.mp4")});
    CHECK(in_trouble_within(p, 1, seconds(60)));
    CHECK(str_find_str(view(p, 1).trouble, S("no file of it is \"*.mp4\"")) >= 0);
    fiber_world(p->w[1]);
    torrent_resume(p->t[1]);
    fiber_sleep(seconds(3));
    CHECK(view(p, 1).state == TORRENT_TROUBLE && view(p, 1).have_pieces == 0);
    fiber_world(p->w[1]);
    CHECK(torrent_file_priority(p->t[1], 0, PICKER_NORMAL));
    CHECK(torrent_peer_add(p->t[1], address(0)));
    CHECK(complete_within(p, 1, seconds(60)) && view(p, 1).trouble.len == 0);
}
TEST(magnet_link_without_such_a_file_says_so) { play_swarm((play){0}, chosen_in_vain); }

TEST(words_that_choose_files_are_plain_and_few)
{
    static const char many[TORRENT_CHOICES_BYTES_MAX + 2];
    CHECK(torrent_choices_usable((file_choices){S("*.pdf"), S("1-3"), S("í¸ì")}));
    CHECK(!torrent_choices_usable((file_choices){.want = S("a\nb")}) && !torrent_choices_usable((file_choices){.first = S("")}));
    CHECK(!torrent_choices_usable((file_choices){.skip = str_of(many, sizeof many)}));
}

// ---- deadlines ----------------------------------------------------------------------------------------------------------

static void deadline_first(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){.limit_up = 200000});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.sequential = true, .peers = (addr[]){address(0)}, .peer_count = 1});
    fiber_sleep(seconds(2));
    fiber_world(p->w[1]);
    CHECK(torrent_deadline(p->t[1], PIECES - 2, seconds(3)));
    CHECK(!torrent_deadline(p->t[1], PIECES, seconds(3)));
    fiber_sleep(seconds(3));
    str there = torrent_pieces(p->t[1]);
    CHECK(there.at[(PIECES - 2) / 8] & (0x80 >> (PIECES - 2) % 8));
    CHECK(view(p, 1).have_pieces < PIECES / 2);
    int32_t have = view(p, 1).have_pieces;                                   // all others are from the beginning, in order
    for (int32_t i = 0; i < have - 3; i++)
        CHECK_ROW(i, there.at[i / 8] & (0x80 >> i % 8));
}
TEST(piece_with_a_deadline_comes_before_those_in_order) { play_swarm((play){0}, deadline_first); }

static bool has_piece(play *p, int32_t piece)
{
    fiber_world(p->w[1]);
    str there = torrent_pieces(p->t[1]);
    return piece / 8 < there.len && there.at[piece / 8] & (0x80 >> piece % 8);
}

// A player that starts in 2 s and reads half of what the line brings: no piece comes after he has come to it.
static void played_in_time(void *arg)
{
    enum { LINE = 400000, READS = LINE / 2 };
    play *p = arg;
    film_add(p, 0, (swarm_addition){.limit_up = LINE});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.peers = (addr[]){address(0)}, .peer_count = 1});
    torrent_play(p->t[1], &(torrent_playback){.within_ns = seconds(2), .bytes_per_s = READS});
    fiber_sleep(seconds(2));
    for (int32_t i = 0; i < PIECES - 1; i++) {
        CHECK_ROW(i, has_piece(p, i));
        fiber_sleep((int64_t)PIECE_BYTES * NS_PER_S / READS);
    }
}
TEST(pieces_come_before_their_player_reads_them) { play_swarm((play){0}, played_in_time); }

// What is said later holds; 0 is rarest first again.
static void playing_ends(void *arg)
{
    play *p = arg;
    film_add(p, 0, (swarm_addition){.limit_up = 200000});
    CHECK(complete_within(p, 0, seconds(10)));
    film_add(p, 1, (swarm_addition){.peers = (addr[]){address(0)}, .peer_count = 1});
    fiber_sleep(seconds(1));
    fiber_world(p->w[1]);
    torrent_play(p->t[1], &(torrent_playback){.within_ns = minutes(1)});
    picker_explained next = picker_why(p->t[1]->picker, 0, NULL, loop_now_ns());
    CHECK_INT(next.reason, PICKER_WHY_DEADLINE);
    torrent_play(p->t[1], &(torrent_playback){0});
    next = picker_why(p->t[1]->picker, 0, NULL, loop_now_ns());
    CHECK(next.reason != PICKER_WHY_DEADLINE && !p->t[1]->playing);
    torrent_play(p->t[1], &(torrent_playback){.within_ns = seconds(1), .files = (bool[]){false}, .file_count = 1});      // no file is played
    next = picker_why(p->t[1]->picker, 0, NULL, loop_now_ns());
    CHECK(next.reason != PICKER_WHY_DEADLINE);
}
TEST(player_that_ends_takes_its_deadlines_with_it) { play_swarm((play){0}, playing_ends); }
