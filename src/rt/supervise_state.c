// A supervisor's processes, told to the program that takes its place.
#include <string.h>

#include "rt/program.h"
#include "rt/supervise_inside.h"

// "process NAME STATE PID CHANNEL FILES DEATHS RESTARTS END SINCE_NS", "retired PID CHANNEL FILES KILL_NS"
void supervise_write(const supervisor *s, buf *out)
{
    for (int i = 0; i < s->count; i++) {
        const service *x = &s->services[i];
        buf_format(out, "process %s %d %d %d %d %d %d %d %lld\n", x->name, (int)x->view.state, x->view.pid, x->channel, x->files, x->deaths,
                   x->view.restarts, x->view.end, (long long)x->view.since_ns);
    }
    for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
        if (s->retired[i].pid)
            buf_format(out, "retired %d %d %d %lld\n", s->retired[i].pid, s->retired[i].channel, s->retired[i].files,
                       (long long)s->retired[i].kill_ns);
}

void supervise_pass(const supervisor *s)
{
    for (int i = 0; i < s->count; i++) {
        program_keep(s->services[i].channel);
        program_keep(s->services[i].files);
    }
    for (int i = 0; i < SUPERVISED_RETIRED_MAX; i++)
        if (s->retired[i].pid) {
            program_keep(s->retired[i].channel);
            program_keep(s->retired[i].files);
        }
}

static bool numbers_read(str line, int64_t *out, int count)
{
    for (int i = 0; i < count; i++)
        if (!str_to_i64(str_word(&line), &out[i]))
            return false;
    return true;
}

static bool retired_read(supervisor *s, str line)
{
    int64_t n[4];
    for (int i = 0; i < SUPERVISED_RETIRED_MAX && numbers_read(line, n, 4); i++)
        if (!s->retired[i].pid) {
            s->retired[i] = (retired){(int)n[0], (int)n[1], (int)n[2], n[3]};
            return true;
        }
    return false;
}

// A state in between is taken up where it was: an end that was asked for will be heard, a start that was planned is made now.
static bool process_read(supervisor *s, str line)
{
    enum { STATE, PID, CHANNEL, FILES, DEATHS, RESTARTS, END, SINCE, NUMBERS };
    int64_t n[NUMBERS];
    str name = str_word(&line);
    for (int i = 0; i < s->count; i++) {
        service *x = &s->services[i];
        if (!str_eq(name, str_z(x->name)))
            continue;
        if (!numbers_read(line, n, NUMBERS) || n[STATE] < SERVICE_STOPPED || n[STATE] > SERVICE_WAITING)
            return false;
        x->view = (service_view){.state = (service_state)n[STATE], .pid = (int)n[PID], .restarts = (int)n[RESTARTS], .end = (int)n[END],
                                 .since_ns = n[SINCE]};
        x->channel = (int)n[CHANNEL];
        x->files = (int)n[FILES];
        x->deaths = (int)n[DEATHS];
        x->heard_ns = supervise_now_ns();
        x->wanted = x->view.state != SERVICE_STOPPED;
        if (x->wanted && !x->view.pid)
            x->start_ns = supervise_now_ns();
        return true;
    }
    return false;
}

bool supervise_read(supervisor *s, str line)
{
    str word = str_word(&line);
    return str_eq(word, S("process")) ? process_read(s, line) : str_eq(word, S("retired")) && retired_read(s, line);
}
