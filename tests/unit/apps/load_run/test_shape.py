import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.load_run.shape import NAMED_SHAPES, BadShape, Cut, GoTo, Hold, Shape, named_shape, read_shape


def test_a_ramp_climbs_evenly_and_holds():
    shape = named_shape("ramp", stations=100, run_s=60.0, ramp_s=10.0)
    assert [shape.stations_at(second) for second in (0.0, 5.0, 10.0, 59.9)] == [0, 50, 100, 100]
    assert shape.duration_s == 60.0


def test_steps_climb_in_five():
    shape = named_shape("step", stations=100, run_s=100.0, ramp_s=5.0)
    assert [shape.stations_at(20.0 * step + 10.0) for step in range(5)] == [20, 40, 60, 80, 100]


def test_a_reconnect_storm_cuts_every_socket_three_times():
    shape = named_shape("reconnect-storm", stations=100, run_s=50.0, ramp_s=10.0)
    assert shape.cuts() == ((20.0, 1.0), (30.0, 1.0), (40.0, 1.0))
    assert shape.stations_at(35.0) == 100


@given(
    name=st.sampled_from(sorted(NAMED_SHAPES)),
    stations=st.integers(1, 5000),
    run_s=st.floats(1.0, 1e5),
    ramp=st.floats(0.0, 1.0),
    at=st.floats(0.0, 1.2),
)
def test_a_named_shape_lasts_as_asked_and_never_has_more_stations_than_asked(name, stations, run_s, ramp, at):
    shape = named_shape(name, stations=stations, run_s=run_s, ramp_s=ramp * run_s)
    assert shape.duration_s == pytest.approx(run_s)
    assert 0 <= shape.stations_at(at * run_s) <= stations
    assert shape.stations_at(run_s * 1.0001) == shape.most_stations == stations


def test_an_unknown_shape_is_answered_with_those_there_are():
    with pytest.raises(BadShape, match="expected ramp, step, soak, reconnect-storm or a YAML file"):
        named_shape("spiral", stations=1, run_s=1.0, ramp_s=0.0)


def test_a_ramp_longer_than_the_run_is_refused():
    with pytest.raises(BadShape, match="does not fit"):
        named_shape("ramp", stations=1, run_s=1.0, ramp_s=2.0)


def written(tmp_path, text):
    file = tmp_path / "shape.yaml"
    file.write_text(text)
    return read_shape(file, stations=200)


def test_a_shape_is_read_from_a_file(tmp_path):
    shape = written(
        tmp_path,
        """
        name: morning
        stages:
          - {stations: 50%, over: 30s}
          - hold: 2m
          - cut: 25%
          - stations: 10
        """,
    )
    assert shape == Shape("morning", (GoTo(100, 30.0), Hold(120.0), Cut(0.25), GoTo(10, 0.0)))
    assert [shape.stations_at(second) for second in (15.0, 100.0, 150.0)] == [50, 100, 10]
    assert shape.cuts() == ((150.0, 0.25),)


def test_a_file_without_a_name_is_called_after_itself(tmp_path):
    assert written(tmp_path, "stages: [{stations: 1}]").name == "shape"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stages: []", "list of stages"),
        ("- hold: 1s", "list of stages"),
        ("stages: [{hold: soon}]", "stage 1: 'soon' is no duration"),
        ("stages: [{stations: 5}, {cut: 200%}]", "stage 2: '200%' is no share"),
        ("stages: [{stations: -5}]", "no number of stations"),
        ("stages: [{stations: many}]", "expected as 100, or 50% of --count"),
        ("stages: [{stations: 5, hold: 3s}]", "expected stations with over, or hold, or cut"),
        ("stages: [wait]", "expected stations with over, or hold, or cut"),
        ("stages: [{hold: 1s}]", "stations above 0"),
        ("stages: [{stations: 5}]\nspeed: 3", "speed: no such key"),
        ("a: b: c", "not YAML"),
    ],
)
def test_a_bad_file_is_named_with_its_stage_and_what_was_expected(tmp_path, text, told):
    with pytest.raises(BadShape) as caught:
        written(tmp_path, text)
    assert "shape.yaml: " in str(caught.value)
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadShape, match="cannot be read"):
        read_shape(tmp_path / "nowhere.yaml", stations=1)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "shape.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadShape, match="UTF-8"):
        read_shape(tmp_path / "shape.yaml", stations=1)
