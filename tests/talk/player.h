// Plays a conversation script against servers, on whatever world the stage stands.
#pragma once
#include "rt/conn.h"
#include "rt/tls.h"
#include "script.h"

typedef struct talk_stage {
    const char *name;                // "simulator", "real"
    world      *world;               // where the client stands
    tls_config *tls;                 // the client's; NULL: starttls fails
    bool (*where)(void *arg, str host, str service, addr *out);      // false: no such place
    bool (*password)(void *arg, str who, arena *a, str *out);
    void *arg;
} talk_stage;

// By bytes: every byte is sent on its own. False with *why, in `a`. Runs on a fiber.
bool talk_play(const talk_script *script, const talk_stage *stage, bool by_bytes, arena *a, str *why);
