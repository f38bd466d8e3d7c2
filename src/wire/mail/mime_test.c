#include "wire/mail/mime.h"

#include "test.h"

TEST(mime_type_reads_parameters)
{
    arena a = arena_make(1 << 16);
    mime_type t;
    CHECK(mime_type_read(S(" Text/HTML; charset=\"UTF-8\" ; format=flowed (a comment); x=\"a\\\"b\""), &a, &t));
    CHECK_STR(t.type, S("text"));
    CHECK_STR(t.subtype, S("html"));
    CHECK_STR(mime_parameter(&t, S("charset"), &a, NULL, NULL), S("UTF-8"));
    CHECK_STR(mime_parameter(&t, S("format"), &a, NULL, NULL), S("flowed"));
    CHECK_STR(mime_parameter(&t, S("x"), &a, NULL, NULL), S("a\"b"));
    CHECK_STR(mime_parameter(&t, S("none"), &a, NULL, NULL), S(""));
    CHECK(mime_type_read(S("attachment; filename*=utf-8''%ED%95%9C%EA%B8%80.txt"), &a, &t));
    CHECK_STR(mime_parameter(&t, S("filename"), &a, NULL, NULL), S("한글.txt"));
    CHECK(mime_type_read(S("attachment; filename*0=\"long \"; filename*1*=%6Eame; filename*2=.txt"), &a, &t));
    CHECK_STR(mime_parameter(&t, S("filename"), &a, NULL, NULL), S("long name.txt"));
    CHECK(!mime_type_read(S("/plain"), &a, &t));
    CHECK_STR(t.subtype, S("plain"));
    CHECK(!mime_type_read(S(""), &a, &t));
    buf flood = buf_make(1 << 20);
    buf_put(&flood, S("text/plain"));
    for (int i = 0; i < 10000; i++)
        buf_format(&flood, "; x*%d=a", i);
    CHECK(mime_type_read(buf_str(&flood), &a, &t));
    CHECK_INT(t.parameter_count, MIME_PARAMETERS_MAX);
    CHECK_INT(mime_parameter(&t, S("x"), &a, NULL, NULL).len, MIME_SECTIONS_MAX);
    buf_free(&flood);
    arena_free(&a);
}

TEST(mime_letter_with_pictures_reads_back_byte_for_byte)
{
    unsigned char picture[1000];
    for (size_t i = 0; i < sizeof picture; i++)
        picture[i] = (unsigned char)(i * 7 + i / 256);
    header_address alice = {.name = S("앨리스"), .address = {S("alice"), S("crepes.fr")}};
    header_address bob = {.address = {S("bob"), S("hamburger.edu")}};
    mime_attachment files[2] = {{S("photo.jpg"), S("image/jpeg"), str_of(picture, sizeof picture)},
                                {S("그림.png"), S("image/png"), str_of(picture, 57)}};
    mime_letter l = {.from = &alice, .from_count = 1, .to = &bob, .to_count = 1, .subject = S("사진 두 장"),
                     .text = S("안녕!\n.\nFrom here\n"), .attachments = files, .attachment_count = 2,
                     .message_id = S("<1@crepes.fr>"), .time_s = 1795298007, .chance = 7};
    for (int eight = 0; eight < 2; eight++) {
        arena a = arena_make(1 << 20);
        buf out = buf_make(1 << 20), part = buf_make(1 << 20);
        l.eight_bit = eight;
        CHECK(mime_compose(&l, &out));
        CHECK_INT(mime_has_8bit(buf_str(&out)), eight);
        mime_tree t = mime_read(buf_str(&out), &a);
        CHECK(!t.cut);
        CHECK_INT(t.count, 4);
        CHECK_STR(header_text(header_find(&t.parts[0].header, S("Subject"))->value, &a, NULL, NULL), l.subject);
        CHECK(mime_decode(&t.parts[1], &part));
        CHECK(str_starts(buf_str(&part), S("안녕!\r\n.\r\nFrom here")));
        for (int i = 0; i < 2; i++) {
            buf_clear(&part);
            CHECK(mime_decode(&t.parts[2 + i], &part));
            CHECK_STR(buf_str(&part), files[i].bytes);
            CHECK_STR(t.parts[2 + i].file_name, files[i].file_name);
            CHECK(t.parts[2 + i].attachment);
        }
        buf_free(&out);
        buf_free(&part);
        arena_free(&a);
    }
}

TEST(mime_reader_has_ceilings)
{
    arena a = arena_make(1 << 24);
    buf b = buf_make(1 << 20);
    for (int i = 0; i < 100; i++)
        buf_format(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
    mime_tree t = mime_read(buf_str(&b), &a);
    CHECK(t.cut);
    CHECK_INT(t.count, MIME_DEPTH_MAX + 1);
    buf_clear(&b);
    buf_put(&b, S("Content-Type: multipart/mixed; boundary=b\r\n\r\n"));
    for (int i = 0; i < 5000; i++)
        buf_put(&b, S("--b\r\n\r\nx\r\n"));
    t = mime_read(buf_str(&b), &a);
    CHECK(t.cut);
    CHECK_INT(t.count, MIME_PARTS_MAX);
    buf_free(&b);
    arena_free(&a);
}

TEST(mime_reader_takes_what_is_broken_as_a_leaf)
{
    static const struct { const char *in; int parts; const char *content; } rows[] = {
        {"Content-Type: multipart/mixed\r\n\r\nno boundary\r\n", 1, "no boundary\r\n"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts\r\n", 1, "no parts\r\n"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\nafter\r\n", 2, "one"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none", 2, "one"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--bx\r\n--b \t\r\n\r\none\r\n--b--", 2, "one"},
        {"Subject: x\r\n\r\nplain\r\n", 1, "plain\r\n"},
        {"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner", 2, "inner"},
    };
    arena a = arena_make(1 << 22);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mime_tree t = mime_read(str_z(rows[i].in), &a);
        CHECK_ROW(i, t.count == rows[i].parts);
        CHECK_ROW(i, str_eq(t.parts[t.count - 1].content, str_z(rows[i].content)));
    }
    arena_free(&a);
}

TEST(mime_letters_are_made_fit_for_seven_bits)
{
    static const struct { const char *in, *wanted; } rows[] = {
        {"Subject: x\r\n\r\nplain\r\n", "plain\r\n"},
        {"Subject: x\r\n\r\ncaf\xc3\xa9 au lait, s'il vous pla\xc3\xaet\r\n",
         "caf\xc3\xa9 au lait, s'il vous pla\xc3\xaet\r\n"},
        {"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
         "\xed\x95\x9c\xea\xb8\x80\r\n", "\xed\x95\x9c\xea\xb8\x80\r\n"},
        {"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\n"
         "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xed\x95\x9c\r\n--b--\r\n",
         "\xed\x95\x9c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena a = arena_make(1 << 22);
        buf out = buf_make(1 << 16), part = buf_make(1 << 16);
        CHECK_ROW(i, mime_to_7bit(str_z(rows[i].in), &a, &out));
        CHECK_ROW(i, !mime_has_8bit(buf_str(&out)));
        mime_tree t = mime_read(buf_str(&out), &a);
        CHECK_ROW(i, mime_decode(&t.parts[t.count - 1], &part));
        CHECK_ROW(i, str_eq(str_trim(buf_str(&part)), str_trim(str_z(rows[i].wanted))));
        buf_free(&out);
        buf_free(&part);
        arena_free(&a);
    }
}
