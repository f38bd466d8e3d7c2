// What the parts of the edge share: docs/edge.md.
//
// A *resource* is a cache key (scheme, site, path and query). It has *objects*: answers that are kept, one a variant (Vary). An object's body
// lies in *slices* of equal size, each in memory, on disk, in both, or not there. A *fetch* is a question to the origin that others may
// wait for; a *fill* is a fiber that puts an origin's bytes into slices while readers take them out. Everything lives on one loop.
#pragma once
#include "base/list.h"
#include "base/siphash.h"
#include "rooms/edge/edge.h"
#include "rt/pages.h"
#include "rt/sim.h"
#include "rt/tls.h"
#include "talk/control.h"
#include "wire/http/caching.h"
#include "wire/http/chunked.h"
#include "wire/http/range.h"
#include "wire/http/url.h"

enum {
    SITES_MAX = 256, SITE_NAMES_MAX = 16, ORIGINS_MAX = 8, EDGE_RESOLVERS_MAX = 4, EDGE_NETWORKS_MAX = 16,
    SLICE_BYTES_MIN = 64 * 1024, SLICE_BYTES_MAX = 16 << 20,
    OBJECTS_MAX = 1 << 20,               // kept at once; by memory: one a KEPT_BYTES_A_OBJECT
    KEPT_BYTES_AN_OBJECT = 512,
    VARIANTS_MAX = 32,                   // of one resource; the oldest goes
    SLICES_MAX = 1 << 18,                // of one object
    TAGS_MAX = 64,                       // of one object; an answer with more is not kept: it could not be purged
    DESCRIPTION_BYTES_MAX = 64 * 1024,   // head, selecting fields and tags of a kept answer
    URL_BYTES_MAX = 9 * 1024,            // of a key
    FILLS_MAX = 4096,                    // at once; no site has more than are free, so that a slow one leaves some to the others
    FILL_AHEAD_SLICES = 4,               // a fill runs so far ahead of its fastest reader
    SLICE_FAILURES_MAX = 3,              // of an object's slices, one after the other; then nothing of it is asked for
    SLICE_PAUSE_S = 5,                   // for so long
    WINDOW_BYTES = 64 * 1024,            // of a slice on the disk, read for one client
    FILL_FIRST_BYTES = 16 * 1024,        // of a slice whose length is not known yet
    ORIGIN_IDLE_MAX = 64,                // connections that are kept for each origin
    ORIGIN_IDLE_S = 20,
    ORIGIN_ROOTS_BYTES_MAX = 2 << 20,    // of the file with the certificates that origins are checked against
    ORIGIN_CONNECT_S = 5, ORIGIN_HEAD_S = 30, ORIGIN_BYTES_PER_S_MIN = 1024, ORIGIN_GRACE_S = 20,
    ORIGIN_BACK_OFF_S_FIRST = 1, ORIGIN_BACK_OFF_S_MAX = 30,
    ORIGIN_PORTS_MAX = SITES_MAX * ORIGINS_MAX, RELOADS_MAX = 1000,
    ORIGIN_ADDRESSES_MAX = 8, ORIGIN_NAME_S_MIN = 5, ORIGIN_NAME_S_MAX = 300,
    INTERIM_ANSWERS_MAX = 8,             // 1xx before the answer
    WAIT_S_MAX = 60,                     // for a fill that somebody else runs
    PASS_S = 10,                         // so long nobody waits for an answer of a resource that was not kept
    TRIES_MAX = 4,                       // of one request, when what it waited for went another way
    REQUEST_HEAD_S = 10, CLIENT_IDLE_S = 60, CLIENT_BYTES_PER_S_MIN = 1024, CLIENT_GRACE_S = 20,
    REQUESTS_MAX = 100000,               // on one connection
    REQUEST_MEMORY_BYTES_MAX = 1 << 20,
    MULTIPART_SLICES_MAX = 2,            // several ranges at once may need so many slices from the origin, else only the first is given
    PURGES_KEPT = 1024,                  // that a fetch under way is checked against
};

typedef struct edge edge;
typedef struct disk disk;
typedef struct object object;

// ---- memory -------------------------------------------------------------------------------------------------------------------

// Bytes of a slice. Who holds it counts itself; freed with the last holder.
typedef struct {
    int      holders;
    uint32_t room;
    edge    *of;
    bool     in_pages;                   // from which sockets send without a copy
    unsigned char *at;
} piece;

