#include "base/must.h"
#include "rooms/origin/room_inside.h"

#define LADDER "300kbit", "1Mbit", "3Mbit"

const setting origin_settings[] = {
    {.key = "port", .type = SETTING_INT, .fallback = "8080", .min = 1, .max = 65535, .help_en = "TCP port (HTTP)",
     .help_ko = "TCP 포트 (HTTP)"},
    {.key = "listen", .type = SETTING_ADDRESS, .repeated = true,
     .help_en = "address to listen on (default: all of the host's)",
     .help_ko = "들을 주소 (기본: 호스트의 모든 주소)"},
    {.key = "connections", .type = SETTING_INT, .fallback = "2000", .min = 1, .max = DOOR_CONNS_MAX,
     .help_en = "connections at once",
     .help_ko = "동시에 받는 연결 수"},
    {.key = "idle", .type = SETTING_DURATION, .fallback = "1m", .min = NS_PER_S, .max = 3600 * NS_PER_S, .reloadable = true,
     .help_en = "a connection without a request for so long is closed", .help_ko = "이 시간 동안 요청이 없는 연결은 닫음"},
    {.key = "ladder", .type = SETTING_LIST, .min = 1, .max = ORIGIN_LADDER_MAX, .reloadable = true,
     .help_en = "video rates that `naru video add` makes, rising (default: 300kbit 1Mbit 3Mbit)",
     .help_ko = "`naru video add`가 만들 영상 전송률, 오름차순 (기본: 300kbit 1Mbit 3Mbit)"},
    {.key = "segment", .type = SETTING_DURATION, .fallback = "4s", .min = NS_PER_S, .max = 10 * NS_PER_S, .reloadable = true,
     .help_en = "length of a segment; each begins with a key frame", .help_ko = "세그먼트 길이; 모두 키 프레임으로 시작"},
    {.key = "rate", .type = SETTING_TEXT, .fallback = "vbr", .reloadable = true,
     .help_en = "vbr: as much as the pictures need, up to the rate; cbr: the same rate always",
     .help_ko = "vbr: 필요한 만큼, 전송률까지; cbr: 항상 같은 전송률"},
    {.key = "base", .type = SETTING_LIST, .min = 2, .max = 2, .repeated = true, .reloadable = true,
     .help_en = "base NAME URL: a place that manifests send players to, the best first (default: where the manifest "
                "came from)",
     .help_ko = "base 이름 URL: 매니페스트가 알려 줄 곳, 좋은 순서로 (기본: 매니페스트가 온 곳)"},
    {.key = "alias", .type = SETTING_LIST, .min = 2, .max = 2, .repeated = true, .reloadable = true,
     .help_en = "alias NAME ID: /NAME leads to that film's manifest", .help_ko = "alias 이름 ID: /이름을 그 영화의 매니페스트로 보냄"},
    {.key = "steering", .type = SETTING_TEXT, .reloadable = true,
     .help_en = "URL that players ask which of the bases to use (DASH and HLS Content Steering)",
     .help_ko = "어느 base를 쓸지 플레이어가 물을 URL (Content Steering)"},
    {.key = "steering-first", .type = SETTING_BOOL, .fallback = "no", .reloadable = true,
     .help_en = "they ask before the first segment",
     .help_ko = "첫 세그먼트 전에 묻게 함"},
    {0},
};

static const char *ladder_take(const statement *s, origin_encoding *out)
{
    static const char *const usual[] = {LADDER};
    int count = s ? s->word_count - 1 : (int)(sizeof usual / sizeof *usual);
    if (count > ORIGIN_LADDER_MAX)
        return "ladder: at most 8 rates";
    for (int i = 0; i < count; i++) {
        int64_t bps;
        if (!rate_parse(s ? s->words[i + 1] : str_z(usual[i]), &bps) || bps < ORIGIN_RATE_BPS_MIN ||
            bps > ORIGIN_RATE_BPS_MAX || bps % 1000)
            return "ladder: rates from 50kbit to 50Mbit in whole kbit, for example: ladder 300kbit 1Mbit 3Mbit";
        if (i && bps <= out->ladder_bps[i - 1])
            return "ladder: rates rise from one to the next";
        out->ladder_bps[out->ladder_count++] = bps;
    }
    return NULL;
}

bool origin_encoding_of(const statement *settings, origin_encoding *out, const char **why)
{
    static const statement nothing = {0};
    const statement *s = settings ? settings : &nothing;
    *out = (origin_encoding){.segment_ns = config_int(s, origin_settings, "segment")};
    str rate = config_text(s, origin_settings, "rate");
    out->constant = str_eq(rate, S("cbr"));
    *why = ladder_take(config_find(s, "ladder"), out);
    if (!*why && !out->constant && !str_eq(rate, S("vbr")))
        *why = "rate: cbr or vbr";
    return !*why;
}

static const char *bases_take(const statement *settings, origin_manifest *out, arena *a)
{
    out->bases = arena_array(a, media_base, MEDIA_BASES_MAX);
    must(out->bases);
    for (const statement *s = config_first(settings, "base"); s; s = config_next(s, "base")) {
        bool http = str_starts(s->words[2], S("http://")) || str_starts(s->words[2], S("https://"));
        if (out->base_count == MEDIA_BASES_MAX || !http || s->words[2].len > MEDIA_URL_BYTES_MAX / 2)
            return "base: base NAME URL, at most 16, each an http or https URL";
        str url = str_ends(s->words[2], S("/")) ? s->words[2] : str_join(a, s->words[2], S("/"));
        out->bases[out->base_count++] = (media_base){str_copy(a, s->words[1]), str_copy(a, url)};
    }
    return NULL;
}

bool origin_manifest_of(const statement *settings, origin_manifest *out, arena *a, const char **why)
{
    *out = (origin_manifest){.steering_url = str_copy(a, config_text(settings, origin_settings, "steering")),
                             .steering_first = config_bool(settings, origin_settings, "steering-first")};
    *why = bases_take(settings, out, a);
    if (!*why && out->steering_url.len && out->base_count == 0)
        *why = "steering: it chooses among bases; name them: base NAME URL";
    return !*why;
}
