#include "script.h"

#include <regex.h>

#include "base/buf.h"
#include "base/quantity.h"

static const struct { const char *word; talk_act act; } acts[] = {
    {"connect", TALK_CONNECT}, {"datagram", TALK_DATAGRAM}, {"C:", TALK_SAY}, {"C=", TALK_SEND}, {"S:", TALK_HEAR},
    {"S..", TALK_HEAR_LAST}, {"S=", TALK_HEAR_EXACTLY}, {"starttls", TALK_STARTTLS}, {"wait", TALK_WAIT},
    {"letters", TALK_LETTERS}, {"shut", TALK_SHUT}, {"closed", TALK_CLOSED}, {"close", TALK_CLOSE},
};

static bool hex_pair(str s, unsigned char *out)
{
    uint64_t value;
    if (s.len < 2 || !str_hex_to_u64(str_first(s, 2), &value))
        return false;
    *out = (unsigned char)value;
    return true;
}

// "text\r\n" in quotes, with its escapes.
static bool quoted_read(str s, arena *a, str *out)
{
    if (s.len < 2 || s.at[0] != '"' || s.at[s.len - 1] != '"')
        return false;
    unsigned char *bytes = arena_array(a, unsigned char, s.len);
    size_t n = 0;
    for (ptrdiff_t i = 1; i < s.len - 1; i++) {
        if (s.at[i] != '\\') {
            bytes[n++] = s.at[i];
            continue;
        }
        switch (s.at[++i]) {
        case 'r': bytes[n++] = '\r'; break;
        case 'n': bytes[n++] = '\n'; break;
        case 't': bytes[n++] = '\t'; break;
        case 'x':
            if (!hex_pair(str_from(s, i + 1), &bytes[n++]))
                return false;
            i += 2;
            break;
        default: bytes[n++] = s.at[i];
        }
    }
    *out = str_of(bytes, n);
    return true;
}

static bool step_read(str line, arena *a, talk_step *step)
{
    str rest = line, word = str_word(&rest);
    // One space separates; further ones belong to what is said.
    str text = str_from(line, word.len + (line.len > word.len));
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (!str_eq(word, str_z(acts[i].word)))
            continue;
        step->act = acts[i].act;
        step->text = text;
        if (step->act == TALK_SEND || step->act == TALK_HEAR_EXACTLY)
            return quoted_read(str_trim(text), a, &step->text);
        if (step->act == TALK_WAIT)
            return duration_parse(str_trim(text), &step->wait_ms);
        if (step->act == TALK_CONNECT || step->act == TALK_DATAGRAM || step->act == TALK_LETTERS) {
            step->text = str_word(&rest);
            step->service = str_word(&rest);
            return step->service.len > 0 && (step->act != TALK_LETTERS || str_to_u64(str_word(&rest), &step->count));
        }
        return true;
    }
    return false;
}

bool talk_script_read(str name, str text, arena *a, talk_script *out, str *why)
{
    *out = (talk_script){.file = name, .steps = arena_array(a, talk_step, TALK_STEPS_MAX)};
    int number = 0;
    while (text.len) {
        str line = str_cut(&text, '\n');
        number++;
        if (str_starts(line, S("#")) && !out->title.len)
            out->title = str_trim(str_from(line, 1));
        if (!str_trim(line).len || line.at[0] == '#')
            continue;
        talk_step *step = &out->steps[out->count];
        step->line = number;
        if (out->count == TALK_STEPS_MAX - 1 || !step_read(line, a, step)) {
            *why = str_format(a, STR_FMT ":%d: not a step of a script: " STR_FMT, STR_ARG(name), number,
                              STR_ARG(line));
            return false;
        }
        out->count++;
    }
    return !a->full;
}

static bool glob_matches(str pattern, str line)
{
    ptrdiff_t star = str_find(pattern, '*');
    if (star < 0)
        return str_eq(pattern, line);
    if (!str_starts(line, str_first(pattern, star)))
        return false;
    str rest = str_from(pattern, star + 1);
    for (ptrdiff_t i = star; i <= line.len; i++)
        if (glob_matches(rest, str_from(line, i)))
            return true;
    return false;
}

bool talk_matches(str pattern, str line)
{
    if (pattern.len < 2 || pattern.at[0] != '/' || pattern.at[pattern.len - 1] != '/')
        return glob_matches(pattern, line);
    arena a = arena_make(4 * TALK_LINE_BYTES_MAX);
    regex_t compiled;
    bool matches = false;
    if (!regcomp(&compiled, str_to_z(&a, str_sub(pattern, 1, pattern.len - 2)), REG_EXTENDED | REG_NOSUB)) {
        matches = !regexec(&compiled, str_to_z(&a, line), 0, NULL, 0);
        regfree(&compiled);
    }
    arena_free(&a);
    return matches;
}
