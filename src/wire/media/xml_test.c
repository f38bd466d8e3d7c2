#include "wire/media/xml.h"

#include "test.h"

TEST(xml_becomes_a_tree)
{
    arena a = arena_make(1 << 20);
    const char *why = NULL;
    xml_element *e = xml_read(S("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- c --><a x='1' y=\"&lt;&#x41;&#66;&amp;\">t1<b/>t2<![CDATA[<&]]><?p i?><b z=''>in</b></a>\n"), &a, &why);
    CHECK(e != NULL);
    if (e) {
        CHECK_STR(e->name, S("a"));
        CHECK_STR(xml_value(e, S("y")), S("<AB&"));
        CHECK_STR(e->text, S("t1t2<&"));
        xml_element *first = xml_child(e, S("b")), *second = first ? xml_next(first, S("b")) : NULL;
        CHECK(second && xml_next(second, S("b")) == NULL && xml_has(second, S("z")) && !xml_has(first, S("z")));
        CHECK(second && str_eq(second->text, S("in")));
    }
    arena_free(&a);
}

TEST(what_is_no_xml_is_refused)
{
    static const char *const rows[] = {
        "", " ", "x", "<", "<a", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "<a b/>", "<a b=c/>", "<a b='1'c='2'/>", "<a b='1' b='2'/>", "<a b='<'/>",
        "<a>&x;</a>", "<a>&#0;</a>", "<a>&#x110000;</a>", "<a>&#xd800;</a>", "<a>&lt</a>", "<a>&</a>", "<a>\x01</a>", "<a>\xff</a>", "<!DOCTYPE a><a/>",
        "<a><!-- x</a>", "<a><![CDATA[x</a>", "<1/>", "<a><!ELEMENT b></a>", "</a>", "<a b='1></a>", "<a / >",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arena a = arena_make(1 << 20);
        const char *why = NULL;
        CHECK_ROW(i, xml_read(str_z(rows[i]), &a, &why) == NULL && why != NULL);
        arena_free(&a);
    }
}

TEST(xml_has_ceilings)
{
    arena a = arena_make(16 << 20);
    buf deep = buf_make(1 << 20);
    const char *why = NULL;
    for (int n = 30; n <= 40; n += 10) {
        buf_clear(&deep);
        for (int i = 0; i < n; i++)
            buf_put(&deep, S("<a>"));
        for (int i = 0; i < n; i++)
            buf_put(&deep, S("</a>"));
        CHECK_ROW(n, (xml_read(buf_str(&deep), &a, &why) != NULL) == (n <= XML_DEPTH_MAX));
    }
    buf_clear(&deep);
    buf_put(&deep, S("<a"));
    for (int i = 0; i <= XML_ATTRIBUTES_MAX; i++)
        buf_format(&deep, " b%d=''", i);
    buf_put(&deep, S("/>"));
    CHECK(xml_read(buf_str(&deep), &a, &why) == NULL);
    buf_free(&deep);
    arena_free(&a);
}

TEST(xml_is_escaped)
{
    buf out = buf_make(1000);
    CHECK(xml_put(&out, S("a<b>&\"'\n\x02\xff\xea\xb0\x80")));
    CHECK_STR(buf_str(&out), S("a&lt;b&gt;&amp;&quot;'&#10;\xef\xbf\xbd\xef\xbf\xbd\xea\xb0\x80"));
    buf_free(&out);
}
