import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.load_run.quantities import BadQuantity, duration_s, share, told_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("90s", 90.0),
        ("1h30m", 5400.0),
        ("2 m", 120.0),
        ("1.5s", 1.5),
        ("45", 45.0),
        (3, 3.0),
        ("1d", 86400.0),
    ],
)
def test_a_duration_is_read_as_people_write_it(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["soon", "", "5x", "s", "1m-", "-5s", -1, float("inf"), float("nan"), None, True, [1]])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(BadQuantity, match="500ms"):
        duration_s(text)


@pytest.mark.parametrize(
    ("text", "part"), [("25%", 0.25), ("0.25", 0.25), (1, 1.0), (0.5, 0.5), ("100%", 1.0), ("0%", 0.0)]
)
def test_a_share_is_read_with_and_without_its_sign(text, part):
    assert share(text) == part


@pytest.mark.parametrize("text", ["101%", "-1%", "1.5", "half", "%", None, True])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(BadQuantity, match="25%"):
        share(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0012, "1.2 ms"),
        (0.35, "350 ms"),
        (4.2, "4.2 s"),
        (90, "1 min 30 s"),
        (120, "2 min"),
        (7500, "2 h 5 min"),
        (3600, "1 h"),
    ],
)
def test_a_duration_is_told_as_people_read_it(seconds, text):
    assert told_duration(seconds) == text


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_a_bad_quantity(text):
    try:
        seconds = duration_s(text)
    except BadQuantity:
        return
    assert seconds >= 0.0
