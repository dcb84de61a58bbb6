import pytest

from evcharging.apps.load_run.settings import LoadRunSettings
from evcharging.apps.runtime.errors import UsageError

URL = "ws://localhost:9000/ocpp"


def loaded(*flags, **environ):
    return LoadRunSettings.load(["--csms-url", URL, *flags], environ=environ)


def test_without_flags_ten_stations_ramp_for_a_minute():
    shape = loaded().stages
    assert (shape.name, shape.duration_s, shape.most_stations) == ("ramp", 60.0, 10)


@pytest.mark.parametrize(
    ("name", "seconds"), [("ramp", 60.0), ("step", 120.0), ("soak", 3600.0), ("reconnect-storm", 120.0)]
)
def test_each_shape_has_a_usual_length(name, seconds):
    assert loaded("--shape", name).stages.duration_s == seconds


def test_durations_are_read_as_people_write_them():
    settings = loaded("--duration", "1h30m", "--ramp", "90s", "--meter-interval", "500ms")
    assert (settings.duration, settings.ramp, settings.meter_interval) == (5400.0, 90.0, 0.5)


def test_reports_and_thresholds_repeat(tmp_path):
    flags = ("--report", str(tmp_path / "a.html"), "--report", str(tmp_path / "b.json"))
    settings = loaded(*flags, "--fail-if", "p95(Heartbeat) > 1s", "--fail-if", "ledger > 0")
    assert [file.name for file in settings.report] == ["a.html", "b.json"]
    assert [threshold.metric for threshold in settings.thresholds] == ["p95", "ledger"]


def test_the_password_comes_from_the_environment_and_is_never_shown():
    settings = loaded(LOAD_RUN_PASSWORD="correct-horse")
    assert settings.password.get_secret_value() == "correct-horse"
    assert "correct-horse" not in repr(settings)


def test_a_shape_in_a_file_says_its_own_times(tmp_path):
    file = tmp_path / "storm.yaml"
    file.write_text("stages: [{stations: 50%, over: 10s}, {hold: 5s}]")
    assert loaded("--shape", str(file), "--count", "8").stages.most_stations == 4
    with pytest.raises(UsageError, match="a file says its own times"):
        _ = loaded("--shape", str(file), "--duration", "5s").stages


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--count", "0"), "--count"),
        (("--duration", "soon"), "'soon' is no duration"),
        (("--report", "report.pdf"), "ends with none of .html, .json, .csv"),
        (("--report", "/nowhere/at/all/r.html"), "there is no folder /nowhere/at/all"),
        (("--version", "1.5"), "--version"),
        (("--csms-url", "http://localhost"), "expected as ws://host:port/path"),
        (("--csms-url", "ws:///ocpp"), "expected as ws://host:port/path"),
        (("--speed", "9"), "--speed"),
    ],
)
def test_a_bad_flag_is_told_in_one_line(flags, told):
    with pytest.raises(UsageError) as caught:
        loaded(*flags)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--fail-if", "p95 > 5"), "--fail-if: '5'"),
        (("--faults", "rudeness=1"), "--faults: 'rudeness' is no fault"),
        (("--network", "lag=5"), "--network: 'lag=5'"),
        (("--shape", "spiral"), "--shape: spiral: no such shape"),
        (("--ramp", "2m"), "--shape: ramp: a ramp of 120 s does not fit"),
    ],
)
def test_what_is_no_threshold_fault_network_or_shape_is_told_with_its_flag(flags, told):
    settings = loaded(*flags)
    with pytest.raises(UsageError) as caught:
        _ = settings.thresholds, settings.protocol_faults, settings.network_faults, settings.stages
    assert told in str(caught.value)


def test_without_faults_asked_for_there_are_none():
    settings = loaded()
    assert (settings.protocol_faults, settings.network_faults, settings.thresholds) == (None, None, [])
