"""/metrics, docs/metrics.md and etc/prometheus/naru-alerts.yml agree about every name and label value."""
import json, os, re, smtplib, uuid
from internet import PATIENCE_S, run, wait_for
from torrents import program

TREE = os.path.join(os.path.dirname(__file__), "..", "..")
RULES = os.path.join(TREE, "etc", "prometheus", "naru-alerts.yml")
PAGE = os.path.join(TREE, "docs", "metrics.md")
HISTOGRAM_ENDS = r"_(?:bucket|sum|count)$"


def metrics(i):
    code, text = run(["curl", "-sS", "--unix-socket", os.path.join(i.dir, "control.sock"), "http://naru/metrics"])
    assert code == 0, text
    return text


def values(text):
    """{name: {None or label value: number}} and {name: (type, help)}."""
    numbers, heads = {}, {}
    for line in text.splitlines():
        head = re.match(r"# (HELP|TYPE) (\w+) (.*)", line)
        if head:
            heads.setdefault(head[2], {})[head[1]] = head[3]
            continue
        name, _, value, number = re.match(r'(\w+)(?:\{(\w+)="([^"]*)"\})? (-?\d+)$', line).groups()
        numbers.setdefault(name, {})[value] = int(number)
    return numbers, heads


def number(i, name, value=None):
    return values(metrics(i))[0].get(name, {}).get(value)


def expressions():
    with open(RULES) as f:
        return re.findall(r"^ +expr: (.*)$", f.read(), re.M)


def complaints_about(expression, numbers):
    for name, selector in re.findall(r"\b(naru_\w+)(?:\{([^}]*)\})?", expression):
        if name not in numbers and re.sub(HISTOGRAM_ENDS, "", name) not in numbers:
            yield f"there is no meter {name}"
            continue
        for _, wanted in re.findall(r'(\w+)=~?"([^"]*)"', selector):
            for value in wanted.split("|"):
                if value not in numbers[name]:
                    yield f"{name} has no value {value!r}"


def case_every_name_in_the_alert_rules_is_in_metrics(i):
    numbers = values(metrics(i))[0]
    assert len(expressions()) >= 6, "fewer alerts than there are dangers"
    bad = [c for e in expressions() for c in complaints_about(e, numbers)]
    assert not bad, "\n".join(bad)
    assert list(complaints_about('rate(naru_nothing_total[5m])', numbers)), "the check lets everything pass"
    assert list(complaints_about('naru_conns_refused_total{limit="nothing"}', numbers)), "the check lets every value pass"


def case_prometheus_reads_the_alert_rules(i):
    code, said = run([*program("promtool", "prometheus"), "check", "rules", RULES])
    assert code == 0 and "SUCCESS" in said, said


def case_prometheus_reads_the_metrics(i):
    code, said = run([*program("promtool", "prometheus"), "check", "metrics"], text=metrics(i).encode())
    errors = [l for l in said.splitlines() if l and not l.startswith("naru_")]      # it lints names and help; text must parse
    assert not errors, said


def case_the_page_lists_every_meter_with_its_type_label_and_meaning(i):
    numbers, heads = values(metrics(i))
    told = {}
    for line in open(PAGE):
        row = re.match(r"\| `(naru_\w+)` \| (\w+) \| ([^|]*) \| (.*) \|$", line)
        if row:
            told[row[1]] = (row[2], sorted(re.findall(r"`([^`]+)`", row[3])), row[4])
    for name, head in heads.items():
        assert name in told, f"docs/metrics.md says nothing about {name}"
        kind, labels, help_ = told[name]
        text = metrics(i)
        label = re.search(rf'^{name}\{{(\w+)="', text, re.M)
        own = sorted(v for v in numbers[name] if v is not None)
        wanted = [] if not label else ["version"] if name == "naru_build_info" else sorted([label[1]] + own)
        assert (kind, help_) == (head["TYPE"], head["HELP"]), (name, kind, help_, head)
        assert labels == wanted, (name, labels, wanted)
    # What appears with its first event (an HTTP answer, a histogram) may be on the page and not be there yet; some services are not
    # in the small Internet (tests/up compares all of them).
    elsewhere = ("naru_edge_", "naru_origin_", "naru_steering_", "naru_console_", "naru_service_", "naru_authoritative_steered_")
    missing = {name for name in told if name not in heads and not name.startswith(elsewhere)}
    assert missing <= {"naru_http_requests_total"}, missing


def case_the_queue_gauge_follows_the_queue(i):
    accepted, deferred = number(i, "naru_mta_letters_accepted_total"), number(i, "naru_mta_deferrals_total")
    mark = uuid.uuid4().hex
    with smtplib.SMTP(*i.where("crepes.fr", "submission"), timeout=PATIENCE_S) as s:
        s.login("alice@crepes.fr", i.passwords["alice@crepes.fr"])
        s.sendmail("alice@crepes.fr", ["mark@mail.networkutopia.com"], f"Subject: {mark}\r\n\r\nx\r\n")    # nobody listens there
    assert number(i, "naru_mta_letters_accepted_total") == accepted + 1
    assert wait_for(lambda: number(i, "naru_mta_deferrals_total") > deferred, 60)  # some fifteen seconds
    env = {"NARU_DIR": i.dir}
    listed = lambda: json.loads(run([i.naru, "queue", "list", "--json"], env=env)[1])
    assert wait_for(lambda: len(listed()) == number(i, "naru_mta_queue_letters") >= 1)
    for letter in listed():
        run([i.naru, "queue", "delete", letter["id"]], env=env)
    assert wait_for(lambda: number(i, "naru_mta_queue_letters") == 0), number(i, "naru_mta_queue_letters")


def case_a_wrong_password_is_counted(i):
    before = number(i, "naru_accounts_logins_total", "wrong")
    with smtplib.SMTP(*i.where("crepes.fr", "submission"), timeout=PATIENCE_S) as s:
        try:
            s.login("alice@crepes.fr", "not hers")
        except smtplib.SMTPAuthenticationError:
            pass
    assert number(i, "naru_accounts_logins_total", "wrong") > before
