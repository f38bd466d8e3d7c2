// What a reply from a server of a zone is worth: only what that server may speak of counts. Everything else in the
// message is as if it were not there.
#pragma once
#include "wire/dns/message.h"

enum { SCRUB_ALIASES_MAX = 8 };

typedef enum {
    REPLY_DATA,              // records of the name and type
    REPLY_ALIAS,             // a CNAME in their place
    REPLY_NO_DATA,           // the name exists, the type does not
    REPLY_NO_NAME,           // the name does not exist
    REPLY_REFERRAL,          // to a zone further down towards the name
    REPLY_LAME,              // no use: refused, failed, not authoritative, a referral upwards or sideways
} reply_kind;

typedef struct {
    reply_kind kind;
    dns_name   cut;          // REPLY_REFERRAL: the zone handed to
    const dns_record *soa;   // of a negative reply, when it is one of the zone; else NULL
} reply_view;

// `recursive`: we asked the server to recurse, so that it need not be authoritative.
reply_view reply_judge(const dns_message *m, dns_name zone, dns_question q, bool recursive);

// The records of one owner and type in the answer section, at most max; returns how many.
int reply_set(const dns_message *m, dns_name owner, unsigned type, const dns_record **out, int max);
