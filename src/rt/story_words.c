#include <string.h>

#include "rt/story.h"

// What the lines of the dialogues mean, for who reads them the first time. The first entry that fits counts: the line
// begins with `begins` (case does not matter) and holds `holds` somewhere (NULL: anything).
typedef struct { const char *protocol, *begins, *holds, *en, *ko; } words;

static const words table[] = {
    {"smtp", "HELO", NULL, "The client says hello and names itself. Every SMTP conversation begins so.",
     "클라이언트가 인사하며 자기 이름을 댑니다. SMTP 대화는 이렇게 시작합니다(handshake)."},
    {"smtp", "EHLO", NULL, "Hello in extended SMTP: the server answers with the list of what it can do beyond RFC 821.",
     "확장 SMTP의 인사입니다. 서버는 자기가 할 수 있는 확장 기능의 목록으로 답합니다."},
    {"smtp", "MAIL", NULL, "MAIL FROM opens a letter and gives the envelope's sender: where a bounce would go. It need not be the From: line "
     "that the reader sees.",
     "MAIL FROM은 편지 한 통을 시작하고 봉투의 보낸 사람(반송될 곳)을 알립니다. 읽는 사람이 보는 From: 줄과 다를 수 있습니다."},
    {"smtp", "RCPT", NULL, "RCPT TO gives one recipient of the envelope; it may come several times. The letter goes here, whatever its To: line says.",
     "RCPT TO는 봉투의 받는 사람 한 명입니다. 여러 번 올 수 있고, 편지는 To: 줄이 아니라 이 주소로 갑니다."},
    {"smtp", "DATA", NULL, "DATA says that the letter itself comes next: header, empty line, text, and at the end a line with a single dot.",
     "DATA는 이제 편지 본문이 온다는 뜻입니다: 헤더, 빈 줄, 내용, 그리고 점 하나뿐인 줄로 끝납니다."},
    {"smtp", "BDAT", NULL, "A piece of the letter with its size before it (CHUNKING): no dot is needed at the end.",
     "크기를 먼저 말하고 보내는 편지 조각입니다(CHUNKING). 끝에 점이 필요 없습니다."},
    {"smtp", ".", NULL, "CR LF . CR LF ends the letter. From the answer on the server is responsible for it.",
     "CRLF.CRLF가 편지의 끝입니다. 서버가 여기에 250으로 답하면 그때부터 편지는 서버 책임입니다."},
    {"smtp", "(the letter", NULL, "The letter itself: header, empty line, text. CR LF . CR LF ends it; what was written is not shown here.",
     "편지 그 자체: 헤더, 빈 줄, 내용. CRLF.CRLF로 끝납니다. 내용은 여기에 보이지 않습니다."},
    {"smtp", "from here on under TLS", NULL, "The rest of this conversation is encrypted.", "이 대화의 나머지는 암호화됩니다."},
    {"smtp", "TLS", NULL, "The rest of this conversation is encrypted, by this version and cipher.",
     "이 대화의 나머지는 이 버전과 암호로 암호화됩니다."},
    {"smtp", "QUIT", NULL, "The client is done; the server says 221 and both close (closure).",
     "클라이언트가 끝냅니다. 서버는 221로 답하고 연결을 닫습니다(closure)."},
    {"smtp", "RSET", NULL, "Forget the letter that was begun; the conversation goes on.", "시작한 편지를 취소합니다. 대화는 계속됩니다."},
    {"smtp", "NOOP", NULL, "Do nothing, just answer.", "아무 일도 하지 않고 답만 받습니다."},
    {"smtp", "VRFY", NULL, "Asks whether a mailbox exists; careful servers do not tell.", "메일함이 있는지 묻습니다. 조심스러운 서버는 알려 주지 않습니다."},
    {"smtp", "HELP", NULL, "Asks what can be said here.", "여기서 쓸 수 있는 명령을 묻습니다."},
    {"smtp", "STARTTLS", NULL, "From here on both speak under TLS: nobody on the way can read along.",
     "여기서부터 TLS로 암호화합니다. 중간에서 엿볼 수 없습니다."},
    {"smtp", "AUTH", NULL, "The user logs in. What is said here is never recorded.", "사용자가 로그인합니다. 이 내용은 기록하지 않습니다."},
    {"smtp", "220", "TLS", "Ready: the TLS handshake follows.", "준비됨: 이제 TLS 핸드셰이크를 합니다."},
    {"smtp", "220", NULL, "The server's greeting: it is ready and says its name. In SMTP the server speaks first.",
     "서버의 첫인사입니다. SMTP에서는 서버가 먼저 말합니다."},
    {"smtp", "221", NULL, "The server says goodbye and closes the connection.", "서버가 작별하고 연결을 닫습니다."},
    {"smtp", "235", NULL, "The login was right.", "로그인이 되었습니다."},
    {"smtp", "250-", NULL, "A line of an answer that goes on: one extension that the server offers.", "이어지는 답의 한 줄: 서버가 제공하는 확장 기능 하나입니다."},
    {"smtp", "250", "accepted for delivery", "The letter is on the server's disk. From now on the server must deliver it or send a bounce.",
     "편지가 서버의 디스크에 안전하게 기록되었습니다. 이제 서버는 배달하거나 반송해야 합니다."},
    {"smtp", "250", NULL, "Done as asked. 2xx means yes.", "요청대로 되었습니다. 2xx는 '예'입니다."},
    {"smtp", "334", NULL, "Go on with the login.", "로그인을 계속하라는 뜻입니다."},
    {"smtp", "354", NULL, "Go ahead with the letter; end it with a line that holds only a dot.",
     "편지를 보내세요. 점 하나만 있는 줄로 끝냅니다."},
    {"smtp", "421", NULL, "The server closes for now; the client comes back later.", "서버가 지금은 닫습니다. 클라이언트는 나중에 다시 옵니다."},
    {"smtp", "4", NULL, "Not now: the letter stays in the sender's queue and is tried again.", "지금은 안 됨: 편지는 보내는 쪽 큐에 남아 다시 시도됩니다."},
    {"smtp", "500", NULL, "That was no command. The conversation goes on: try again.", "명령이 아닙니다. 대화는 계속되니 다시 입력하세요."},
    {"smtp", "5", NULL, "No: trying again will not help. A letter is returned to its sender with this reason.",
     "안 됨: 다시 시도해도 소용없습니다. 편지는 이 이유와 함께 보낸 사람에게 반송됩니다."},

    {"lmtp", "LHLO", NULL, "LMTP's hello (RFC 2033): the mail server hands the letter to the mail store of the same site.",
     "LMTP의 인사(RFC 2033): 메일 서버가 같은 곳의 메일 저장소에 편지를 넘깁니다."},
    {"lmtp", "220", NULL, "The mail store's greeting.", "메일 저장소의 첫인사입니다."},
    {"lmtp", "250-", NULL, "A line of an answer that goes on: what the mail store offers.", "이어지는 답의 한 줄: 메일 저장소가 제공하는 기능입니다."},
    {"lmtp", "MAIL", NULL, "The envelope's sender, handed on to the mail store.", "봉투의 보낸 사람을 메일 저장소에 넘깁니다."},
    {"lmtp", "RCPT", NULL, "One recipient: which mailbox the letter belongs into.", "받는 사람 한 명: 편지가 들어갈 메일함입니다."},
    {"lmtp", "DATA", NULL, "The letter follows.", "이제 편지가 옵니다."},
    {"lmtp", "QUIT", NULL, "Done.", "끝입니다."},
    {"lmtp", "2", NULL, "Done. After the letter LMTP answers once for each recipient, unlike SMTP.",
     "되었습니다. SMTP와 달리 LMTP는 편지 뒤에 받는 사람마다 한 번씩 답합니다."},
    {"lmtp", "354", NULL, "Go ahead with the letter.", "편지를 보내세요."},
    {"lmtp", "4", NULL, "Not now: this recipient is tried again.", "지금은 안 됨: 이 사람에게는 다시 시도합니다."},
    {"lmtp", "5", NULL, "No: this recipient's letter is returned.", "안 됨: 이 사람의 편지는 반송됩니다."},

    {"pop3", "USER", NULL, "Who wants to read (authorization phase).", "읽으려는 사람의 이름입니다(인증 단계)."},
    {"pop3", "PASS", NULL, "The password. It is never recorded.", "비밀번호입니다. 기록하지 않습니다."},
    {"pop3", "AUTH", NULL, "The user logs in. What is said here is never recorded.", "사용자가 로그인합니다. 이 내용은 기록하지 않습니다."},
    {"pop3", "STAT", NULL, "How many letters, and how many bytes altogether?", "편지가 몇 통이고 모두 몇 바이트인지 묻습니다."},
    {"pop3", "LIST", NULL, "The numbers and sizes of the letters.", "편지 번호와 크기의 목록을 요청합니다."},
    {"pop3", "UIDL", NULL, "The lasting names of the letters: how a reader that keeps them knows which are new.",
     "편지의 변하지 않는 이름입니다. 서버에 남겨 두는 사용자가 새 편지를 알아보는 방법입니다."},
    {"pop3", "RETR", NULL, "Fetch one letter whole.", "편지 한 통을 통째로 가져옵니다."},
    {"pop3", "TOP", NULL, "Fetch the header and the first lines of a letter.", "편지의 헤더와 처음 몇 줄만 가져옵니다."},
    {"pop3", "DELE", NULL, "Mark a letter as deleted. It goes only when QUIT is said (download and delete).",
     "편지에 삭제 표시를 합니다. QUIT을 해야 실제로 지워집니다(download-and-delete)."},
    {"pop3", "RSET", NULL, "Take all deletion marks off.", "삭제 표시를 모두 없앱니다."},
    {"pop3", "QUIT", NULL, "The end: now the marked letters are deleted (update phase).", "끝: 표시한 편지가 이제 지워집니다(갱신 단계)."},
    {"pop3", "STLS", NULL, "From here on under TLS.", "여기서부터 TLS로 암호화합니다."},
    {"pop3", "CAPA", NULL, "What can this server do?", "서버가 무엇을 할 수 있는지 묻습니다."},
    {"pop3", "NOOP", NULL, "Do nothing, just answer.", "아무 일도 하지 않고 답만 받습니다."},
    {"pop3", "+OK", NULL, "Yes.", "됨."},
    {"pop3", "-ERR", NULL, "No, and why.", "안 됨, 그리고 그 이유."},

    {"dns", "query", " MX", "Asks for the mail servers of a domain (MX records), in order of preference.",
     "그 도메인의 메일 서버(MX 레코드)를 묻습니다."},
    {"dns", "query", " rd", "A host asks its local server and desires recursion (rd): the server is to find the answer, whoever has it.",
     "호스트가 자기 로컬 DNS 서버에 재귀 질의(rd)를 합니다. 서버가 답을 끝까지 찾아 줍니다."},
    {"dns", "query", NULL, "An iterated query: a name server is asked for what it knows itself.", "반복 질의: 네임 서버가 스스로 아는 것만 묻습니다."},
    {"dns", "reply", "NXDOMAIN", "There is no such name.", "그런 이름은 없습니다."},
    {"dns", "reply", "SERVFAIL", "The server could not find out.", "서버가 알아내지 못했습니다."},
    {"dns", "reply", "REFUSED", "The server does not answer this for the asker.", "서버가 이 질문에는 답하지 않습니다."},
    {"dns", "reply", " aa: 0 answers", "The name exists, but has no record of this type. The server is the zone's own (aa: authoritative).",
     "이름은 있지만 이 종류의 레코드가 없습니다. 그 영역의 책임(authoritative) 서버가 한 말입니다."},
    {"dns", "reply", " aa", "The answer, from the server that is responsible for the zone (aa: authoritative answer).",
     "그 영역을 책임지는 서버(authoritative)의 답입니다."},
    {"dns", "reply", ": 0 answers, 0", "Nothing is known.", "아는 것이 없습니다."},
    {"dns", "reply", ": 0 answers", "A referral: not the answer, but the names (and addresses) of the servers to ask next.",
     "위임: 답 대신 다음에 물어볼 서버의 이름과 주소를 알려 줍니다."},
    {"dns", "reply", NULL, "The answer, found or remembered (cached) by the server that was asked.",
     "물어본 서버가 찾아냈거나 캐시에 기억하던 답입니다."},

    {"disk", "synced", NULL, "The letter was written and synced before the 250 was said: from here on no crash loses it.",
     "250을 말하기 전에 디스크에 기록하고 동기화했습니다. 이제 정전이 나도 편지를 잃지 않습니다."},
    {"disk", "", "stored", "The letter stands in the mailbox, in one transaction with its delivery id: it cannot come twice.",
     "편지가 메일함에 저장되었습니다. 배달 번호와 한 트랜잭션이라 두 번 들어가지 않습니다."},
    {"http", "GET", NULL, "The client pulls an object.", "클라이언트가 객체를 가져옵니다(pull)."},
    {"http", "POST", NULL, "The client sends something to be processed.", "클라이언트가 처리할 것을 보냅니다."},
};

