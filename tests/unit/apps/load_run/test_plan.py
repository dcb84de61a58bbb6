import pytest

from evcharging.apps.load_run.plan import plan_of
from evcharging.apps.load_run.settings import LoadRunSettings
from evcharging.apps.runtime.errors import UsageError
from evcharging.ocpp.versions import OcppVersion


def planned(*flags, url="ws://localhost:9000/ocpp", **environ):
    return plan_of(LoadRunSettings.load(["--csms-url", url, *flags], environ=environ))


def test_the_stations_measured_are_as_asked_for():
    plan = planned("--profile", "busy", "--version", "2.0.1", "--connectors", "2", "--seed", "5", "--first-number", "7")
    assert (plan.measured.version, plan.measured.connectors, plan.measured.seed) == (OcppVersion.V201, 2, 5)
    assert plan.measured.profile.name == "busy"
    assert plan.measured.first_number == 7
    assert plan.background is None
    assert plan.drivers is None


def test_intervals_go_before_the_profiles_and_power_stays():
    usual, faster = planned().measured.profile, planned("--meter-interval", "1s", "--heartbeat-interval", "2s")
    profile = faster.measured.profile
    assert (profile.meter_interval_s, profile.heartbeat_interval_s) == (1.0, 2.0)
    assert profile.session_power_kw(0.5) == pytest.approx(usual.session_power_kw(0.5))
    assert faster.heartbeat_interval_s == 2.0


def test_the_background_has_ids_of_its_own_and_no_faults():
    plan = planned("--background", "5", "--faults", "bad-json=0.1", "--network", "loss=1%")
    assert (plan.background_count, plan.background.profile.name) == (5, "idle")
    assert plan.background.id_prefix != plan.measured.id_prefix
    assert (plan.background.protocol, plan.background.network) == (None, None)
    assert plan.measured.protocol is not None
    assert plan.measured.network is not None


def test_drivers_take_the_place_of_the_profiles_sessions():
    plan = planned("--drivers", "home")
    assert plan.drivers is not None
    assert not plan.measured.profile.sessions
    assert not plan.measured.vehicles_come


def test_what_was_asked_for_is_told_without_the_password():
    plan = planned("--network", "loss=1%", LOAD_RUN_PASSWORD="correct-horse")
    assert plan.told["password"] == "given"
    assert plan.told["network"] == "loss=1%"
    assert "correct-horse" not in str(plan.told)
    assert "correct-horse" not in repr(plan)
    assert plan.measured.password == "correct-horse"


def test_wss_is_dialled_with_tls_and_ws_without():
    assert planned(url="wss://localhost/ocpp").measured.ssl_context is not None
    assert planned().measured.ssl_context is None


@pytest.mark.parametrize(
    ("flags", "url", "told"),
    [
        (("--profile", "lazy"), "ws://x", "--profile: no behaviour profile 'lazy'; there are busy"),
        (("--background-profile", "lazy"), "ws://x", "--background-profile: no behaviour profile"),
        (("--profiles-dir", "/nowhere"), "ws://x", "--profiles-dir: /nowhere"),
        (("--ca", "/nowhere.pem"), "ws://x", "they are for wss://"),
        (("--ca", "/nowhere.pem"), "wss://x", "/nowhere.pem"),
        (("--client-key", "/nowhere.pem"), "wss://x", "/nowhere.pem"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_flag(flags, url, told):
    with pytest.raises(UsageError) as caught:
        planned(*flags, url=url)
    assert told in str(caught.value)
