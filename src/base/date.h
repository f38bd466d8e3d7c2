// Dates between 0001-01-01 and 9999-12-31 as seconds since 1970-01-01 00:00:00 UTC, and the text forms of the mail,
// web and log standards. Proleptic Gregorian calendar, no leap seconds, no time zone database, no clock.
#pragma once
#include "base/arena.h"

typedef struct {
    int year;                       // 1..9999
    int month, day;                 // from 1
    int hour, minute, second;
    int weekday;                    // 0: Sunday
} date;

enum { DATE_TEXT_MAX = 40 };        // every text form fits, with its NUL
#define DATE_SECONDS_MIN (-INT64_C(62135596800))
#define DATE_SECONDS_MAX INT64_C(253402300799)

date    date_of(int64_t seconds);                       // in UTC; clamped to the years above
int64_t date_seconds(date d);                           // weekday is not looked at; fields must be in range
bool    date_valid(date d);                             // the fields are in range and the day is in the month

// "Sat, 21 Nov 2026 21:53:27 +0900": RFC 5322 section 3.3. zone_minutes is the offset east of UTC to show.
void date_print_mail(char out[DATE_TEXT_MAX], int64_t seconds, int zone_minutes);
// "Sat, 21 Nov 2026 12:53:27 GMT": IMF-fixdate, RFC 9110 section 5.6.7.
void date_print_http(char out[DATE_TEXT_MAX], int64_t seconds);
// "2026-11-21T12:53:27Z": RFC 3339.
void date_print_rfc3339(char out[DATE_TEXT_MAX], int64_t seconds);
// "2026-11-21T12:53:27.042Z", for logs. The input is nanoseconds since 1970.
void date_print_rfc3339_ms(char out[DATE_TEXT_MAX], int64_t nanoseconds);

// Each false when the text is not a date of that form; *seconds is then unchanged.
// Mail: optional weekday, one or two digits of day, years of 2, 3 or 4 digits, optional seconds, offsets, the old zone
// names, and comments at the end (RFC 5322 sections 3.3 and 4.3). A weekday that does not fit its date is let pass.
bool date_parse_mail(str text, int64_t *seconds);
bool date_parse_http(str text, int64_t *seconds);       // IMF-fixdate, RFC 850 and asctime forms (RFC 9110 section 5.6.7)
bool date_parse_rfc3339(str text, int64_t *seconds);    // a fraction is read and dropped; "t", "z" and ' ' are accepted
