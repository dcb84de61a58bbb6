import re

from evcharging.apps.load_run.report_style import STYLE


def test_every_colour_used_is_defined_for_light_and_dark():
    used = set(re.findall(r"var\((--\w+)\)", STYLE)) | {"--blue", "--green", "--red", "--amber", "--grey"}
    for colour in used:
        assert STYLE.count(f"{colour}:") == 2, colour


def test_nothing_is_loaded_from_anywhere():
    assert "url(" not in STYLE
    assert "@import" not in STYLE
