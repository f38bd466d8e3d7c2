// The course's cases about mail. Each is a dialogue that a person could type.
#include <string.h>

#include "cmd/play.h"
#include "cmd/scene_mime.h"
#include "rt/story.h"
#include "wire/mail/mime.h"

#define PATIENCE_NS seconds(120)

static void hang_up(conn *c)
{
    conn_close(c);
}

static str first_letter(play *p, conn *c)
{
    play_say(p, c, "RETR 1");
    play_expect(p, c, "+OK");
    str text = play_text(p, c);
    play_say(p, c, "DELE 1");
    play_expect(p, c, "+OK");
    play_say(p, c, "QUIT");
    play_expect(p, c, "+OK");
    hang_up(c);
    return text;
}

static bool holds(str text, const char *what) { return str_find_str(text, str_z(what)) >= 0; }

// ---- M1, M2, M4 ---------------------------------------------------------------------------------------------------------

static void textbook_letter(play *p)
{
    conn *c = play_connect(p, "crepes.fr", "hamburger.edu", 25);
    play_expect(p, c, "220");
    play_say(p, c, "HELO crepes.fr");
    play_expect(p, c, "250");
    play_say(p, c, "MAIL FROM: <alice@crepes.fr>");
    play_expect(p, c, "250 2.1.0");
    play_say(p, c, "RCPT TO: <bob@hamburger.edu>");
    play_expect(p, c, "250 2.1.5");
    play_say(p, c, "DATA");
    play_expect(p, c, "354");
    play_say(p, c, "Do you like ketchup?");
    play_say(p, c, "How about pickles?");
    play_say(p, c, "..a line that began with a dot");
    play_say(p, c, ".");
    play_expect(p, c, "250 2.0.0");
    p->trace = story_last_trace("smtp");
    play_say(p, c, "QUIT");
    play_expect(p, c, "221 2.0.0");
    hang_up(c);
    c = play_mailbox(p, "hamburger.edu", "bob@hamburger.edu", 1, PATIENCE_NS);
    if (!c)
        return;
    str text = first_letter(p, c);
    play_check(p, holds(text, "\r\n\r\nDo you like ketchup?\r\nHow about pickles?\r\n.a line"), "Bob reads what Alice typed, dots and all");
    play_check(p, holds(text, "Received: from crepes.fr"), "a Received line says which way it came");
}

