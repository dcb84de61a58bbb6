import re
from dataclasses import replace
from html.parser import HTMLParser

from evcharging.apps.load_run.ledger import Ledger, Metered
from evcharging.apps.load_run.report_html import body, page
from tests.support.load_run import outcome

VOID = {"meta", "line", "circle", "polyline", "polygon", "br"}


class Balanced(HTMLParser):
    """Fails for a tag that is not closed where it should be, and keeps tags and addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"src", "href", "action"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def read(text):
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_a_report_is_one_file_without_script_or_address():
    text = page(outcome("failures > 0"))
    found = read(text)
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert found.addresses == []
    assert not re.search(r"url\(|@import|https?://", text)


def test_it_shows_verdict_actions_ledger_faults_and_charts():
    text = page(outcome("failures > 0"))
    for word in (
        "failed",
        "crossed",
        "Heartbeat",
        "InternalError",
        "250 ms",
        "never acknowledged",
        "bad-json",
        "background",
    ):
        assert word in text
    assert text.count("<svg") == 6


def test_what_others_chose_is_escaped():
    text = page(outcome())
    assert "S&lt;1&gt;" in text
    assert "closed with &lt;1006&gt;" in text
    assert "?a=1&amp;b=2" in text
    assert "<1006>" not in text


def test_without_thresholds_nothing_passes_or_fails():
    assert "badge" not in body(outcome())
    assert "passed" in body(outcome("failures > 99"))


def balanced():
    ledger = Ledger()
    ledger.metered(Metered("S1", "l1", 7, 100, 350))
    ledger.start_acknowledged("S1", 7, 100)
    ledger.end_acknowledged("S1", 7, 350)
    return ledger.figures()


def test_a_clean_ledger_says_so_and_an_empty_one_claims_nothing():
    assert "Every transaction and every Wh is accounted for." in body(outcome(ledger=balanced()))
    empty = body(outcome(ledger=Ledger().figures()))
    assert "No transaction began" in empty
    assert "Every transaction" not in empty


def test_the_power_of_many_stations_is_told_in_mw():
    points = tuple(replace(point, power_kw=57_000.0) for point in outcome().points)
    assert "60 MW" in body(outcome(points=points))


def test_an_early_stop_is_told():
    assert "Stopped before its end." in body(outcome(stopped_early=True))
    assert "Cut off on request" not in body(outcome(stopped_early=True))
    assert "Cut off on request" in body(outcome(stopped_early=True, cut_off=True))


def test_a_run_without_points_or_faults_has_no_empty_sections():
    text = body(outcome(points=(), faults=()))
    assert "Over time" not in text
    assert "Protocol faults" not in text
    read(text)
