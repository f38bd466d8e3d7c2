// Commands never lead to a reply of more lines than it should have; replies that are written read back as one reply.
#include "base/must.h"
#include "wire/mail/smtp.h"

static void reply_reads_back(int code, const char *enhanced, str text)
{
    buf out = buf_make(1 << 20);
    smtp_reply r = {0};
    must(smtp_reply_write(&out, code, enhanced, text));
    str wire = buf_str(&out);
    smtp_reply_state state = SMTP_REPLY_MORE;
    int lines = 0;
    while (wire.len && state == SMTP_REPLY_MORE) {
        ptrdiff_t end = str_find_str(wire, S("\r\n"));
        must(end >= 0 && end <= SMTP_REPLY_LINE_MAX);
        state = smtp_reply_line(&r, str_first(wire, end));
        wire = str_from(wire, end + 2);
        lines++;
    }
    must(state == SMTP_REPLY_BAD ? lines > SMTP_REPLY_LINES_MAX || out.len > SMTP_REPLY_BYTES_MAX
                                 : state == SMTP_REPLY_DONE && wire.len == 0 && r.code == code);
    smtp_reply_free(&r);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 16)
        return 0;
    arena a = arena_make(1 << 20);
    str in = str_of(data, size);
    smtp_command c = smtp_command_read(smtp_line_edit(in, &a), &a);
    if (c.complaint.code) {
        must(str_find(c.complaint.text, '\n') < 0);
        reply_reads_back(c.complaint.code, c.complaint.enhanced, c.complaint.text);
    }
    reply_reads_back(550, "5.7.1", in);

    smtp_reply r = {0};
    while (in.len && smtp_reply_line(&r, str_chomp(str_cut(&in, '\n'))) == SMTP_REPLY_MORE)
        must(r.text.len <= SMTP_REPLY_BYTES_MAX);
    smtp_capabilities_read(buf_str(&r.text));
    must(smtp_reply_enhanced(r.code, buf_str(&r.text)).len <= 9);
    smtp_reply_free(&r);

    str plain;
    buf wire = buf_make(1 << 20);
    must(xtext_write(&wire, str_of(data, size)));
    must(!xtext_read(buf_str(&wire), &a, &plain) || str_eq(plain, str_of(data, size)));
    buf_free(&wire);
    arena_free(&a);
    return 0;
}