static bool holds(str line, const char *part)
{
    return !part || str_find_str(line, str_z(part)) >= 0;
}

str story_explain(const char *protocol, str line, bool korean)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const words *w = &table[i];
        if (strcmp(w->protocol, protocol) == 0 && str_starts_nocase(line, str_z(w->begins)) && holds(line, w->holds))
            return str_z(korean ? w->ko : w->en);
    }
    return (str){0};
}

str story_about(const char *protocol, bool korean)
{
    static const struct { const char *protocol, *en, *ko; } protocols[] = {
        {"dns", "DNS: names to addresses", "DNS: 이름을 주소로"},
        {"smtp", "SMTP: letters, pushed to the next server", "SMTP: 편지를 다음 서버로 밀어 보냄"},
        {"lmtp", "LMTP: letters, into the mail store", "LMTP: 편지를 메일 저장소로"},
        {"pop3", "POP3: letters, fetched by the reader", "POP3: 읽는 사람이 편지를 가져감"},
        {"disk", "disk: what was made durable", "디스크: 지워지지 않게 기록한 것"},
        {"http", "HTTP: objects, pulled by the client", "HTTP: 클라이언트가 객체를 가져감"},
        {"upper", "upper: answers in upper case", "upper: 대문자로 답함"},
    };
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        if (strcmp(protocol, protocols[i].protocol) == 0)
            return str_z(korean ? protocols[i].ko : protocols[i].en);
    return str_z(protocol);
}