piece *piece_new(edge *e, uint32_t bytes);
static inline piece *piece_hold(piece *p) { p->holders++; return p; }
void   piece_drop(piece *p);             // NULL is fine

// What is known about a kept answer. Never changed, replaced as a whole (a 304 brings new fields): who sends from it holds it.
typedef struct {
    int           holders;
    int           status;
    edge         *of;                    // where its bytes are counted
    cache_policy  policy;
    validators    valid;                 // views of `head`
    http_header  *fields;                // end-to-end ones, views of `head`; without Content-Length and Age
    int           field_count;
    str           head;                  // status line and fields, each with CR LF; without the last, empty line
    str           vary, vary_key;        // the Vary field's lines joined; what selects (cache_vary_key)
    uint64_t     *tags;                  // keyed hashes of Cache-Tag and Surrogate-Key
    int           tag_count;
    size_t        bytes;
} description;

static inline description *description_hold(description *d) { d->holders++; return d; }
void description_drop(description *d);

// ---- what is kept -------------------------------------------------------------------------------------------------------------

typedef struct { uint32_t segment, offset; } disk_place;     // of a record; segment 0: nowhere

typedef enum { SLICE_FILLING, SLICE_WHOLE } slice_state;

typedef struct {
    object     *of;
    uint32_t    number, len;             // len: bytes there now
    slice_state state;
    uint8_t     asked;                   // how often since it came, at most 3 (S3-FIFO)
    bool        in_main;
    uint32_t   *block_crcs;              // of its blocks on the disk, once they were compared with the whole's; NULL: not since the start
    bool        writing;                 // on its way to the disk
    bool        loading;
    piece      *bytes;                   // NULL: not in memory
    uint32_t    crc;
    disk_place  place;
    list_link   queued;                  // in memory: in small or main
    list_link   in_segment;
} slice;

typedef struct resource {
    struct resource *next;               // in its bucket
    uint64_t  hash;
    list      objects;                   // newest first
    int       object_count;
    int       users;                     // requests and fetches that look at it
    struct fetch *fetching;
    bool      validating;                // somebody asks behind an answer that was given stale
    int64_t   pass_until_ns;
    uint64_t  purged;                    // number of the last purge of it
    uint32_t  key_len;
    unsigned char key[];                 // "http://site/path?query"
} resource;

struct object {
    edge        *e;
    resource    *of;                     // NULL: not in the index any more (purged, replaced, evicted)
    int          holders;                // readers, fills, fetches, the index
    list_link    in_resource, in_all;
    uint64_t     number;                 // for ever
    description *about;
    int64_t      length;                 // of the whole; -1: not known before its end
    uint32_t     slice_bytes;
    slice      **slices;                 // by number; NULL: not there
    uint32_t     slice_cap, slice_count; // count: that are there (in memory or on disk, or coming)
    int64_t      readers_at;             // the first byte that no reader has come to
    int          readers, fills;
    int64_t      fill_at;                // how far a fill from the first byte to the end has come; INT64_MAX: there is none
    gate         progress;               // bytes came, a fill ended, a reader moved, slices went
    bool         failed;                 // it cannot be completed: whoever reads it ends
    int          slice_failures;         // fetches of slices that failed, one after the other
    int64_t      slice_pause_ns;         // after too many of them: until then
    uint64_t     hits, bytes_given;
    bool         asked;                  // since the eviction's hand was here
    disk_place   place;                  // of its description
    list_link    in_segment;
    bool         describing;             // its description is on its way to the disk
};

static inline str resource_key(const resource *r) { return (str){r->key, r->key_len}; }

// ---- origins ------------------------------------------------------------------------------------------------------------------

typedef struct origin_link {
    conn     *c;
    struct origin *of;
    int64_t   since_ns;
    list_link idle;
} origin_link;

typedef struct origin {
    str      name;                       // as configured: "HOST:PORT"
    str      host;
    addr     at[ORIGIN_ADDRESSES_MAX];
    int      at_count, at_next;
    bool     is_named;                   // `at` comes from the DNS
    bool     tls;                        // never asked otherwise
    bool     closed;                     // no connection to it is kept any more
    str      checked;                    // the name that its certificate must have
    int64_t  at_until_ns;
    uint16_t port;
    list     idle;                       // newest first
    int      idle_count;
    int64_t  down_until_ns, back_off_ns;
    uint64_t asked, failed, bytes;
} origin;

