// What could not be delivered: the letter that tells the sender so (RFC 3464).
#pragma once
#include "rooms/mta/mta.h"

// A new letter to l's sender about the outcomes that are RECIPIENT_FAILED; NULL when there are none or nobody is to be told: a bounce is
// never bounced (null sender), nor is a copy for the Sent mailbox. The caller owns it until the spool has it. May park (reads l's header).
letter *undeliverable_bounce(mta *m, letter *l, const outcome *v, int count, str host, arena *msg);
