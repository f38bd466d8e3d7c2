// What goes wrong: crashes (also in the middle of a file operation), restarts, full disks, failing syncs, partitions, cuts, clocks
// that jump. All of it by the director's chance, all of it over when faults_heal returns.
#include "letter.h"

enum { FAULTS_MAX = 12 };

typedef void fault(letter_scene *s, scene_host *h);


static int64_t some_time(letter_scene *s, int64_t most_ns) { return sim_between(s->trial->sim, 0, most_ns); }

static void back_to_life(letter_scene *s, scene_host *h, int64_t dark_ns)
{
    sim_crash(h->world);
    h->serves = false;
    fiber_sleep(some_time(s, dark_ns));
    sim_restart(h->world);
    host_start(h);
}

static void power_fails(letter_scene *s, scene_host *h) { back_to_life(s, h, seconds(20)); }

static void power_fails_while_writing(letter_scene *s, scene_host *h)
{
    sim_crash_after(h->world, sim_between(s->trial->sim, 0, 60));
    for (int i = 0; i < 100 && sim_is_up(h->world); i++)
        fiber_sleep(millis(100));
    back_to_life(s, h, seconds(10));
}

static void power_fails_twice(letter_scene *s, scene_host *h)
{
    back_to_life(s, h, seconds(5));
    sim_crash_after(h->world, sim_between(s->trial->sim, 0, 80));        // while it recovers
    fiber_sleep(some_time(s, seconds(3)));
    back_to_life(s, h, seconds(5));
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
    full.capacity_bytes = sim_between(s->trial->sim, 1, 200000);
    sim_disk_set(h->world, full);
    fiber_sleep(some_time(s, seconds(30)));
    sim_disk_set(h->world, SOUND_DISK);
}

static void syncs_fail(letter_scene *s, scene_host *h)
{
    sim_disk bad = SOUND_DISK;
    bad.sync_fail_per_million = (int)sim_between(s->trial->sim, 10000, 500000);
    sim_disk_set(h->world, bad);
    fiber_sleep(some_time(s, seconds(10)));
    sim_disk_set(h->world, SOUND_DISK);
    back_to_life(s, h, seconds(5));              // such a machine is restarted; what it lied about shows now
}

static scene_host *another(letter_scene *s, const scene_host *h)
{
    return &s->hosts[((int)h->place + 1 + (int)sim_random_below(s->trial->sim, HOSTS - 1)) % HOSTS];
}

static void parts(letter_scene *s, scene_host *h)
{
    world *other = sim_chance(s->trial->sim, 500000) ? another(s, h)->world : s->desks[sim_random_below(s->trial->sim, SENDER_HOSTS)];
    sim_partition(s->trial->sim, h->world, other, true);
    fiber_sleep(some_time(s, seconds(60)));
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
    power_fails, power_fails_while_writing, power_fails_while_writing, power_fails_twice, service_restarts, disk_fills, syncs_fail,
    parts, cuts, clock_jumps,
};

void faults_play(letter_scene *s)
{
    sim *d = s->trial->sim;
    int count = s->calm ? 0 : (int)sim_between(d, 1, FAULTS_MAX);
    for (int i = 0; i < count; i++) {
        fiber_sleep(some_time(s, seconds(12)));
        // Mail hosts are where it hurts.
        host_place place = sim_chance(d, 800000) ? (sim_chance(d, 500000) ? HOST_HAMBURGER : HOST_CREPES)
                                                 : (host_place)sim_random_below(d, HOSTS);
        s->doubtful_hops++;
        faults[sim_random_below(d, sizeof faults / sizeof *faults)](s, &s->hosts[place]);
    }
}

void faults_heal(letter_scene *s)
{
    sim_link_default(s->trial->sim, (sim_link){.delay_min_ns = millis(1), .delay_max_ns = millis(5)});
    for (int i = 0; i < HOSTS; i++)
        sim_disk_set(s->hosts[i].world, SOUND_DISK);
    if (!hosts_serve(s, minutes(5)))
        for (int i = 0; i < HOSTS; i++)
            if (!s->hosts[i].serves)
                trial_failed(s->trial, "%s does not serve again although everything is sound", s->hosts[i].name);
}
