#include "test.h"

#include "base/date.h"

TEST(date_walks_every_day_of_the_calendar)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t seconds = DATE_SECONDS_MIN;
    int weekday = 1, wrong = 0;                                     // 0001-01-01 was a Monday
    for (int year = 1; year <= 9999; year++)
        for (int month = 1; month <= 12; month++) {
            int leap = month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0);
            for (int day = 1; day <= days[month - 1] + leap; day++, seconds += 86400, weekday = (weekday + 1) % 7) {
                date d = date_of(seconds + 86399);
                wrong += d.year != year || d.month != month || d.day != day || d.weekday != weekday || d.hour != 23 ||
                         d.minute != 59 || d.second != 59 || date_seconds(d) != seconds + 86399;
            }
        }
    CHECK_INT(wrong, 0);
    CHECK_INT(seconds, DATE_SECONDS_MAX + 1);
    CHECK_INT(date_of(INT64_MAX).year, 9999);
    CHECK_INT(date_of(INT64_MIN).year, 1);
}

TEST(date_text_forms)
{
    char out[DATE_TEXT_MAX];
    int64_t t = 784111777;
    date_print_http(out, t);
    CHECK_STR(str_z(out), S("Sun, 06 Nov 1994 08:49:37 GMT"));
    date_print_mail(out, t, 9 * 60);
    CHECK_STR(str_z(out), S("Sun, 6 Nov 1994 17:49:37 +0900"));
    date_print_mail(out, t, -(3 * 60 + 30));
    CHECK_STR(str_z(out), S("Sun, 6 Nov 1994 05:19:37 -0330"));
    date_print_rfc3339(out, t);
    CHECK_STR(str_z(out), S("1994-11-06T08:49:37Z"));
    date_print_rfc3339_ms(out, t * 1000000000 + 42 * 1000000);
    CHECK_STR(str_z(out), S("1994-11-06T08:49:37.042Z"));
    date_print_rfc3339_ms(out, -1);
    CHECK_STR(str_z(out), S("1969-12-31T23:59:59.999Z"));
    date_print_mail(out, INT64_MAX / 2, 100000);
    CHECK_STR(str_z(out), S("Fri, 31 Dec 9999 23:59:59 +0000"));
}

typedef bool parser(str, int64_t *);
enum { BAD = -7 };

static const struct { parser *parse; str text; int64_t want; } rows[] = {
    {date_parse_mail, S("Sun, 6 Nov 1994 08:49:37 +0000"), 784111777},
    {date_parse_mail, S("Sun, 06 Nov 1994 17:49:37 +0900 (KST)"), 784111777},
    {date_parse_mail, S("6 Nov 1994 08:49:37 GMT"), 784111777},
    {date_parse_mail, S("6 Nov 94 03:49:37 EST"), 784111777},
    {date_parse_mail, S("6 Nov 094 08:49:37 Z"), 784111777},
    {date_parse_mail, S("Sun,6 nov 1994\r\n 08:49:37 -0000 (a (nested) comment)"), 784111777},
    {date_parse_mail, S("6 Nov 1994 08:49 +0000"), 784111740},
    {date_parse_mail, S("1 Jan 1970 00:00:00 +0000"), 0},
    {date_parse_mail, S("29 Feb 2000 00:00:00 +0000"), 951782400},
    {date_parse_mail, S("29 Feb 1900 00:00:00 +0000"), BAD},
    {date_parse_mail, S("31 Apr 2000 00:00:00 +0000"), BAD},
    {date_parse_mail, S("6 Nov 1994 24:00:00 +0000"), BAD},
    {date_parse_mail, S("6 Nov 1994 08:49:37 +0000 x"), BAD},
    {date_parse_mail, S("6 Nov 1994 08:49:37 +2400"), BAD},
    {date_parse_mail, S("6 Nov 1994 08:49:37 +0000 (open"), BAD},
    {date_parse_mail, S("6 Nov"), BAD},
    {date_parse_mail, S(""), BAD},
    {date_parse_http, S("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777},
    {date_parse_http, S("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777},
    {date_parse_http, S("Sun Nov  6 08:49:37 1994"), 784111777},
    {date_parse_http, S("Sun, 6 Nov 1994 08:49:37 GMT"), BAD},
    {date_parse_http, S("Sun, 06 Nov 1994 08:49:37 +0000"), BAD},
    {date_parse_http, S("Sun, 06 Nov 1994 08:49:37 GMT "), BAD},
    {date_parse_http, S("06 Nov 1994 08:49:37 GMT"), BAD},
    {date_parse_rfc3339, S("1994-11-06T08:49:37Z"), 784111777},
    {date_parse_rfc3339, S("1994-11-06t17:49:37.123456789+09:00"), 784111777},
    {date_parse_rfc3339, S("1994-11-06 08:49:37z"), 784111777},
    {date_parse_rfc3339, S("1994-11-06T08:49:37"), BAD},
    {date_parse_rfc3339, S("1994-11-06T08:49:37.Z"), BAD},
    {date_parse_rfc3339, S("1994-13-06T08:49:37Z"), BAD},
    {date_parse_rfc3339, S("0000-01-01T00:00:00Z"), BAD},
};

TEST(date_parses_and_refuses)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t got = BAD;
        CHECK_ROW(i, rows[i].parse(rows[i].text, &got) == (rows[i].want != BAD));
        CHECK_ROW(i, got == rows[i].want);
    }
}

TEST(date_round_trips)
{
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        char out[DATE_TEXT_MAX];
        uint64_t days = 3652000;                                    // a little less than there are
        int64_t t = DATE_SECONDS_MIN + 86400 + (int64_t)(test_random(&seed) % (days * 86400)), got = 0;
        date_print_mail(out, t, (int)(test_random(&seed) % 1600) - 800);
        CHECK_ROW(i, date_parse_mail(str_z(out), &got) && got == t);
        date_print_http(out, t);
        CHECK_ROW(i, date_parse_http(str_z(out), &got) && got == t);
        date_print_rfc3339(out, t);
        CHECK_ROW(i, date_parse_rfc3339(str_z(out), &got) && got == t);
    }
}
