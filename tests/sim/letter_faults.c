// What goes wrong: crashes (also in the middle of a file operation), restarts, full disks, failing syncs,
// partitions, cuts, clocks that jump; several at a time, each on another host. All of it by the director's
// chance, all of it over when faults_play returns.
#include "letter.h"

enum { FAULTS_MAX = 8, DIRECTORS = 3 };

typedef void fault(letter_scene *s, scene_host *h);

static int64_t some_time(letter_scene *s, int64_t most_ns) { return sim_between(s->trial->sim, 0, most_ns); }

static void back_to_life(letter_scene *s, scene_host *h, int64_t dark_ns)
{
    sim_crash(h->world);
    fiber_sleep(some_time(s, dark_ns));
    sim_restart(h->world);
    host_start(h);
}

static void power_fails(letter_scene *s, scene_host *h) { back_to_life(s, h, seconds(20)); }

static void power_fails_while_writing(letter_scene *s, scene_host *h)
{
    sim_crash_after(h->world, sim_between(s->trial->sim, 0, 40));
    for (int i = 0; i < 100 && sim_is_up(h->world); i++)
        fiber_sleep(millis(100));
    back_to_life(s, h, seconds(5));
}

static void power_fails_while_recovering(letter_scene *s, scene_host *h)
{
    back_to_life(s, h, seconds(5));
    for (int i = (int)sim_between(s->trial->sim, 1, 3); i > 0; i--) {
        sim_crash_after(h->world, sim_between(s->trial->sim, 0, 80));
        fiber_sleep(some_time(s, seconds(2)));
        back_to_life(s, h, seconds(2));
    }
}

static void service_restarts(letter_scene *s, scene_host *h)
{
    sim_shut_down(h->world);
    fiber_sleep(some_time(s, seconds(5)));
    host_start(h);
}

static void disk_fills(letter_scene *s, scene_host *h)
{
    sim_disk full = SOUND_DISK;
    full.capacity_bytes = sim_between(s->trial->sim, 1, 1000000);
    sim_disk_set(h->world, full);
    fiber_sleep(some_time(s, seconds(30)));
    if (sim_chance(s->trial->sim, 300000))
        back_to_life(s, h, seconds(2));
    sim_disk_set(h->world, SOUND_DISK);
}

static void syncs_fail(letter_scene *s, scene_host *h)
{
    sim_disk bad = SOUND_DISK;
    bad.sync_fail_per_million = (int)sim_between(s->trial->sim, 10000, 500000);
    sim_disk_set(h->world, bad);
    fiber_sleep(some_time(s, seconds(10)));
    sim_disk_set(h->world, SOUND_DISK);
    if (sim_chance(s->trial->sim, 500000))
        fiber_sleep(some_time(s, seconds(10)));
    back_to_life(s, h, seconds(5));              // such a machine is restarted; what it lied about shows now
}

static scene_host *another(letter_scene *s, const scene_host *h)
{
    return &s->hosts[((int)h->place + 1 + (int)sim_random_below(s->trial->sim, HOSTS - 1)) % HOSTS];
}

static void parts(letter_scene *s, scene_host *h)
{
    world *other = sim_chance(s->trial->sim, 500000) ? another(s, h)->world
                                                     : s->desks[sim_random_below(s->trial->sim, SENDER_HOSTS)];
    sim_partition(s->trial->sim, h->world, other, true);
    fiber_sleep(some_time(s, seconds(sim_chance(s->trial->sim, 200000) ? 300 : 30)));
    sim_partition(s->trial->sim, h->world, other, false);
}

static void cuts(letter_scene *s, scene_host *h)
{
    for (int i = 0; i < SENDER_HOSTS; i++)
        sim_cut_streams(h->world, s->desks[i]);
    sim_cut_streams(s->hosts[HOST_HAMBURGER].world, s->hosts[HOST_CREPES].world);
}

static void clock_jumps(letter_scene *s, scene_host *h)
{
    sim_clock_step(h->world, sim_between(s->trial->sim, -seconds(7200), seconds(7200)));
}

static fault *const faults[] = {
    power_fails, power_fails_while_writing, power_fails_while_writing, power_fails_while_writing,
    power_fails_while_recovering, service_restarts, disk_fills, disk_fills, syncs_fail, syncs_fail, parts, cuts,
    clock_jumps,
};

static void director_run(void *arg)
{
    letter_scene *s = arg;
    sim *d = s->trial->sim;
    for (int i = (int)sim_between(d, 1, FAULTS_MAX); i > 0; i--) {
        fiber_sleep(some_time(s, seconds(15)));
        // Mail hosts are where it hurts.
        host_place place = sim_chance(d, 800000) ? (sim_chance(d, 500000) ? HOST_HAMBURGER : HOST_CREPES)
                                                 : (host_place)sim_random_below(d, HOSTS);
        scene_host *h = &s->hosts[place];
        if (h->in_trouble)
            continue;
        h->in_trouble = true;
        s->doubtful_hops++;
        faults[sim_random_below(d, sizeof faults / sizeof *faults)](s, h);
        h->in_trouble = false;
    }
}

void faults_play(letter_scene *s)
{
    if (s->calm)
        return;
    SCOPE(directors, 0, DIRECTORS);
    for (int i = (int)sim_between(s->trial->sim, 1, DIRECTORS); i > 0; i--)
        scope_go(&directors, "director", director_run, s);
    scope_wait(&directors);
    sim_link_default(s->trial->sim, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(5)});
    if (hosts_serve(s, minutes(5)))
        return;
    for (int i = 0; i < HOSTS; i++)
        if (!s->hosts[i].serves)
            trial_failed(s->trial, "%s does not serve again although everything is sound", s->hosts[i].name);
}
