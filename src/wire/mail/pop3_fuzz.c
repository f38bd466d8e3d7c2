// POP3 commands and SASL responses: whatever is accepted is within its bounds, whatever is answered is one line.
#include "base/must.h"
#include "wire/mail/pop3.h"
#include "wire/mail/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = arena_make(1 << 20);
    str in = str_of(data, size), text;
    pop3_command c = pop3_command_read(in);
    must(c.complaint || !c.has_number || c.number > 0);
    must(c.complaint || str_find(c.argument, '\n') < 0);
    buf out = buf_make(1 << 16);
    must(pop3_err(&out, "AUTH", in));
    must(str_find(buf_str(&out), '\n') == (ptrdiff_t)out.len - 1 && out.len <= POP3_RESPONSE_MAX);
    buf_free(&out);
    sasl_plain p;
    if (sasl_plain_read(in, &a, &p)) {
        sasl_plain again;
        must(p.name.len && p.password.len && str_find(p.name, 0) < 0 && str_find(p.password, 0) < 0);
        must(sasl_plain_read(sasl_plain_write(&a, p.name, p.password), &a, &again) &&
             str_eq(p.password, again.password));
    }
    must(!sasl_login_read(in, &a, &text) || text.len <= SASL_PASSWORD_MAX);
    arena_free(&a);
    return 0;
}
