// The queue: which letter goes where, and when. A job is one letter for one destination (all its recipients of one domain);
// jobs of a destination share its connections. Destinations that fail are left alone for a while; letters that fail are tried
// again with exponential back-off until they expire, then bounce.
#pragma once
#include "base/heap.h"
#include "rooms/mta/mta.h"

enum {
    QUEUE_DESTINATIONS_MAX = 100000,
    QUEUE_JOBS_MAX = 1000000,
    QUEUE_LETTERS_A_CONNECTION = 100,
    QUEUE_BACKLOG_A_CONNECTION = 4,          // waiting letters that justify one more connection to a destination
};

#define QUEUE_FINISH_NS   seconds(2)         // what is being said to another server when we end: a cut would make a second copy
#define QUEUE_PATIENCE_NS seconds(30)        // nothing moved at a destination for so long: another connection may try

typedef struct job {
    letter    *letter;
    struct destination *to;
    heap_node  due;                          // in to->jobs, by time
    struct job *next_of_letter;
} job;

typedef struct destination {
    str       domain;                        // key; "" for our own mailstore
    bool      local;
    heap      jobs;
    heap_node due;                           // in the queue, by the time of its first job (not before not_before_ns)
    int       active, idle;                  // connections; those of them that wait for another letter
    gate      idle_senders;
    int64_t   moved_ns;                      // when a letter was last taken up
    int64_t   not_before_ns;                 // nobody could be reached: no new connection before
    int       failures;                      // in a row
    unsigned char name[];
} destination;

queue *queue_new(mta *m);                    // with the spool's letters; starts its fibers in the room's scope
void   queue_free(queue *q);
void   queue_finish(queue *q, int64_t ns);   // begins no conversation any more; those that run may finish, so long
void   queue_add(queue *q, letter *l);       // a letter that the spool has just accepted
void   queue_retry(queue *q, letter *l);     // now, whatever the back-off says
int64_t queue_next_try_ns(queue *q, letter *l);      // the earliest of its jobs; NEVER_NS: none waits

// ---- for deliver.c -----------------------------------------------------------------------------------------------------
mta  *queue_mta(queue *q);
job  *queue_take(queue *q, destination *d);                   // the next job that is due, NULL
job  *queue_linger(queue *q, destination *d, int64_t ns);     // waits for one a little while, NULL
void  queue_job_done(queue *q, job *j);                       // no recipient of it waits any more (or the letter is over)
void  queue_job_later(queue *q, job *j, int64_t at_ns);
void  deliver(queue *q, destination *d, job *first);          // one conversation; takes care of the job
