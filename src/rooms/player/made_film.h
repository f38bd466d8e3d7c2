// A film that is nothing but sizes and times, served by HTTP: for rehearsals of the player in the simulator. Its
// segments are boxes whose bytes follow from rendition, segment and offset, so that a wrong byte shows.
#pragma once
#include "talk/http_serve.h"
#include "wire/media/presentation.h"

typedef struct {
    int      segments;
    uint32_t segment_ms;
    int      rungs;
    uint64_t bps[MEDIA_RENDITIONS_MAX];      // mean rates, rising
    uint64_t sound_bps;                      // 0: silent
    int      varies_percent;                 // segments' sizes differ by up to so much from the mean
    bool     on_demand;                      // one file a rendition with an index, instead of a file a segment
    bool     record;                         // presentation.json is there, with every segment's size
} made_film_plan;

typedef struct {
    media_presentation film;
    str      mpd, record;                    // record: empty: there is none
    bool     on_demand;
    int      requests;
    uint64_t bytes;                          // of bodies, handed to the network
    bool     stalls;                         // from now on nothing more is said, on any connection
    bool     missing;                        // every segment answers 404
    bool     nonsense;                       // every segment answers 200 with a page of words
} made_film;

// In `a`, which must live as long. bases, steering_url: as in the manifest; may be empty.
void made_film_make(made_film *m, const made_film_plan *plan, const media_base *bases, int base_count, str steering_url, arena *a);
// An http_handler; arg is the made_film. /manifest.mpd, /ID/init.mp4, /ID/N.m4s, /ID/whole.mp4 (ranges), beneath
// any folder.
void made_film_serve(void *arg, const http_request *q, http_reply *reply, arena *msg);
// Is this segment, as it came, the one that was sent?
bool made_film_right(const media_rendition *r, int segment, str bytes);
