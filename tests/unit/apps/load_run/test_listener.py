import pytest

from evcharging.apps.load_run.latencies import Latencies
from evcharging.apps.load_run.ledger import Ledger
from evcharging.apps.load_run.listener import MOST_REASONS, Connections, RunListener
from evcharging.apps.load_run.timeline import Timeline
from evcharging.ocpp.station.interfaces import TransactionRecord


class Heard:
    def __init__(self):
        self.latencies, self.timeline = Latencies(), Timeline()
        self.connections, self.ledger = Connections(), Ledger()
        self.connected, self.registered, self.leaving = [], [], set()
        self.listener = RunListener(
            latencies=self.latencies,
            timeline=self.timeline,
            connections=self.connections,
            ledger=self.ledger,
            on_connected=self.connected.append,
            on_registered=self.registered.append,
            is_leaving=lambda station_id: station_id in self.leaving,
        )

    def point(self):
        return self.timeline.close(1.0, wanted=0, connected=0, sessions=0, power_kw=0.0)


@pytest.fixture
def heard():
    return Heard()


def record(**values):
    return TransactionRecord(
        **{
            "station_id": "S1",
            "connector_id": 1,
            "local_id": "l1",
            "id_tag": "A",
            "started_at_s": 0.0,
            "meter_start_wh": 100,
            "meter_wh": 100,
            "transaction_id": 7,
            **values,
        }
    )


def test_calls_go_to_the_latencies_and_the_timeline(heard):
    for seconds, outcome in ((0.1, "ok"), (0.2, "InternalError"), (None, "timeout"), (None, "lost")):
        heard.listener.called("S1", "Heartbeat", seconds, outcome)
    figures = heard.latencies.overall()
    assert (figures.calls, figures.failed, figures.timeouts, figures.lost) == (4, 1, 1, 1)
    point = heard.point()
    assert (point.calls, point.failed, point.timeouts) == (4, 1, 1)
    assert point.max_s == pytest.approx(0.2, rel=0.02)


def test_a_text_that_was_ignored_is_no_call(heard):
    heard.listener.called("S1", "", None, "ignored:unmatched")
    assert heard.latencies.calls == 0
    assert heard.listener.ignored == {"unmatched": 1}


def test_connects_reconnects_losses_and_failed_attempts_are_told_apart(heard):
    heard.listener.disconnected("S1", "refused")
    heard.listener.connected("S1")
    heard.listener.disconnected("S1", "dropped")
    heard.listener.connected("S1")
    heard.listener.connected("S2")
    sockets = heard.connections
    assert (sockets.connects, sockets.reconnects, sockets.disconnects, sockets.refused, sockets.now) == (3, 1, 1, 1, 2)
    assert sockets.reasons == {"refused": 1, "dropped": 1}
    assert heard.connected == ["S1", "S1", "S2"]
    point = heard.point()
    assert (point.connects, point.disconnects) == (3, 1)


def test_a_socket_closed_because_its_station_leaves_is_not_lost(heard):
    heard.listener.connected("S1")
    heard.listener.connected("S2")
    heard.listener.disconnected("S2", "dropped")
    heard.leaving |= {"S1", "S2"}
    heard.listener.disconnected("S1", "closed with 1001")
    heard.listener.disconnected("S2", "no websocket")
    sockets = heard.connections
    assert (sockets.now, sockets.disconnects, sockets.closed, dict(sockets.reasons)) == (0, 1, 1, {"dropped": 1})
    assert (sockets.let_go("S1"), sockets.let_go("S2")) == (True, False)


def test_reasons_without_number_are_kept_in_few(heard):
    for number in range(MOST_REASONS + 30):
        heard.listener.disconnected("S1", f"reason {number}")
    assert len(heard.connections.reasons) == MOST_REASONS + 1
    assert heard.connections.reasons["other reasons"] == 30


def test_stations_that_cannot_connect_for_one_reason_count_as_one_reason(heard):
    for number in range(3):
        heard.listener.disconnected(f"ST-{number}", f"ws://127.0.0.1:9000/ocpp/ST-{number}: Connect call failed")
    assert dict(heard.connections.reasons) == {"ws://127.0.0.1:9000/ocpp/<id>: Connect call failed": 3}


def test_only_an_accepted_boot_is_passed_on(heard):
    heard.listener.registered("S1", "Pending", 0.1)
    heard.listener.registered("S1", "Accepted", 0.1)
    assert heard.registered == ["S1"]
    assert heard.connections.boots_accepted == 1


def test_transactions_go_to_the_ledger_with_their_energy(heard):
    heard.listener.transaction_began(record(transaction_id=None))
    assert heard.listener.running_sessions == 1
    ended = record(ended_at_s=60.0, meter_wh=350)
    heard.listener.transaction_ended(ended)
    heard.listener.transaction_settled(ended)
    assert (heard.listener.sessions, heard.listener.running_sessions, heard.listener.energy_wh) == (1, 0, 250)
    heard.ledger.start_acknowledged("S1", 7, 100)
    heard.ledger.end_acknowledged("S1", 7, 350)
    assert heard.ledger.figures().clean


def test_a_message_given_up_spoils_the_ledger(heard):
    heard.listener.message_dropped("S1", "StopTransaction", "refused")
    assert not heard.ledger.figures().clean
