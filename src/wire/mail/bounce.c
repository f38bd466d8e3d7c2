#include "wire/mail/bounce.h"

#include <stdio.h>

#include "base/date.h"
#include "base/must.h"

// Text from elsewhere on one line of ASCII.
static bool plain_put(buf *out, str text)
{
    bool fits = true;
    for (ptrdiff_t i = 0; i < text.len && i < 600 && fits; i++) {
        unsigned char c = text.at[i];
        fits = buf_put_byte(out, c < 32 || c == 127 ? ' ' : c < 128 ? c : '?');
    }
    return fits;
}

static bool field_put(buf *out, const char *name, str value)
{
    return header_put(out, str_z(name), value);
}

static bool header_write(const bounce *b, str boundary, buf *out)
{
    header_address from = {.name = S("Mail Delivery System"), .address = {S("MAILER-DAEMON"), b->host}};
    header_address to = {.address = b->to};
    bool failed = b->kind == BOUNCE_FAILED;
    return header_put_date(out, S("Date"), b->time_s, b->zone_minutes) &&
           header_put_addresses(out, S("From"), &from, 1) &&
           header_put_addresses(out, S("To"), &to, 1) &&
           field_put(out, "Subject", failed ? S("Your letter could not be delivered") : S("Your letter is delayed")) &&
           field_put(out, "Message-ID", b->message_id) && field_put(out, "Auto-Submitted", S("auto-replied")) &&
           field_put(out, "MIME-Version", S("1.0")) &&
           buf_format(out, "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"" STR_FMT "\"\r\n\r\n",
                      STR_ARG(boundary));
}

static bool recipient_explain(const bounce_recipient *r, buf *out)
{
    buf_put(out, S("\r\n  <"));
    address_write(out, r->recipient);
    buf_put(out, S(">\r\n"));
    if (r->remote.len) {
        buf_put(out, S("    the mail server "));
        plain_put(out, r->remote);
        buf_put(out, r->is_reply ? S(" said:\r\n    ") : S(":\r\n    "));
    } else {
        buf_put(out, S("    "));
    }
    plain_put(out, r->said);
    return buf_put(out, S("\r\n"));
}

static bool people_write(const bounce *b, buf *out)
{
    char when[DATE_TEXT_MAX];
    date_print_mail(when, b->arrived_s, b->zone_minutes);
    buf_put(out, S("Content-Type: text/plain; charset=us-ascii\r\n\r\nThis is the mail server "));
    plain_put(out, b->host);
    buf_format(out, ".\r\n\r\n%s\r\n(it came here on %s):\r\n",
               b->kind == BOUNCE_FAILED ? "Your letter could not be delivered to the recipients below" :
                                          "Your letter has not been delivered yet to the recipients below", when);
    for (int i = 0; i < b->count; i++)
        recipient_explain(&b->recipients[i], out);
    if (b->kind == BOUNCE_FAILED)
        return buf_put(out, S("\r\nIt will not be tried again. The header of your letter is below.\r\n"));
    buf_put(out, S("\r\nYou need not send it again: it stays in the queue and is tried again"));
    if (b->tries_until_s) {
        date_print_mail(when, b->tries_until_s, b->zone_minutes);
        buf_format(out, "\r\nuntil %s", when);
    }
    return buf_put(out, S(".\r\n"));
}

// "5.1.1" and nothing else (RFC 3464 2.3.4), or a general one.
static str status_of(const bounce *b, str status)
{
    bool good = status.len >= 5 && (status.at[0] == '5' || status.at[0] == '4' || status.at[0] == '2') &&
        status.at[1] == '.';
    for (ptrdiff_t i = 0; i < status.len; i++)
        good &= is_digit(status.at[i]) || status.at[i] == '.';
    return good ? status : b->kind == BOUNCE_FAILED ? S("5.0.0") : S("4.0.0");
}

static bool typed_put(buf *out, const char *name, const char *type, str value)
{
    buf_format(out, "%s: %s; ", name, type);
    plain_put(out, value);
    return buf_put(out, S("\r\n"));
}

static bool recipient_report(const bounce *b, const bounce_recipient *r, buf *out)
{
    buf_put(out, S("\r\n"));
    if (r->original.len)
        typed_put(out, "Original-Recipient", "rfc822", r->original);
    buf_put(out, S("Final-Recipient: rfc822; "));
    address_write(out, r->recipient);
    buf_format(out, "\r\nAction: %s\r\n", b->kind == BOUNCE_FAILED ? "failed" : "delayed");
    field_put(out, "Status", status_of(b, r->status));
    if (r->remote.len)
        typed_put(out, "Remote-MTA", "dns", r->remote);
    return typed_put(out, "Diagnostic-Code", r->is_reply ? "smtp" : "x-naru", r->said);
}

static bool programs_write(const bounce *b, buf *out)
{
    buf_put(out, S("Content-Type: message/delivery-status\r\n\r\n"));
    if (b->envelope_id.len) {
        buf_put(out, S("Original-Envelope-Id: "));
        plain_put(out, b->envelope_id);
        buf_put(out, S("\r\n"));
    }
    typed_put(out, "Reporting-MTA", "dns", b->host);
    header_put_date(out, S("Arrival-Date"), b->arrived_s, b->zone_minutes);
    for (int i = 0; i < b->count; i++)
        recipient_report(b, &b->recipients[i], out);
    return !out->full;
}

// The fields only, as they came, in 7 bits; the boundary cannot stand in them by chance.
static bool returned_write(const bounce *b, buf *out)
{
    str header = str_first(b->letter_header, BOUNCE_HEADER_BYTES_MAX);
    if (header.len < b->letter_header.len)         // whole lines only
        header = str_first(header, str_rfind(header, '\n') + 1);
    buf_put(out, S("Content-Type: text/rfc822-headers\r\n\r\n"));
    while (header.len) {
        str line = str_chomp(str_cut(&header, '\n'));
        for (ptrdiff_t i = 0; i < line.len; i++) {
            unsigned char c = line.at[i];
            buf_put_byte(out, (c < 32 && c != '\t') || c >= 127 ? '?' : c);
        }
        buf_put(out, S("\r\n"));
    }
    return !out->full;
}

enum { BOUNDARY_MAX = 40 };

bool bounce_compose(const bounce *b, buf *out)
{
    char room[BOUNDARY_MAX];
    must(b->to.local.len > 0 && b->count > 0);     // never a bounce of a bounce
    snprintf(room, sizeof room, "naru-report=_%016llx", (unsigned long long)b->chance);
    str boundary = str_z(room);
    header_write(b, boundary, out);
    buf_put(out, S("This is a report about a letter, in MIME format.\r\n"));
    buf_format(out, "\r\n--" STR_FMT "\r\n", STR_ARG(boundary));
    people_write(b, out);
    buf_format(out, "\r\n--" STR_FMT "\r\n", STR_ARG(boundary));
    programs_write(b, out);
    buf_format(out, "\r\n--" STR_FMT "\r\n", STR_ARG(boundary));
    returned_write(b, out);
    buf_format(out, "\r\n--" STR_FMT "--\r\n", STR_ARG(boundary));
    return !out->full;
}