typedef struct {
    str    name, host;                   // host: what the origin sees
    str    names[SITE_NAMES_MAX];
    int    name_count;
    origin origins[ORIGINS_MAX];
    int    origin_count;
    bool   heuristics;
    int64_t forgiving_s;
    uint64_t requests, hits;
    int    fills;                        // of e->fills
} site;

// What a reload replaces. The one before stays until the end: who asks an origin still looks at it.
typedef struct site_set {
    struct site_set *before;
    arena        memory;
    site        *sites;
    int          site_count;
    addr         resolvers[EDGE_RESOLVERS_MAX];
    int          resolver_count;
    struct { addr prefix; int bits; } networks[EDGE_NETWORKS_MAX];
    int          network_count;
    bool         has_tls;                // among the origins
} site_set;

struct edge {
    room        *room;
    world       *w;
    str          name, status_name;      // status_name: as an item of Cache-Status
    int64_t      capacity_bps;           // 0: not said
    int64_t      given, given_before;    // bytes of bodies, now and when the hand last passed
    int          load_per_mille;         // of the capacity, of late
    site_set    *set;
    int          reloads;                // of sites
    uint16_t     ports[ORIGIN_PORTS_MAX];        // that origins had at the start: the guard lets us dial these
    int          port_count;
    tls_config  *origin_tls;             // NULL: no origin was asked under TLS at the start
    uint32_t     slice_bytes;
    int          slice_shift;
    int64_t      object_bytes_max, body_bytes_max;
    tls_config  *tls;
    int          door_count;
    door        *doors[2 * WORLD_ADDRESSES_MAX];
    int          fills;                  // fibers that bring bytes and validate, in the room's scope
    int64_t      counted_memory, counted_objects;        // what the meters hold of us
    bool         stopping;

    // the index
    siphash_key  secret;
    resource   **buckets;
    size_t       bucket_count;           // a power of two
    size_t       resource_count;
    list         all;                    // objects, the oldest first
    int64_t      object_count, objects_max;
    uint64_t     next_number;

    // memory, by S3-FIFO
    list         small, main;
    int64_t      small_bytes, main_bytes;        // of slices in the queues
    int64_t      piece_bytes, described_bytes;   // all there is, held or not
    int64_t      memory_max;
    gate         memory_came;
    pages       *pages;                  // of large slices; NULL: all from the heap
    uint32_t    *ghosts;
    size_t       ghost_at;

    // purges
    uint64_t     purges;                 // so far
    struct { uint64_t tag, number; } purge_tags[PURGES_KEPT];    // the last ones of tags, a ring
    uint64_t     purged_all;             // number of the last purge of everything (or of one that fell out of the ring)

    // the clock: seconds since 1970 that never go back while we run
    int64_t      base_s, base_ns;

    disk        *disk;
    struct access_log *access;
    bool         access_wanted;
};

int64_t edge_now_s(edge *e);

// ---- store.c: the index and the memory ------------------------------------------------------------------------------------------

void      edge_store_open(edge *e);
void      edge_store_close(edge *e);
int64_t   edge_objects_max(const edge *e);               // by e->memory_max
resource *edge_resource_find(edge *e, str key);               // NULL; a found one is not held
resource *resource_take(edge *e, str key);               // made if missing; held: resource_leave. NULL: a ceiling
void      resource_leave(edge *e, resource *r);
// The newest object that the request's fields select; NULL.
object   *resource_select(resource *r, const http_header *fields, int count, bool *has_others);

// An answer to be kept: about is taken over. In the index when `r` is given (an older one that the same request would select goes).
object   *object_new(edge *e, resource *r, description *about, int64_t length);
static inline object *object_hold(object *o) { o->holders++; return o; }
void      object_leave(object *o);
void      object_forget(object *o);                      // out of the index and off the disk; who reads it goes on
void      object_describe(object *o, description *about);       // new fields; taken over
void      object_fail(object *o);
// What is missing of it can be fetched: its length is known, and a strong validator says that parts belong together.
bool      object_resumable(const object *o);
bool      object_servable(const object *o);              // all of it is there, is coming, or can be fetched