static void by_hand(play *p)
{
    conn *c = play_connect(p, "crepes.fr", "sch.ac.kr", 25);
    play_expect(p, c, "220");
    play_say(p, c, "helohsch.ac.kr");
    str hint = play_expect(p, c, "500");
    play_check(p, holds(hint, "HELO"), "the answer to a typing error says what was meant");
    static const struct { const char *say, *want; } steps[] = {
        {"helo sch.ac.kr", "250"}, {"mail from: <dhkim@naver.com>", "250 2.1.0"}, {"rcpt to: <daeheekim@sch.ac.kr>", "250 2.1.5"},
        {"data", "354"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        play_say(p, c, "%s", steps[i].say);
        play_expect(p, c, steps[i].want);
    }
    play_say(p, c, "from:ninanooo@naver.com");
    play_say(p, c, "to:test@sch.ac.kr");
    play_say(p, c, "subject:Computer Network Test");
    play_say(p, c, "Hello, nice to meet you!!!");
    play_say(p, c, "This is a test mail.");
    play_say(p, c, ".");
    str answer = play_expect(p, c, "250 2.0.0");
    play_check(p, holds(answer, "Message accepted for delivery"), "accepted with an id");
    p->trace = story_last_trace("smtp");
    play_say(p, c, "quit");
    play_expect(p, c, "221 2.0.0");
    hang_up(c);
    c = play_mailbox(p, "sch.ac.kr", "daeheekim@sch.ac.kr", 1, PATIENCE_NS);
    if (!c)
        return;
    str text = first_letter(p, c);
    play_check(p, holds(text, "to:test@sch.ac.kr"), "the header shows what was typed, the envelope decided where it went");
    play_check(p, holds(text, "subject:Computer Network Test\r\n\r\nHello, nice"), "the header ends at the first line that is no field");
    c = play_connect(p, "crepes.fr", "sch.ac.kr", 25);
    play_expect(p, c, "220");
    conn_put(c, S("helo sch.ac.kr\n"));
    play_check(p, holds(play_expect(p, c, "500 5.5.2"), "nc: use -C"), "a bare line feed, as nc sends it, is answered with the way out");
    hang_up(c);
}

static void one_connection(play *p)
{
    enum { LETTERS = 5 };
    conn *c = play_connect(p, "crepes.fr", "hamburger.edu", 25);
    play_expect(p, c, "220");
    play_say(p, c, "EHLO crepes.fr");
    play_expect(p, c, "250");
    for (int i = 1; i <= LETTERS; i++) {
        play_say(p, c, "MAIL FROM:<alice@crepes.fr>");
        play_say(p, c, "RCPT TO:<bob@hamburger.edu>");
        play_say(p, c, "DATA");
        play_expect(p, c, "250");
        play_expect(p, c, "250");
        play_expect(p, c, "354");
        play_say(p, c, "Subject: letter %d of %d\r\n\r\nall over one connection\r\n.", i, LETTERS);
        play_expect(p, c, "250 2.0.0");
    }
    play_say(p, c, "QUIT");
    play_expect(p, c, "221");
    hang_up(c);
    play_tell(p, "%d letters over one TCP connection (persistent). SMTP pushes; HTTP would pull.", LETTERS);
    c = play_mailbox(p, "hamburger.edu", "bob@hamburger.edu", LETTERS, PATIENCE_NS);
    if (!c)
        return;
    for (int i = 1; i <= LETTERS; i++) {
        play_say(p, c, "DELE %d", i);
        play_expect(p, c, "+OK");
    }
    play_say(p, c, "QUIT");
    play_expect(p, c, "+OK");
    hang_up(c);
}

// ---- M3 -----------------------------------------------------------------------------------------------------------------

static uint64_t submit(play *p, const char *host, const char *from, const char *to, const char *subject)
{
    conn *c = play_submission(p, host, from);
    play_say(p, c, "MAIL FROM:<%s>", from);
    play_expect(p, c, "250");
    play_say(p, c, "RCPT TO:<%s>", to);
    play_expect(p, c, "250");
    play_say(p, c, "DATA");
    play_expect(p, c, "354");
    play_say(p, c, "From: %s\r\nTo: %s\r\nSubject: %s\r\n\r\nDear friend,\r\nthis is a letter.\r\n.", from, to, subject);
    play_expect(p, c, "250 2.0.0");
    uint64_t trace = story_last_trace("smtp");
    play_say(p, c, "QUIT");
    play_expect(p, c, "221");
    hang_up(c);
    return trace;
}

static void alice_to_bob(play *p)
{
    play_tell(p, "1, 2: Alice's user agent composes the letter and hands it to her own server");
    p->trace = submit(p, "crepes.fr", "alice@crepes.fr", "bob@hamburger.edu", "six steps");
    play_tell(p, "3, 4, 5: her server finds Bob's through DNS, connects, and Bob's server stores the letter");
    conn *c = play_mailbox(p, "hamburger.edu", "bob@hamburger.edu", 1, PATIENCE_NS);
    if (c) {
        play_tell(p, "6: Bob's user agent reads it");
        str text = first_letter(p, c);
        play_check(p, holds(text, "Subject: six steps") && holds(text, "Received: from mail.crepes.fr"), "the letter came from Alice's server");
    }
    submit(p, "sch.ac.kr", "alice@sch.ac.kr", "bob@gmail.com", "to gmail");
    c = play_mailbox(p, "gmail.com", "bob@gmail.com", 1, PATIENCE_NS);
    if (c)
        play_check(p, holds(first_letter(p, c), "Received: from mail.sch.ac.kr"), "alice@sch.ac.kr -> bob@gmail.com, by way of gmail-smtp-in.l.google.com");
    play_tell(p, "And a letter that nobody wants: after the refusal Alice gets a bounce that says why");
    submit(p, "crepes.fr", "alice@crepes.fr", "nobody@hamburger.edu", "for nobody");
    c = play_mailbox(p, "crepes.fr", "alice@crepes.fr", 1, PATIENCE_NS);
    if (c)
        play_check(p, holds(first_letter(p, c), "There is no mailbox nobody@hamburger.edu here"), "the bounce quotes the refusal");
}

// ---- M6 -----------------------------------------------------------------------------------------------------------------

static void send_plain(play *p, const char *text)
{
    bool quiet = p->quiet;
    p->quiet = true;
    conn *c = play_connect(p, "crepes.fr", "hamburger.edu", 25);
    play_expect(p, c, "220");
    play_say(p, c, "HELO crepes.fr");
    play_expect(p, c, "250");
    play_say(p, c, "MAIL FROM:<alice@crepes.fr>");
    play_expect(p, c, "250");
    play_say(p, c, "RCPT TO:<bob@hamburger.edu>");
    play_expect(p, c, "250");
    play_say(p, c, "DATA");
    play_expect(p, c, "354");
    play_say(p, c, "%s\r\n.", text);
    play_expect(p, c, "250");
    hang_up(c);
    p->quiet = quiet;
}

static void pop3_two_ways(play *p)
{
    send_plain(p, "Subject: one\r\n\r\nfirst");
    send_plain(p, "Subject: two\r\n\r\nsecond");
    play_tell(p, "Download and keep: the computer reads both and deletes nothing");
    conn *c = play_mailbox(p, "hamburger.edu", "bob@hamburger.edu", 2, PATIENCE_NS);
    if (!c)
        return;
    play_say(p, c, "UIDL");
    play_expect(p, c, "+OK");
    str ids = play_text(p, c);
    play_say(p, c, "RETR 1");
    play_expect(p, c, "+OK");
    play_text(p, c);
    play_say(p, c, "QUIT");
    play_expect(p, c, "+OK");
    hang_up(c);
    play_tell(p, "Download and delete, on the phone: it finds the same letters with the same ids");
    c = play_mailbox(p, "hamburger.edu", "bob@hamburger.edu", 2, PATIENCE_NS);
    if (!c)
        return;
    play_say(p, c, "UIDL");
    play_expect(p, c, "+OK");
    play_check(p, str_eq(play_text(p, c), ids) && ids.len > 0, "unique ids stay the same between sessions");
    for (int i = 1; i <= 2; i++) {
        play_say(p, c, "RETR %d", i);
        play_expect(p, c, "+OK");
        play_text(p, c);
        play_say(p, c, "DELE %d", i);
        play_expect(p, c, "+OK");
    }
    play_say(p, c, "QUIT");
    play_expect(p, c, "+OK");
    hang_up(c);
    c = play_mailbox(p, "hamburger.edu", "bob@hamburger.edu", 0, PATIENCE_NS);
    play_check(p, c != NULL, "after download-and-delete the other device finds nothing");
    if (c)
        hang_up(c);
}

const scene mail_scenes[] = {
    {"M1", "The textbook letter: handshake, transfer, closure", textbook_letter, NULL},
    {"M2", "By hand with telnet, typing errors and all", by_hand, NULL},
    {"M3", "Alice to Bob, all six steps", alice_to_bob, NULL},
    {"M4", "One connection, many letters", one_connection, NULL},
    {"M5", "MIME: pictures, Korean, base64", scene_mime, NULL},
    {"M6", "POP3, two ways: keep and delete", pop3_two_ways, NULL},
    {"M7", "IMAP: folders and flags on two devices", NULL, "IMAP is not built yet"},
    {"M8", "HTTP access: webmail", NULL, "webmail is not built yet"},
    {0},
};
