#include "wire/mail/bounce.h"

#include "test.h"
#include "wire/mail/mime.h"

TEST(bounce_says_why_to_people_and_programs)
{
    arena a = arena_make(1 << 20);
    buf out = buf_make(1 << 16);
    bounce_recipient r[2] = {
        {.recipient = {S("bob"), S("hamburger.edu")}, .status = S("5.1.1"), .remote = S("mail.hamburger.edu"),
         .is_reply = true,
         .said = S("550 5.1.1 no such mailbox\r\nFinal-Recipient: evil")},
        {.recipient = {S("eve"), S("x.org")}, .status = S("5.4.4\r\nX: y"), .said = S("no such domain: x.org")}};
    bounce b = {.kind = BOUNCE_FAILED, .host = S("crepes.fr"), .to = {S("alice"), S("crepes.fr")},
                .message_id = S("<9@crepes.fr>"),
                .time_s = 1795298007, .arrived_s = 1795290000, .chance = 77, .recipients = r, .count = 2,
                .letter_header = S("From: alice@crepes.fr\r\nSubject: caf\xc3\xa9\r\n")};
    CHECK(bounce_compose(&b, &out));
    CHECK(!mime_has_8bit(buf_str(&out)));
    mime_tree t = mime_read(buf_str(&out), &a);
    CHECK_INT(t.count, 4);
    CHECK_STR(t.parts[0].type.subtype, S("report"));
    CHECK_STR(mime_parameter(&t.parts[0].type, S("report-type"), &a, NULL, NULL), S("delivery-status"));
    CHECK_STR(header_unfold(header_find(&t.parts[0].header, S("To"))->value, &a), S("alice@crepes.fr"));
    CHECK(str_find_str(t.parts[1].content, S("550 5.1.1 no such mailbox")) > 0);
    CHECK(str_find_str(t.parts[1].content, S("no such domain: x.org")) > 0);
    CHECK_STR(t.parts[2].type.subtype, S("delivery-status"));
    str report = t.parts[2].content;
    CHECK(str_find_str(report, S("Final-Recipient: rfc822; bob@hamburger.edu\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                                 "Remote-MTA: dns; mail.hamburger.edu\r\nDiagnostic-Code: smtp; 550 5.1.1 no such mailbox")) > 0);
    CHECK(str_find_str(report, S("\nFinal-Recipient: evil")) < 0);
    CHECK(str_find_str(report, S("Status: 5.0.0\r\n")) > 0);          // what is no status is not repeated
    CHECK_STR(t.parts[3].content, S("From: alice@crepes.fr\r\nSubject: caf??\r\n"));
    b.kind = BOUNCE_DELAYED;
    b.tries_until_s = 1795390000;
    buf_clear(&out);
    CHECK(bounce_compose(&b, &out));
    CHECK(str_find_str(buf_str(&out), S("Action: delayed")) > 0);
    CHECK(str_find_str(buf_str(&out), S("tried again\r\nuntil ")) > 0);
    buf_free(&out);
    arena_free(&a);
}
