#include "base/date.h"

#include <stdio.h>
#include <string.h>

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekdays[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const str  long_weekdays[7] = {S("Sunday"),   S("Monday"), S("Tuesday"), S("Wednesday"),
                                      S("Thursday"), S("Friday"), S("Saturday")};

enum { DAY_SECONDS = 24 * 60 * 60, ERA_DAYS = 146097, ERA_YEARS = 400, ZONE_MINUTES_MAX = 24 * 60 - 1 };

static bool leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static int month_days(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && leap(year) ? 29 : days[month - 1];
}

// Days since 1970-01-01. Years begin in March, so that the leap day is the last one; eras of 400 years repeat.
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;            // y >= 0 because year >= 1
    int64_t era = y / ERA_YEARS, of_era = y % ERA_YEARS;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t date_seconds(date d)
{
    return days_of(d.year, d.month, d.day) * DAY_SECONDS + d.hour * 3600 + d.minute * 60 + d.second;
}

bool date_valid(date d)
{
    return d.year >= 1 && d.year <= 9999 && d.month >= 1 && d.month <= 12 && d.day >= 1 &&
           d.day <= month_days(d.year, d.month) && d.hour >= 0 && d.hour <= 23 && d.minute >= 0 && d.minute <= 59 &&
           d.second >= 0 && d.second <= 60;             // 60: a leap second, taken as the next second
}

date date_of(int64_t seconds)
{
    if (seconds < DATE_SECONDS_MIN)
        seconds = DATE_SECONDS_MIN;
    if (seconds > DATE_SECONDS_MAX)
        seconds = DATE_SECONDS_MAX;
    int64_t since = seconds - DATE_SECONDS_MIN;         // never negative: division truncates as wanted
    int64_t today = since / DAY_SECONDS, of_day = since % DAY_SECONDS;
    int64_t days = today + 306;                         // since 0000-03-01
    int64_t era = days / ERA_DAYS, of_era = days % ERA_DAYS;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;            // 0: March
    date d = {.day = (int)(of_year - (153 * month + 2) / 5 + 1), .month = (int)(month < 10 ? month + 3 : month - 9)};
    d.year = (int)(year + era * ERA_YEARS + (d.month <= 2));
    d.hour = (int)(of_day / 3600);
    d.minute = (int)(of_day / 60 % 60);
    d.second = (int)(of_day % 60);
    d.weekday = (int)((today + 1) % 7);                 // 0001-01-01 was a Monday
    return d;
}

void date_print_mail(char out[DATE_TEXT_MAX], int64_t seconds, int zone_minutes)
{
    if (zone_minutes < -ZONE_MINUTES_MAX || zone_minutes > ZONE_MINUTES_MAX)
        zone_minutes = 0;
    date d = date_of(seconds + zone_minutes * INT64_C(60));
    int zone = zone_minutes < 0 ? -zone_minutes : zone_minutes;
    snprintf(out, DATE_TEXT_MAX, "%s, %d %s %04d %02d:%02d:%02d %c%02d%02d", weekdays[d.weekday], d.day,
             months[d.month - 1], d.year, d.hour, d.minute, d.second, zone_minutes < 0 ? '-' : '+', zone / 60 % 24,
             zone % 60);
}

void date_print_http(char out[DATE_TEXT_MAX], int64_t seconds)
{
    date d = date_of(seconds);
    snprintf(out, DATE_TEXT_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT", weekdays[d.weekday], d.day,
             months[d.month - 1], d.year, d.hour, d.minute, d.second);
}

void date_print_rfc3339(char out[DATE_TEXT_MAX], int64_t seconds)
{
    date d = date_of(seconds);
    snprintf(out, DATE_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02dZ", d.year, d.month, d.day, d.hour, d.minute, d.second);
}

void date_print_rfc3339_ms(char out[DATE_TEXT_MAX], int64_t nanoseconds)
{
    int64_t second = 1000000000, seconds = nanoseconds / second - (nanoseconds % second < 0);
    date d = date_of(seconds);
    snprintf(out, DATE_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", d.year, d.month, d.day, d.hour, d.minute,
             d.second, (int)((nanoseconds - seconds * second) / 1000000));
}

// Everything below reads from the front of *s and leaves what follows.

static bool take(str *s, unsigned char c)
{
    if (!s->len || s->at[0] != c)
        return false;
    *s = str_from(*s, 1);
    return true;
}

static void take_blanks(str *s)
{
    while (take(s, ' ') || take(s, '\t') || take(s, '\r') || take(s, '\n'))
        continue;
}

// Between `least` and `most` digits; returns how many, 0 when there are fewer.
static int take_digits(str *s, int least, int most, int *out)
{
    int n = 0, value = 0;
    while (n < most && n < s->len && is_digit(s->at[n]))
        value = value * 10 + (s->at[n++] - '0');
    if (n < least)
        return 0;
    *out = value;
    *s = str_from(*s, n);
    return n;
}

static bool take_month(str *s, int *month)
{
    for (int i = 0; i < 12; i++)
        if (str_starts_nocase(*s, str_of(months[i], 3))) {
            *month = i + 1;
            *s = str_from(*s, 3);
            return true;
        }
    return false;
}

static bool take_weekday(str *s)
{
    for (int i = 0; i < 7; i++) {
        bool whole = str_starts_nocase(*s, long_weekdays[i]);
        if (whole || str_starts_nocase(*s, str_of(weekdays[i], 3))) {
            *s = str_from(*s, whole ? long_weekdays[i].len : 3);
            return true;
        }
    }
    return false;
}

static bool take_clock(str *s, date *d)
{
    return take_digits(s, 2, 2, &d->hour) && take(s, ':') && take_digits(s, 2, 2, &d->minute) && take(s, ':') &&
           take_digits(s, 2, 2, &d->second);
}

// "+0900", "-0330", "GMT", "EST": minutes east of UTC. Unknown names count as UTC (RFC 5322 section 4.3).
static bool take_zone(str *s, int *minutes)
{
    static const struct { str name; int hours; } names[] = {
        {S("EDT"), -4}, {S("EST"), -5}, {S("CDT"), -5}, {S("CST"), -6},
        {S("MDT"), -6}, {S("MST"), -7}, {S("PDT"), -7}, {S("PST"), -8},
    };
    int sign = take(s, '+') ? 1 : take(s, '-') ? -1 : 0, hours = 0, rest = 0;
    if (sign) {
        if (!take_digits(s, 2, 2, &hours) || !take_digits(s, 2, 2, &rest) || hours > 23 || rest > 59)
            return false;
        *minutes = sign * (hours * 60 + rest);
        return true;
    }
    ptrdiff_t n = 0;
    while (n < s->len && is_alpha(s->at[n]))
        n++;
    *minutes = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(str_first(*s, n), names[i].name))
            *minutes = names[i].hours * 60;
    *s = str_from(*s, n);
    return true;                                        // no zone at all: UTC
}

// A comment in parentheses, nested ones too, or blanks; false when something else follows.
static bool only_comments(str s)
{
    int depth = 0;
    for (ptrdiff_t i = 0; i < s.len; i++) {
        unsigned char c = s.at[i];
        if (c == '\\' && depth)
            i++;
        else if (c == '(')
            depth++;
        else if (c == ')' && depth)
            depth--;
        else if (!depth && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return false;
    }
    return depth == 0;
}

// RFC 5322 section 4.3: 00..49 are 2000.., 50..99 are 1900.., three digits count from 1900.
static int full_year(int year, int digits)
{
    if (digits == 2)
        return year + (year < 50 ? 2000 : 1900);
    return digits == 3 ? year + 1900 : year;
}

static bool finish(date d, int zone_minutes, int64_t *seconds)
{
    if (!date_valid(d))
        return false;
    *seconds = date_seconds(d) - zone_minutes * INT64_C(60);
    return true;
}

bool date_parse_mail(str s, int64_t *seconds)
{
    date d = {0};
    int digits, zone = 0;
    take_blanks(&s);
    if (take_weekday(&s)) {
        take_blanks(&s);
        take(&s, ',');
    }
    take_blanks(&s);
    if (!take_digits(&s, 1, 2, &d.day))
        return false;
    take_blanks(&s);
    if (!take_month(&s, &d.month))
        return false;
    take_blanks(&s);
    if (!(digits = take_digits(&s, 2, 4, &d.year)))
        return false;
    d.year = full_year(d.year, digits);
    take_blanks(&s);
    if (!take_digits(&s, 1, 2, &d.hour) || !take(&s, ':') || !take_digits(&s, 2, 2, &d.minute))
        return false;
    if (take(&s, ':') && !take_digits(&s, 2, 2, &d.second))
        return false;
    take_blanks(&s);
    return take_zone(&s, &zone) && only_comments(s) && finish(d, zone, seconds);
}

// "06 Nov 1994 08:49:37 GMT", with the separator of the form and its digits of year.
static bool parse_http_rest(str s, unsigned char separator, int year_digits, int64_t *seconds)
{
    date d = {0};
    if (!take(&s, ' ') || !take_digits(&s, 2, 2, &d.day) || !take(&s, separator) || !take_month(&s, &d.month) ||
        !take(&s, separator) || !take_digits(&s, year_digits, year_digits, &d.year) || !take(&s, ' ') || !take_clock(&s, &d))
        return false;
    d.year = full_year(d.year, year_digits);
    return str_eq(s, S(" GMT")) && finish(d, 0, seconds);
}

// " Nov  6 08:49:37 1994"
static bool parse_asctime_rest(str s, int64_t *seconds)
{
    date d = {0};
    if (!take(&s, ' ') || !take_month(&s, &d.month) || !take(&s, ' '))
        return false;
    take(&s, ' ');
    return take_digits(&s, 1, 2, &d.day) && take(&s, ' ') && take_clock(&s, &d) && take(&s, ' ') &&
           take_digits(&s, 4, 4, &d.year) && s.len == 0 && finish(d, 0, seconds);
}

bool date_parse_http(str s, int64_t *seconds)
{
    ptrdiff_t before = s.len;
    if (!take_weekday(&s))
        return false;
    if (!take(&s, ','))
        return parse_asctime_rest(s, seconds);
    return before - s.len == 4 ? parse_http_rest(s, ' ', 4, seconds) : parse_http_rest(s, '-', 2, seconds);
}

bool date_parse_rfc3339(str s, int64_t *seconds)
{
    date d = {0};
    int sign, hours = 0, minutes = 0;
    if (!take_digits(&s, 4, 4, &d.year) || !take(&s, '-') || !take_digits(&s, 2, 2, &d.month) || !take(&s, '-') ||
        !take_digits(&s, 2, 2, &d.day) || !(take(&s, 'T') || take(&s, 't') || take(&s, ' ')) || !take_clock(&s, &d))
        return false;
    if (take(&s, '.')) {
        ptrdiff_t n = 0;
        while (n < s.len && is_digit(s.at[n]))
            n++;
        if (n == 0)
            return false;
        s = str_from(s, n);
    }
    if (take(&s, 'Z') || take(&s, 'z'))
        return s.len == 0 && finish(d, 0, seconds);
    sign = take(&s, '+') ? 1 : take(&s, '-') ? -1 : 0;
    return sign && take_digits(&s, 2, 2, &hours) && take(&s, ':') && take_digits(&s, 2, 2, &minutes) && s.len == 0 &&
           hours <= 23 && minutes <= 59 && finish(d, sign * (hours * 60 + minutes), seconds);
}
