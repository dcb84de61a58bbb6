import csv
import io
import json

import pytest

from evcharging.apps.load_run.report import SUFFIXES, rendered, write_report
from tests.support.load_run import outcome


def test_csv_has_a_line_an_action_and_one_for_all():
    rows = list(csv.DictReader(io.StringIO(rendered(outcome(), ".csv"))))
    assert [row["action"] for row in rows] == ["Heartbeat", "Authorize", "all"]
    assert rows[0]["timeouts"] == "1"
    assert rows[1]["failures_by_code"] == "InternalError=1"
    assert float(rows[1]["p95_ms"]) == pytest.approx(250, rel=0.001)


def test_an_action_never_answered_has_empty_latencies():
    unanswered = outcome().overall.__class__("Heartbeat", 1, 0, 1, 0, {}, None, None, None, None, None, None)
    (row, _) = csv.DictReader(io.StringIO(rendered(outcome(actions=[unanswered]), ".csv")))
    assert row["p95_ms"] == ""


def test_json_has_everything():
    assert json.loads(rendered(outcome(), ".json"))["overall"]["calls"] == 3


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_report_is_written_whole_and_leaves_nothing_beside_it(tmp_path, suffix):
    file = tmp_path / f"report{suffix}"
    file.write_text("of before")
    write_report(outcome(), file)
    assert file.read_text() == rendered(outcome(), suffix)
    assert list(tmp_path.iterdir()) == [file]
