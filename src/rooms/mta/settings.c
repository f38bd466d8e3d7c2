#include "rooms/mta/mta.h"

const setting mta_settings[] = {
    {.key = "host", .type = SETTING_TEXT, .help_en = "the name this server calls itself (HELO, Received)", .help_ko = "서버가 스스로를 부르는 이름"},
    {.key = "domain", .type = SETTING_LIST, .repeated = true, .reloadable = true,
     .help_en = "domains whose mail is accepted and stored here", .help_ko = "여기서 받아 보관하는 메일 도메인"},
    {.key = "resolver", .type = SETTING_LIST, .repeated = true, .help_en = "DNS resolvers to ask, address or address:port", .help_ko = "질의할 DNS 서버"},
    {.key = "listen", .type = SETTING_HOST, .repeated = true, .help_en = "addresses to listen on (default: the node's)", .help_ko = "듣는 주소"},
    {.key = "postmaster", .type = SETTING_TEXT, .reloadable = true, .help_en = "who gets mail for <postmaster>", .help_ko = "<postmaster> 앞 메일을 받는 주소"},
    {.key = "size", .type = SETTING_SIZE, .fallback = "25MB", .min = 1024, .max = 1ll << 31, .reloadable = true,
     .help_en = "the largest letter accepted", .help_ko = "받는 편지의 최대 크기"},
    {.key = "recipients", .type = SETTING_INT, .fallback = "1000", .min = 1, .max = LETTER_RECIPIENTS_MAX - 1, .reloadable = true,
     .help_en = "recipients a letter may have", .help_ko = "편지 한 통의 최대 수신자 수"},
    {.key = "retry", .type = SETTING_DURATION, .fallback = "1m", .min = NS_PER_S, .max = 24 * 3600 * NS_PER_S, .reloadable = true,
     .help_en = "wait after the first failed attempt; doubles with each", .help_ko = "첫 실패 뒤 기다리는 시간, 실패마다 두 배"},
    {.key = "retry-max", .type = SETTING_DURATION, .fallback = "4h", .min = NS_PER_S, .max = 24 * 3600 * NS_PER_S, .reloadable = true,
     .help_en = "the longest wait between two attempts", .help_ko = "두 시도 사이의 가장 긴 간격"},
    {.key = "expire", .type = SETTING_DURATION, .fallback = "5d", .min = NS_PER_S, .max = 30ll * 24 * 3600 * NS_PER_S, .reloadable = true,
     .help_en = "after this a letter is returned to its sender", .help_ko = "이 시간이 지나면 보낸 이에게 돌려보냄"},
    {.key = "senders", .type = SETTING_INT, .fallback = "100", .min = 1, .max = 5000, .help_en = "outgoing conversations at once", .help_ko = "동시에 보내는 연결 수"},
    {.key = "concurrency", .type = SETTING_INT, .fallback = "8", .min = 1, .max = 100, .reloadable = true,
     .help_en = "conversations at once with one destination", .help_ko = "한 목적지와의 동시 연결 수"},
    {.key = "connections", .type = SETTING_INT, .fallback = "20000", .min = 1, .max = DOOR_CONNS_MAX, .help_en = "incoming connections at once, each door", .help_ko = "동시에 받는 연결 수"},
    {.key = "connections-per-address", .type = SETTING_INT, .fallback = "200", .min = 1, .max = DOOR_CONNS_MAX,
     .help_en = "incoming connections at once from one address", .help_ko = "한 주소에서 동시에 받는 연결 수"},
    {.key = "certificate", .type = SETTING_TEXT, .help_en = "PEM file with the certificate chain", .help_ko = "인증서 체인 PEM 파일"},
    {.key = "key", .type = SETTING_TEXT, .help_en = "PEM file with the private key", .help_ko = "개인 키 PEM 파일"},
    {.key = "plaintext", .type = SETTING_TEXT, .choices = "loopback|off", .fallback = "off", .help_en = "`plaintext loopback`: logging in without TLS is allowed from this machine", .help_ko = "`plaintext loopback`: 이 컴퓨터에서는 TLS 없이 로그인 허용"},
    {.key = "trace-from", .type = SETTING_LIST, .repeated = true, .reloadable = true, .help_en = "networks whose letters keep their story's id over SMTP (XTRACE), e.g. 10.0.0.0/8",
     .help_ko = "SMTP로 이야기 번호(XTRACE)를 이어받을 네트워크"},
    {.key = "sent-copies", .type = SETTING_BOOL, .fallback = "yes", .reloadable = true, .help_en = "store a copy of submitted mail in Sent", .help_ko = "보낸 편지함에 사본 보관"},
    {0},
};

