#include "base/heap_memory.h"
#include "letter.h"

static const char *const people[] = {"bob@hamburger.edu", "betty@hamburger.edu", "alice@crepes.fr",
                                     "albert@crepes.fr"};
static const char *const nobody[] = {"nobody@hamburger.edu", "somebody@nowhere.edu", "ghost@hamburger.edu"};

static void recipient_add(scene_letter *l, const char *address, bool exists)
{
    for (int i = 0; i < l->to_count; i++)
        if (str_eq(l->to[i].address, str_z(address)))
            return;
    l->to[l->to_count++] = (scene_recipient){.address = str_z(address), .exists = exists};
}

// Seven of ten go straight to the server of their recipient, the others are submitted; of these some go where
// nobody is.
static void letter_plan(letter_scene *s, int number)
{
    sim *d = s->trial->sim;
    scene_letter *l = &s->letters[number];
    *l = (scene_letter){
        .scene = s, .number = number, .desk = s->desks[number % SENDER_HOSTS], .submitted = sim_chance(d, 300000)};
    l->from = sim_chance(d, 500000) ? S("alice@crepes.fr") : S("albert@crepes.fr");
    int count = sim_chance(d, 200000) ? 2 : 1;
    for (int i = 0; i < count; i++) {
        if (!l->submitted)
            recipient_add(l, people[sim_random_below(d, 2)], true);
        else if (sim_chance(d, 250000))
            recipient_add(l, nobody[sim_random_below(d, 3)], false);
        else
            recipient_add(l, people[sim_random_below(d, 4)], true);
    }
}

static void senders_run(letter_scene *s)
{
    scope senders, readers;
    scope_open(&senders, 0, LETTERS);
    scope_open(&readers, 0, PEOPLE);
    for (int i = 0; i < LETTERS; i++)
        scope_go(&senders, "sender", sender_run, &s->letters[i]);
    for (int i = 0; i < PEOPLE; i += 2)              // two read all the time, the others when all is over
        scope_go(&readers, "reader", reader_run, &s->mailboxes[i]);
    faults_play(s);
    // Nothing is wrong any more: whoever still has a letter gets it through.
    for (int i = 0; i < 60 && senders.count; i++)
        fiber_sleep(minutes(1));
    scope_close(&readers);
    scope_close(&senders);
}

void letter_play(trial *t)
{
    letter_scene *s = memory_zeroed(1, sizeof *s);
    s->trial = t;
    s->memory = arena_make(1 << 20);
    s->calm = sim_chance(t->sim, 50000);
    s->both_tls = sim_chance(t->sim, 200000);
    for (int i = 0; i < PEOPLE; i++) {
        s->mailboxes[i].scene = s;
        s->mailboxes[i].place = i < 2 ? HOST_HAMBURGER : HOST_CREPES;
        s->mailboxes[i].owner = people[i];
    }
    hosts_make(s);
    scope_open(&s->life, 0, 2 * HOSTS);
    for (int i = 0; i < HOSTS; i++)
        host_start(&s->hosts[i]);
    str why = {0};
    s->tls = tls_client_new(s->desks[0], (str){0}, NULL, &s->memory, &why);
    if (hosts_serve(s, minutes(1))) {
        sim_link rough = {.delay_min_ns = millis(1),
                          .delay_max_ns = millis(sim_between(t->sim, 2, 100)),
                          .lose_per_million = (int)sim_random_below(t->sim, 50000),
                          .cut_per_million = (int)sim_random_below(t->sim, 10000),
                          .bytes_per_s = sim_chance(t->sim, 300000) ? sim_between(t->sim, 20000, 1000000) : 0};
        if (!s->calm)
            sim_link_default(t->sim, rough);
        for (int i = 0; i < LETTERS; i++)
            letter_plan(s, i);
        senders_run(s);
        // The last tries and bounces: letters expire after five minutes, and some wait behind a conversation
        // whose peer fell silent, which RFC 5321 4.5.3.2.6 gives ten minutes for each answer.
        fiber_sleep(minutes(30));
        letters_check(s);
    } else {
        trial_failed(t, "the small Internet does not start");
    }
    for (int i = 0; i < HOSTS; i++)
        sim_shut_down(s->hosts[i].world);
    scope_close(&s->life);
    tls_free(s->tls);
    arena_free(&s->memory);
    memory_free(s);
}
