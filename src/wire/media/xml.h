// A bounded reader of the XML that manifests need (XML 1.0, UTF-8): elements, attributes, text, comments, CDATA
// and processing instructions (both skipped over or taken as text). No document type, hence no entities but the
// five and numeric ones: nothing that a stranger writes can grow. Names are compared as they stand, prefix and
// all. Pure.
#pragma once
#include "base/buf.h"

enum {
    XML_BYTES_MAX = 8 * 1024 * 1024,
    XML_DEPTH_MAX = 32,
    XML_ATTRIBUTES_MAX = 48,                 // of one element
    XML_ELEMENTS_MAX = 256 * 1024,
    XML_NAME_BYTES_MAX = 128,
};

typedef struct { str name, value; } xml_attribute;

typedef struct xml_element {
    str            name;
    xml_attribute *attributes; int attribute_count;
    str            text;                     // what stands directly in it, references resolved, the pieces joined
    struct xml_element *first, *last, *next, *parent;
} xml_element;

// The root element; NULL and *why (a sentence) when the text is not well-formed or above a limit. Views point into
// `text` or `a`.
xml_element *xml_read(str text, arena *a, const char **why);

str xml_value(const xml_element *e, str attribute);                      // empty when absent
bool xml_has(const xml_element *e, str attribute);
xml_element *xml_child(const xml_element *e, str name);                  // the first; NULL
xml_element *xml_next(const xml_element *e, str name);                   // the next sibling of that name; NULL

// text as content or in an attribute with double quotes: & < > " escaped; control characters, which XML cannot
// say, become U+FFFD.
bool xml_put(buf *out, str text);
