#include "cmd/schema.h"

#include "rooms/accounts/accounts.h"
#include "rooms/authoritative/authoritative.h"
#include "rooms/console/console.h"
#include "rooms/edge/edge.h"
#include "rooms/mailstore/mailstore.h"
#include "rooms/mta/mta.h"
#include "rooms/origin/origin.h"
#include "rooms/resolver/resolver.h"
#include "rooms/steering/steering.h"
#include "rooms/swarm/swarm.h"
#include "rooms/tracker/tracker.h"
#include "rooms/upper/upper.h"

static const setting domain_settings[] = {
    {"zone", SETTING_TEXT, .help_en = "its zone file: this host answers for the domain's names",
     .help_ko = "존 파일: 이 호스트가 도메인의 이름에 답함"},
    {0},
};
static const setting port_settings[] = {
    {"dns", SETTING_INT, "53", 1, 65535, .help_en = "DNS over UDP and TCP", .help_ko = "DNS (UDP, TCP)"},
    {"resolver", SETTING_INT, "1053", 1, 65535, .help_en = "the resolver of the mail service, where the zones of this host have the DNS port",
     .help_ko = "이 호스트의 존이 DNS 포트를 쓸 때 메일 서비스를 위한 리졸버"},
    {"smtp", SETTING_INT, "25", 1, 65535, .help_en = "mail from other servers", .help_ko = "다른 서버의 메일"},
    {"submission", SETTING_INT, "587", 1, 65535, .help_en = "mail from our people", .help_ko = "사용자가 보내는 메일"},
    {"submissions", SETTING_INT, "465", 1, 65535, .help_en = "the same under TLS", .help_ko = "사용자가 보내는 메일 (TLS)"},
    {"pop3", SETTING_INT, "110", 1, 65535, .help_en = "reading mail", .help_ko = "메일 읽기"},
    {"pop3s", SETTING_INT, "995", 1, 65535, .help_en = "reading mail under TLS", .help_ko = "메일 읽기 (TLS)"},
    {"peers", SETTING_INT, "6881", 1, 65535, .help_en = "BitTorrent peers and the DHT", .help_ko = "비트토렌트 피어와 DHT"},
    {"rpc", SETTING_INT, "9091", 1, 65535, .help_en = "the swarm's remote control", .help_ko = "스웜의 원격 제어"},
    {"tracker", SETTING_INT, "6969", 1, 65535, .help_en = "the BitTorrent tracker over HTTP and UDP", .help_ko = "비트토렌트 트래커 (HTTP, UDP)"},
    {"steering", SETTING_INT, "8081", 1, 65535, .help_en = "steering: players ask it which node to take", .help_ko = "스티어링: 재생기가 어느 노드를 쓸지 묻는 곳"},
    {"origin", SETTING_INT, "8080", 1, 65535, .help_en = "films over HTTP, for edges", .help_ko = "엣지가 가져가는 영상 (HTTP)"},
    {"console", SETTING_INT, "8000", 1, 65535, .help_en = "the pages", .help_ko = "화면"},
    {"http", SETTING_INT, "80", 1, 65535, .help_en = "the edge over HTTP; origins at port 80, too", .help_ko = "엣지의 HTTP; 80번 포트의 오리진도"},
    {"https", SETTING_INT, "443", 1, 65535, .help_en = "the edge under TLS", .help_ko = "엣지 (TLS)"},
    {"upper", SETTING_INT, "12000", 1, 65535, .help_en = "upper case", .help_ko = "대문자"},
    {0},
};

#define USER_EN "the user that this service runs as, a name or a number"
#define USER_KO "이 서비스를 실행할 사용자, 이름 또는 번호"
static const setting user_settings[] = {
    {"accounts", SETTING_TEXT, "60810", .help_en = USER_EN, .help_ko = USER_KO},
    {"resolver", SETTING_TEXT, "60811", .help_en = USER_EN, .help_ko = USER_KO},
    {"mailstore", SETTING_TEXT, "60812", .help_en = USER_EN, .help_ko = USER_KO},
    {"mta", SETTING_TEXT, "60813", .help_en = USER_EN, .help_ko = USER_KO},
    {"authoritative", SETTING_TEXT, "60814", .help_en = USER_EN, .help_ko = USER_KO},
    {"upper", SETTING_TEXT, "60815", .help_en = USER_EN, .help_ko = USER_KO},
    {"control", SETTING_TEXT, "60816", .help_en = USER_EN, .help_ko = USER_KO},
    {"tracker", SETTING_TEXT, "60817", .help_en = USER_EN, .help_ko = USER_KO},
    {"swarm", SETTING_TEXT, "60818", .help_en = USER_EN, .help_ko = USER_KO},
    {"steering", SETTING_TEXT, "60819", .help_en = USER_EN, .help_ko = USER_KO},
    {"console", SETTING_TEXT, "60821", .help_en = USER_EN, .help_ko = USER_KO},
    {"origin", SETTING_TEXT, "60820", .help_en = USER_EN, .help_ko = USER_KO},
    {"edge", SETTING_TEXT, "60822", .help_en = USER_EN, .help_ko = USER_KO},
    {0},
};