static inline slice *object_slice(const object *o, uint32_t number) { return number < o->slice_cap ? o->slices[number] : NULL; }
slice    *slice_begin(object *o, uint32_t number);       // SLICE_FILLING; NULL: a ceiling
bool      slice_room(slice *s, uint32_t bytes);          // memory for so many bytes in all; false: a ceiling
void      slice_end(slice *s);                           // whole: it may be evicted from now on, and goes to the disk
void      slice_forget(slice *s);                        // not there any more
void      slice_touch(slice *s);
void      slice_to_memory(slice *s, piece *p);           // loaded from the disk; p is taken over
bool      memory_is_short(const edge *e);                // more is held than the queues have: who sends copies
uint32_t  slice_size(const object *o, uint32_t number);  // how long it will be; the slice size when the length is not known
void      memory_evict(edge *e);

// What a purge took.
typedef struct { int64_t objects; } purge_count;
void      object_stale(object *o);                       // from now on
int64_t   purge_key(edge *e, str key, bool soft);
int64_t   purge_tag(edge *e, str tag, bool soft);
int64_t   purge_all(edge *e, bool soft);
bool      purged_since(edge *e, const resource *r, const description *about, uint64_t number);
uint64_t  tag_hash(const edge *e, str tag);

// ---- describe.c ---------------------------------------------------------------------------------------------------------------

// NULL with a reason: it is too large to be kept.
description *description_new(edge *e, int status, const http_header *fields, int count, const cache_policy *policy,
                             const http_header *asked, int asked_count, const char **why);
// From the text of a record.
description *description_read(edge *e, str text, str *key, int64_t *length);
void         description_write(const description *d, str key, int64_t length, buf *out);
// With another policy (a soft purge), or other fields.
description *description_with_policy(edge *e, const description *d, const cache_policy *policy);

// ---- disk.c -------------------------------------------------------------------------------------------------------------------

err  disk_open(edge *e, int64_t bytes_max, str *why);    // fills the index; parks
void disk_close(edge *e);                                // writes what waits; no more comes
void disk_free(edge *e);                                 // when the index is empty
void disk_put_slice(edge *e, slice *s);                  // when it can; never parks
void disk_put_description(edge *e, object *o);
// A purge that must outlive us: E_OK when it is on the disk; parks.
err  disk_put_purge(edge *e, str key, str tag, bool all, bool soft);
void disk_release_slice(edge *e, slice *s);              // its place is not needed any more
void disk_release_object(edge *e, object *o);
// Parks. E_OK: it is in memory, or was being loaded; E_LIMIT: no memory now; E_AGAIN: it is not there any more (damaged, or forgotten).
err  disk_load(edge *e, object *o, uint32_t number);
// The block (WINDOW_BYTES) of a slice in which `off` lies, from the disk, without a place in memory: for who reads while memory is short. Parks.
// NULL: not possible now; load the slice.
piece *disk_window(edge *e, object *o, uint32_t number, uint32_t off);
typedef struct { int64_t bytes, bytes_max, segments, writes, dropped, damaged, found, failures; err error; } disk_figures;     // error: of the last write
disk_figures disk_figures_now(const edge *e);

// ---- origin.c -----------------------------------------------------------------------------------------------------------------

typedef struct {
    str   method, target;                // target: path and query
    const http_header *fields;           // besides Host and what a body needs
    int   field_count;
    bool  chunked;                       // how the body goes
    int64_t body_bytes;                  // -1: none
    bool (*body)(void *arg, conn *to);   // sends it; NULL: none
    void *arg;
    conn *asker;                         // whoever leaves meanwhile wants no answer; NULL: it is wanted in any case
} question;

// An origin's answer: its head is there, its body comes with body_next.
typedef struct {
    http_head_reader in;
    origin_link *link;                   // NULL: the body is all there
    chunked      coding;
    int64_t      left;                   // HTTP_BODY_LENGTH
    size_t       taken;                  // of the piece that was handed out last
    bool         ended;                  // the whole body has been handed out
    bool         unsent;                 // of a failure: no byte of the question went
    bool         unwanted;               // of a failure: the asker has left
    bool       (*wanted)(void *arg);     // asked while none of the body comes; NULL: it is
    void        *wanted_arg;
    int64_t      asked_s, came_s;
    const char  *why;                    // of a failure
} origin_answer;

// Asks the site's origins in turn. False: nobody answered; out->why says why. Lines of the head live in `msg`.
bool origin_ask(edge *e, site *s, const question *q, arena *msg, origin_answer *out);
str  body_next(origin_answer *a);        // what is there now (parks), good until the next call; empty: the end (a->ended) or trouble
void origin_done(edge *e, origin_answer *a);     // the connection is kept if it can be, else closed
void origins_close(edge *e);

