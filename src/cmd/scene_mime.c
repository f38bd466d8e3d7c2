// M5: pictures, Korean, base64. The letters travel over real connections; base64 itself is shown bit by bit.
#include "cmd/scene_mime.h"

#include <string.h>

#include "base/base64.h"
#include "cmd/mail.h"
#include "rt/listener.h"
#include "rt/story.h"
#include "wire/mail/mime.h"

enum { LETTER_BYTES_MAX = 1 << 20, SHOWN_LINES_MAX = 24, OLD_COMMANDS_MAX = 20, OLD_LINE_BYTES_MAX = 1000 };
#define PATIENCE_NS seconds(120)

static const char korean[] = "\xed\x95\x9c\xea\xb5\xad\xec\x96\xb4";              // "한국어"

// ---- base64 by hand -------------------------------------------------------------------------------------------------

// A JPEG of one grey pixel: quantization, frame, two Huffman tables of one code each, and the scan.
static str picture(arena *a, bool light)
{
    static const unsigned char before[] = {0xff, 0xd8, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0,
                                           0xff, 0xdb, 0, 67, 0};
    static const unsigned char frame[] = {0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0};
    static const unsigned char table[] = {0xff, 0xc4, 0, 20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const unsigned char scan[] = {0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0};
    buf out = buf_make(LETTER_BYTES_MAX);
    unsigned char eights[64], dc[sizeof table], ac[sizeof table];
    memset(eights, 8, sizeof eights);
    memcpy(dc, table, sizeof table);
    memcpy(ac, table, sizeof table);
    dc[sizeof table - 1] = light ? 7 : 0;                // the difference has 7 bits, or none
    ac[4] = 0x10;
    buf_put(&out, str_of(before, sizeof before));
    buf_put(&out, str_of(eights, sizeof eights));
    buf_put(&out, str_of(frame, sizeof frame));
    buf_put(&out, str_of(dc, sizeof dc));
    buf_put(&out, str_of(ac, sizeof ac));
    buf_put(&out, str_of(scan, sizeof scan));
    buf_put(&out, light ? S("\x64\x7f\xff\xd9") : S("\x3f\xff\xd9"));
    str bytes = str_copy(a, buf_str(&out));
    buf_free(&out);
    return bytes;
}

static str bits_text(arena *a, uint32_t value, int count, int group)
{
    buf out = buf_make(128);
    for (int i = 0; i < count; i++) {
        if (i && i % group == 0)
            buf_put_byte(&out, ' ');
        buf_put_byte(&out, '0' + (value >> (count - 1 - i) & 1));
    }
    str text = str_copy(a, buf_str(&out));
    buf_free(&out);
    return text;
}

// One to three bytes in groups of six bits, looked up in the table; compared with what the encoder writes.
static void show_group(play *p, str bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t value = 0;
    int letters = (int)bytes.len + 1;
    unsigned char by_hand[4] = {'=', '=', '=', '='};
    for (int i = 0; i < 3; i++)
        value = value << 8 | (i < bytes.len ? bytes.at[i] : 0);
    for (int i = 0; i < letters; i++)
        by_hand[i] = (unsigned char)alphabet[value >> (18 - 6 * i) & 63];
    int used = 8 * (int)bytes.len;
    play_tell(p, "  %td byte%s   " STR_FMT "\n  %d letters  " STR_FMT "\n            %.4s%s", bytes.len, bytes.len == 1 ? "" : "s",
              STR_ARG(bits_text(&p->memory, value >> (24 - used), used, 8)), letters,
              STR_ARG(bits_text(&p->memory, value >> (24 - 6 * letters), 6 * letters, 6)), by_hand,
              letters < 4 ? "   (filled up with zero bits, and with = to four letters)" : "");
    play_check(p, str_eq(base64_text(&p->memory, bytes), str_of(by_hand, 4)), "the encoder writes the same");
}

static void show_base64(play *p, str jpeg)
{
    play_tell(p, "Base64: 3 bytes of 8 bits become 4 letters of 6 bits, from A-Z (0-25), a-z (26-51), 0-9 (52-61), + (62), / (63).\n"
                 "The first three bytes of every JPEG, ff d8 ff:");
    show_group(p, str_first(jpeg, 3));
    play_tell(p, "What is left at the end, when the length is no multiple of three:");
    show_group(p, S("M"));
    show_group(p, S("Ma"));
}

// ---- the letter with two pictures -----------------------------------------------------------------------------------

static void compose(play *p, const mime_attachment *files, int count, buf *out)
{
    header_address alice, bob;
    bool bad = false;
    address_list_read(S("Alice <alice@crepes.fr>"), &p->memory, &alice, 1, &bad);
    address_list_read(S("Bob <bob@hamburger.edu>"), &p->memory, &bob, 1, &bad);
    mime_letter l = {.from = &alice, .from_count = 1, .to = &bob, .to_count = 1, .subject = str_z(korean),
                     .text = str_format(&p->memory, "Two pictures. %s\r\n", korean), .attachments = files, .attachment_count = count,
                     .message_id = S("<pictures@crepes.fr>"), .time_s = world_wall_s(p->net->world), .chance = 5};
    bool good = !bad && mime_compose(&l, out);
    play_check(p, good, "the letter is composed: %zu bytes", out->len);
}

static void show_lines(play *p, str letter)
{
    for (int i = 0; i < SHOWN_LINES_MAX && letter.len; i++) {
        str line = str_chomp(str_cut(&letter, '\n'));
        play_show(p, "C", line);
    }
    if (letter.len)
        play_show(p, "C", S("..."));
}

static bool seven_bit(str text)
{
    for (ptrdiff_t i = 0; i < text.len; i++)
        if (text.at[i] > 127)
            return false;
    return true;
}

static void submit(play *p, str letter, const char *body)
{
    conn *c = play_submission(p, "crepes.fr", "alice@crepes.fr");
    play_say(p, c, "MAIL FROM:<alice@crepes.fr> BODY=%s", body);
    play_expect(p, c, "250");
    play_say(p, c, "RCPT TO:<bob@hamburger.edu>");
    play_expect(p, c, "250");
    play_say(p, c, "DATA");
    play_expect(p, c, "354");
    show_lines(p, letter);
    conn_put(c, letter);                                 // no line of it begins with a dot
    play_say(p, c, ".");
    play_expect(p, c, "250 2.0.0");
    p->trace = p->trace ? p->trace : story_last_trace("smtp");
    play_say(p, c, "QUIT");
    play_expect(p, c, "221");
    conn_close(c);
}

// The one letter in Bob's mailbox, taken out of it.
static str fetch(play *p)
{
    conn *c = play_mailbox(p, "hamburger.edu", "bob@hamburger.edu", 1, PATIENCE_NS);
    if (!c)
        return (str){0};
    play_say(p, c, "RETR 1");
    play_expect(p, c, "+OK");
    str text = play_text(p, c);
    play_say(p, c, "DELE 1");
    play_expect(p, c, "+OK");
    play_say(p, c, "QUIT");
    play_expect(p, c, "+OK");
    conn_close(c);
    return text;
}

static str decoded(play *p, const mime_part *part)
{
    buf out = buf_make(LETTER_BYTES_MAX);
    mime_decode(part, &out);
    str bytes = str_copy(&p->memory, buf_str(&out));
    buf_free(&out);
    return bytes;
}

static void check_pictures(play *p, str text, const mime_attachment *files, int count)
{
    mime_tree t = mime_read(text, &p->memory);
    int found = 0;
    for (int i = 0; i < t.count; i++)
        if (str_eq(t.parts[i].type.type, S("image")) && found < count) {
            const mime_attachment *f = &files[found++];
            play_check(p, str_eq(t.parts[i].type.subtype, S("jpeg")) && t.parts[i].encoding == MIME_BASE64 &&
                       str_eq(decoded(p, &t.parts[i]), f->bytes), "Bob has " STR_FMT " byte for byte (%td bytes, Content-Type: image/jpeg)",
                       STR_ARG(f->file_name), f->bytes.len);
        }
    play_check(p, found == count && t.count == count + 2, "text and %d pictures in one letter", count);
}

static void pictures(play *p)
{
    mime_attachment files[] = {{.file_name = S("dark.jpg"), .type = S("image/jpeg"), .bytes = picture(&p->memory, false)},
                               {.file_name = S("light.jpg"), .type = S("image/jpeg"), .bytes = picture(&p->memory, true)}};
    buf letter = buf_make(LETTER_BYTES_MAX);
    show_base64(p, files[0].bytes);
    compose(p, files, 2, &letter);
    play_check(p, seven_bit(buf_str(&letter)), "nothing in it is above 7 bits, though the pictures and the Korean text are");
    submit(p, buf_str(&letter), "7BIT");
    buf_free(&letter);
    check_pictures(p, fetch(p), files, 2);
}

// ---- Korean in four charsets ----------------------------------------------------------------------------------------

static void charsets(play *p)
{
    static const struct { const char *charset, *bytes; } rows[] = {
        {"EUC-KR", "\xc7\xd1\xb1\xb9\xbe\xee"}, {"CP949", "\xc7\xd1\xb1\xb9\xbe\xee"},
        {"ISO-2022-KR", "\x1b$)C\x0eGQ19>n\x0f"}, {"UTF-8", korean},
    };
    play_tell(p, "Korean as it was written over the years: the same word in four charsets, in subject and body");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        str bytes = str_z(rows[i].bytes), word = base64_text(&p->memory, bytes);
        bool quiet = p->quiet;
        p->quiet = true;
        conn *c = play_connect(p, "crepes.fr", "hamburger.edu", 25);
        play_expect(p, c, "220");
        play_say(p, c, "EHLO crepes.fr");
        play_expect(p, c, "250");
        play_say(p, c, "MAIL FROM:<alice@crepes.fr> BODY=8BITMIME\r\nRCPT TO:<bob@hamburger.edu>\r\nDATA");
        play_expect(p, c, "250");
        play_expect(p, c, "250");
        play_expect(p, c, "354");
        play_say(p, c, "Subject: =?%s?B?" STR_FMT "?=\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=%s\r\n"
                 "Content-Transfer-Encoding: 8bit\r\n\r\n" STR_FMT "\r\n.", rows[i].charset, STR_ARG(word), rows[i].charset, STR_ARG(bytes));
        play_expect(p, c, "250");
        conn_close(c);
        str text = fetch(p);
        p->quiet = quiet;
        mime_tree t = mime_read(text, &p->memory);
        const header_field *f = t.count ? header_find(&t.parts[0].header, S("Subject")) : NULL;
        str subject = f ? header_text(f->value, &p->memory, mail_charset, NULL) : (str){0};
        str body = t.count ? str_chomp(mail_charset(NULL, str_z(rows[i].charset), decoded(p, &t.parts[0]), &p->memory)) : (str){0};
        play_check(p, str_eq(subject, str_z(korean)) && str_eq(body, str_z(korean)), "%s: subject and body read %s", rows[i].charset, korean);
    }
}