static const setting own[] = {
    {"host", SETTING_TEXT, .help_en = "this machine's name", .help_ko = "이 컴퓨터의 이름"},
    {"address", SETTING_ADDRESS, .repeated = true, .help_en = "its addresses; without one: all of them",
     .help_ko = "이 컴퓨터의 주소들; 없으면 모든 주소"},
    {"directory", SETTING_TEXT, "/var/lib/naru", .help_en = "where everything that lasts is kept",
     .help_ko = "남겨 둘 것을 모두 보관하는 디렉터리"},
    {"watchdog", SETTING_DURATION, "30s", 2 * NS_PER_S, 3600 * NS_PER_S,
     .help_en = "a service that gives no sign of life for so long is killed and started again",
     .help_ko = "이 시간 동안 살아 있다는 신호가 없는 서비스는 끝내고 다시 시작함"},
    {"domain", SETTING_BLOCK, .min = 1, .max = 1, .repeated = true, .block = domain_settings,
     .help_en = "a domain whose mail is kept here, NAME { ... }", .help_ko = "여기서 메일을 보관하는 도메인, 이름 { ... }"},
    {"ports", SETTING_BLOCK, .block = port_settings,
     .help_en = "well-known ports moved elsewhere, NAME NUMBER each: for doors and outgoing connections",
     .help_ko = "잘 알려진 포트를 다른 번호로: 이름 번호. 들어오고 나가는 연결 모두"},
    {"users", SETTING_BLOCK, .block = user_settings,
     .help_en = "who each service of `naru up` runs as when it is started as root, SERVICE USER each",
     .help_ko = "`naru up`을 root로 시작했을 때 각 서비스를 실행할 사용자: 서비스 사용자"},
};
enum { OWN = sizeof own / sizeof own[0] };

static const struct { const room_kind *kind; const char *en, *ko; } services[] = {
    {&authoritative_kind, "names: zones that this host is responsible for", "이름: 이 호스트가 책임지는 영역"},
    {&resolver_kind, "names: finds answers for the hosts of this place", "이름: 이곳의 호스트를 위해 답을 찾음"},
    {&mta_kind, "mail in transit: SMTP, submission, the queue", "오가는 메일: SMTP, 제출, 큐"},
    {&mailstore_kind, "mail at rest: LMTP, POP3", "보관된 메일: LMTP, POP3"},
    {&accounts_kind, "people and passwords", "사람과 비밀번호"},
    {&tracker_kind, "files: who is in which swarm (BitTorrent tracker)", "파일: 누가 어느 스웜에 있는지 (비트토렌트 트래커)"},
    {&swarm_kind, "files: torrents that are fetched and given (BitTorrent)", "파일: 받고 나누는 토렌트 (비트토렌트)"},
    {&steering_kind, "video: which CDN node a viewer is sent to", "영상: 시청자를 어느 CDN 노드로 보낼지"},
    {&origin_kind, "video: films, their manifests and segments", "영상: 필름과 매니페스트, 세그먼트"},
    {&console_kind, "pages for people: films, the player, viewings, status", "사람을 위한 화면: 영화, 플레이어, 시청 기록, 상태"},
    {&edge_kind, "video: the HTTP cache near the viewers", "영상: 시청자 가까이의 HTTP 캐시"},
    {&upper_kind, "answers in upper case", "대문자로 답함"},
};
enum { SERVICES = sizeof services / sizeof services[0] };

const setting *schema_whole(void)
{
    static setting whole[OWN + SERVICES + 1];
    if (whole[0].key)
        return whole;
    for (int i = OWN + SERVICES - 1; i >= 0; i--)            // the first last: it says that the table is ready
        whole[i] = i < OWN ? own[i]
                           : (setting){services[i - OWN].kind->name, SETTING_BLOCK,
                                       .block = services[i - OWN].kind->settings, .help_en = services[i - OWN].en,
                                       .help_ko = services[i - OWN].ko};
    return whole;
}
