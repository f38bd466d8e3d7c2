// The extension protocol (BEP 10): its handshake, metadata exchange (9), peer exchange (11), upload only (21). Pure.
#pragma once
#include "wire/bt/bencode.h"
#include "wire/bt/endpoint.h"

enum {
    EXTENSION_METADATA_PIECE = 16 * 1024,        // BEP 9: bytes of each piece but the last
    EXTENSION_METADATA_MAX = 32 << 20,           // bytes of info that we would fetch
    EXTENSION_VERSION_BYTES_MAX = 64,
    EXTENSION_REQUESTS_MAX = 2000,               // reqq above it is taken as it
    EXTENSION_PEX_MAX = 100,                     // peers of one list in one message (BEP 11 says 50)
};

typedef struct {
    uint8_t  metadata, pex;                      // the sender's numbers for ut_metadata and ut_pex; 0: it has none
    int32_t  metadata_bytes;                     // 0: not said or above EXTENSION_METADATA_MAX
    int32_t  requests_max;                       // reqq; 0: not said
    uint16_t port;                               // p: where it listens; 0: not said
    bool     upload_only;                        // BEP 21
    str      version;                            // a stranger's text
    addr     your_ip;                            // as it sees us; family 0: not said
} extension_handshake;

bool extension_handshake_read(str in, arena *a, extension_handshake *out, bencode_refusal *why);
bool extension_handshake_write(buf *out, const extension_handshake *h);

typedef enum { METADATA_REQUEST, METADATA_DATA, METADATA_REJECT } metadata_kind;
typedef struct {
    metadata_kind kind;
    int32_t piece, total_bytes;                  // total: of data
    str     data;                                // at most EXTENSION_METADATA_PIECE; a view
} metadata_message;

// False also for kinds that nobody knows (to be passed over), pieces and totals above EXTENSION_METADATA_MAX, and data whose
// length is not what piece and total make it.
bool metadata_read(str in, arena *a, metadata_message *out, bencode_refusal *why);
bool metadata_write(buf *out, const metadata_message *m);

enum { PEX_ENCRYPTS = 1, PEX_UPLOAD_ONLY = 2, PEX_UTP = 4, PEX_HOLEPUNCH = 8, PEX_REACHABLE = 16 };
typedef struct {                                 // some 8 KiB: not for a fiber's stack
    addr    added[2 * EXTENSION_PEX_MAX], dropped[2 * EXTENSION_PEX_MAX];    // IPv4 and IPv6
    uint8_t flags[2 * EXTENSION_PEX_MAX];        // of those added
    int     added_count, dropped_count;
} pex_message;

// Peers above EXTENSION_PEX_MAX a list, and those of port 0, are passed over.
bool pex_read(str in, arena *a, pex_message *out, bencode_refusal *why);
bool pex_write(buf *out, const pex_message *m);