// ---- a next hop that knows 7 bits only ------------------------------------------------------------------------------

typedef struct { buf letter; bool done; } old_server;

// A server of 1982: HELO, no extensions.
static void old_converse(conn *c, void *arg)
{
    old_server *o = arg;
    bool in_letter = false;
    arena msg = arena_make(OLD_LINE_BYTES_MAX * 64);
    conn_deadline(c, PATIENCE_NS);
    conn_put(c, S("220 hamburger.edu SMTP\r\n"));
    for (int commands = 0; !c->error && commands < OLD_COMMANDS_MAX;) {
        arena_reset(&msg);
        str line = conn_line(c, &msg, OLD_LINE_BYTES_MAX);
        if (in_letter && !str_eq(str_chomp(line), S("."))) {
            buf_put(&o->letter, line);
            continue;
        }
        commands++;
        if (in_letter) {
            in_letter = false;
            o->done = true;
            conn_put(c, S("250 ok\r\n"));
        } else if (str_starts_nocase(line, S("DATA"))) {
            in_letter = true;
            conn_put(c, S("354 go ahead\r\n"));
        } else if (str_starts_nocase(line, S("QUIT"))) {
            conn_put_last(c, S("221 bye\r\n"));
            break;
        } else {
            bool known = str_starts_nocase(line, S("HELO")) || str_starts_nocase(line, S("MAIL")) || str_starts_nocase(line, S("RCPT"));
            conn_put(c, known ? S("250 ok\r\n") : S("500 what?\r\n"));
        }
    }
    arena_free(&msg);
}