const statement *mta_statements(const statement *block, const char *key)
{
    const statement *s = block->children;
    return !s || (s->word_count && str_eq(s->words[0], str_z(key))) ? s : config_next(s, key);
}

// Every word behind every statement of this key.
static bool each_word(const statement *block, const char *key, bool (*take)(mta *, str), mta *m)
{
    for (const statement *s = mta_statements(block, key); s; s = config_next(s, key))
        for (int i = 1; i < s->word_count; i++)
            if (!take(m, s->words[i]))
                return false;
    return true;
}

static bool take_domain(mta *m, str word)
{
    if (m->domain_count == MTA_DOMAINS_MAX || !address_domain_valid(word))
        return false;
    m->domains[m->domain_count++] = str_lower(m->room->memory, word);
    return true;
}

static bool take_resolver(mta *m, str word)
{
    return m->resolver_count < MTA_RESOLVERS_MAX && addr_parse(word, 53, &m->resolvers[m->resolver_count++]);
}

static bool take_trace_prefix(mta *m, str word)
{
    str bits_text = word, network = str_cut(&bits_text, '/');
    if (m->trace_from_count == MTA_TRACE_PREFIXES_MAX)
        return false;
    addr *prefix = &m->trace_from[m->trace_from_count].prefix;
    uint64_t bits;
    if (!addr_parse_ip(network, 0, prefix))
        return false;
    if (!bits_text.len)
        bits = prefix->family == 4 ? 32 : 128;
    else if (!str_to_u64(bits_text, &bits) || bits > (prefix->family == 4 ? 32u : 128u))
        return false;
    m->trace_from[m->trace_from_count++].bits = (int)bits;
    return true;
}

bool mta_trusts_trace(const mta *m, const conn *c)
{
    for (int i = 0; i < m->trace_from_count; i++)
        if (addr_in_prefix(c->peer, m->trace_from[i].prefix, m->trace_from[i].bits))
            return true;
    return c->is_inside;
}

bool mta_settings_take(mta *m, const statement *block, str *why)
{
    m->host = str_copy(m->room->memory, config_text(block, mta_settings, "host"));
    if (!m->host.len)
        m->host = m->room->node->name;
    m->domain_count = m->resolver_count = m->trace_from_count = 0;
    if (!each_word(block, "domain", take_domain, m)) {
        *why = str_format(m->room->memory, "mta: `domain` wants at most %d domain names", MTA_DOMAINS_MAX);
        return false;
    }
    if (!each_word(block, "resolver", take_resolver, m)) {
        *why = str_format(m->room->memory, "mta: `resolver` wants at most %d addresses such as 127.0.0.1 or 127.0.0.1:53", MTA_RESOLVERS_MAX);
        return false;
    }
    if (!each_word(block, "trace-from", take_trace_prefix, m)) {
        *why = str_format(m->room->memory, "mta: `trace-from` wants at most %d networks such as 10.0.0.0/8", MTA_TRACE_PREFIXES_MAX);
        return false;
    }
    m->postmaster = str_copy(m->room->memory, config_text(block, mta_settings, "postmaster"));
    if (!m->postmaster.len && m->domain_count)
        m->postmaster = str_format(m->room->memory, "postmaster@" STR_FMT, STR_ARG(m->domains[0]));
    m->size_bytes_max = config_int(block, mta_settings, "size");
    m->recipients_max = (int)config_int(block, mta_settings, "recipients");
    m->retry_ns = config_int(block, mta_settings, "retry");
    m->retry_max_ns = config_int(block, mta_settings, "retry-max");
    m->expire_ns = config_int(block, mta_settings, "expire");
    m->senders_max = (int)config_int(block, mta_settings, "senders");
    m->concurrency_max = (int)config_int(block, mta_settings, "concurrency");
    m->sent_copies = config_bool(block, mta_settings, "sent-copies");
    m->plaintext_loopback = str_eq(config_text(block, mta_settings, "plaintext"), S("loopback"));
    return true;
}

bool mta_is_local(const mta *m, str domain)
{
    for (int i = 0; i < m->domain_count; i++)
        if (str_eq_nocase(m->domains[i], domain))
            return true;
    return false;
}
