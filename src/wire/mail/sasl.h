// SASL PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), as SMTP AUTH and POP3 AUTH carry them: base64 lines.
#pragma once
#include "base/arena.h"

enum {
    SASL_TEXT_MAX = 1024,          // bytes of a decoded response
    SASL_NAME_MAX = 255,           // RFC 4616 2
    SASL_PASSWORD_MAX = 255,
};

typedef struct {
    str authorize;                 // act as; empty: as oneself
    str name;                      // authenticate as
    str password;
} sasl_plain;

// Decodes a base64 response, "=" meaning empty (RFC 4954 4). False: not base64, or above SASL_TEXT_MAX.
bool sasl_decode(str base64, arena *msg, str *out);

// [authzid] NUL authcid NUL passwd. False when there are not exactly two NULs, a part is too long, name or password
// empty.
bool sasl_plain_read(str base64, arena *msg, sasl_plain *out);

// The base64 of a PLAIN response for a client; "" when the arena is full or a part holds a NUL.
str sasl_plain_write(arena *a, str name, str password);

// The two prompts of LOGIN, ready for a 334: "Username:" and "Password:" in base64.
#define SASL_LOGIN_USERNAME "VXNlcm5hbWU6"
#define SASL_LOGIN_PASSWORD "UGFzc3dvcmQ6"

// One answer of LOGIN. False: not base64, empty, with a NUL, too long.
bool sasl_login_read(str base64, arena *msg, str *out);