static bool old_server_has_it(play *p, void *arg) { (void)p; return ((old_server *)arg)->done; }

static void seven_bit_hop(play *p)
{
    small_host *h = small_find(p->net, S("hamburger.edu"));
    old_server o = {.letter = buf_make(LETTER_BYTES_MAX)};
    door *d = NULL;
    play_tell(p, "In the place of Bob's server stands one of 1982: HELO only, seven bits only. Alice sends Korean in eight.");
    small_host_stop(p->net, h);
    SCOPE(served, 0, 4);
    door_options options = {.service = "old", .at = addr_with_port(h->host->here[0], 25)};
    if (!play_check(p, door_open(&served, h->world, options, old_converse, &o, &d) == E_OK, "it listens"))
        return;
    submit(p, str_format(&p->memory, "Subject: eight bits\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
                         "Content-Transfer-Encoding: 8bit\r\n\r\n%s\r\n", korean), "8BITMIME");
    bool there = play_until(p, PATIENCE_NS, old_server_has_it, &o);
    str text = str_copy(&p->memory, buf_str(&o.letter));
    mime_tree t = mime_read(text, &p->memory);
    play_check(p, there && seven_bit(text), "what Alice's server sent on has seven bits");
    play_check(p, there && str_eq(str_chomp(decoded(p, &t.parts[0])), str_z(korean)), "and says the same");
    door_stop(d);
    scope_close(&served);
    buf_free(&o.letter);
}

void scene_mime(play *p)
{
    pictures(p);
    charsets(p);
    seven_bit_hop(p);
}