// ---- fields.c -----------------------------------------------------------------------------------------------------------------

typedef struct {
    conn        *c;
    const http_head *h;
    site        *s;
    str          target;                 // in one spelling
    str          key;
    bool         is_head, is_get, secure;
    bool         has_control, has_condition, has_range, has_loop, has_authorization;      // fields that need a look
    arena       *msg;
    const char  *forward;                // why it was forwarded, for Cache-Status
    int          forward_status;
    int64_t      stale_s;                // what is given is stale for so long, because the origin failed; 0: it is not
    bool         stored, collapsed;
    int          status;                 // said
    int64_t      given;                  // bytes of the body
    bool         close;                  // the connection ends behind this answer
    const char  *verdict;                // hit, miss ... for the log and the meters
} request;

void request_look(request *q);
// The fields that go to the origin with a client's request (everything that one connection, or only we, should know is left out). `plain`:
// without conditions and ranges.
int  fields_forward(edge *e, const request *q, bool plain, http_header *out, int max, arena *msg);
enum { FORWARD_FIELDS_MAX = HTTP_HEADERS_MAX + 16 };

// ---- fetch.c ------------------------------------------------------------------------------------------------------------------

typedef enum { FETCH_RUNNING, FETCH_KEPT, FETCH_PASS, FETCH_FAILED } fetch_outcome;

typedef struct fetch {
    int       holders;
    edge     *e;
    resource *r;
    fetch_outcome outcome;
    object   *got;                       // FETCH_KEPT: held
    int       status;                    // of the origin's answer; 0: none came
    gate      done;
} fetch;

void fetch_leave(fetch *f);
// Asks the origin for the resource on the running fiber; `old` is what is kept of it (may be NULL) and is validated. Range: the first slice
// that is wanted, -1: from the first byte on, -2: none of it, only what it is. FETCH_PASS: *out is an answer that is the caller's to relay
// (out->link NULL and status 0: ask again without us).
fetch *fetch_run(edge *e, request *q, resource *r, object *old, int64_t slice_wanted, origin_answer *out);
// An origin's answer to HEAD beside what GET left (RFC 9111 section 4.3.5): the same one gets its fields, another one makes it stale.
void head_compare(edge *e, request *q, const origin_answer *a);
void fetch_behind(edge *e, const request *q, resource *r, object *old);      // validates on a fiber of its own
// Begins to bring up to `count` slices that are not there. False: it cannot be completed any more, or too much is under way.
bool slice_fetch(object *o, site *s, str target, bool secure, uint32_t number, uint32_t count);

// ---- give.c, pass.c, serve.c ----------------------------------------------------------------------------------------------------

// Waits for what others bring, while the client is there. E_OK: look whether it has come, and wait again; E_TIMEOUT: it is until_ns; E_EOF:
// he has left; E_CANCELED.
err  client_wait(conn *c, gate *g, int64_t until_ns, const char *why);
void give_object(edge *e, request *q, object *o, bool hit);
void give_text(edge *e, request *q, int status, const char *text);
void give_answer(edge *e, request *q, origin_answer *a);         // relays
void pass(edge *e, request *q);                                  // asks and relays
void edge_serve(conn *c, void *arg);                             // a door's conversations
void cache_status_put(const edge *e, const request *q, buf *out);
void load_put(const edge *e, const request *q, buf *out);     // to HEAD alone, where a capacity is set

// ---- the rest -------------------------------------------------------------------------------------------------------------------

extern const setting edge_settings[];
bool edge_settings_take(edge *e, str *why);              // at the start; parks
bool edge_settings_renew(edge *e, const statement *block, bool only_try, str *why);      // what may change while we run
void site_sets_free(edge *e);
site *site_find(edge *e, str host);
void edge_routes_open(edge *e);
bool fill_allowed(const edge *e, const site *s);
err  edge_go(edge *e, site *s, const char *label, fiber_body *body, void *arg);     // a fill's fiber; edge_gone at its end. E_LIMIT
void edge_gone(edge *e, site *s);
void edge_meters_show(void);
void edge_count(edge *e, const request *q);
void access_log_open(edge *e);
void access_log_put(edge *e, const request *q, int64_t took_ns);
void access_log_close(edge *e);
