"""Pages are held to the code: what they name is there, and is spelled so."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import io
import itertools
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from evcharging.apps.ev_central.api.app import DOCUMENTED
from evcharging.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.suffix in (".py", ".sh"))
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PROGRAM = re.compile(
    r"(?:^|\s)(?:evcharging(?= [a-z])|python -m evcharging\.apps\.\S+|python examples/\S+|make)(?=\s|$)"
)
VARIABLE = re.compile(
    r"\b((?:UP|CENTRAL|CP_ENGINE|CP_MONITOR|DRIVER|CHARGER|BROKER|MQTT_BROKER|MIGRATE)_[A-Z_]*[A-Z])\b"
)
REPOSITORY_PATH = re.compile(r"(?:tests|docs|examples|evcharging|docker|benchmarks)/[\w./-]+(?:::\w+)?")
CENTRAL_URL = re.compile(r"http://(?:localhost|127\.0\.0\.1):8000(/[^\s'\"`)>?]*)?")
SHOWN_AS_WRONG = {"CENTRAL_HTPP_PORT"}
MADE_AT_USE = {"docker/.env"}
SERVED_BESIDE_THE_API = {"/", "/docs", "/openapi.json", "/ws"}
OF_THIS_MACHINE = re.compile(r"/(?:home|root|Users|tmp)/|\bC:\\")
EMOJI = re.compile("[\U0001f000-\U0001ffff\u2600-\u27bf\ufe0f]")
MOST_PICTURE_BYTES = 200_000


@functools.cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", ROOT / "docs" / "generate_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    return FENCE.sub("", text_of(page))


def anchors_of(page: Path) -> set[str]:
    """As code hosts make them of headings."""
    headings = (re.sub(r"[`*]", "", heading).lower() for heading in HEADING.findall(prose_of(page)))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def commands_in(page: Path) -> Iterator[list[str]]:
    """Every command of ours on a page, from blocks of shell and from spans of code, as words."""
    blocks = [body for _, language, body in FENCE.findall(text_of(page)) if language in ("bash", "sh")]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for text in [*lines, *SPAN.findall(prose_of(page))]:
        found = PROGRAM.search(text)
        if found is not None and (text in lines or found.start() == 0):
            yield shlex.split(text[found.start() :].split(" | ")[0], comments=True)


def flags_of(command: list[str]) -> set[str] | None:
    """The flags that a command of ours takes; None for one that takes any."""
    program, *rest = command
    if program == "python" and rest[0] == "-m":
        name = {known.module: known.name for known in COMMANDS}.get(rest[1])
        if name is None:
            assert importlib.util.find_spec(rest[1]) is not None, rest[1]
            return None
        rest = [name, *rest[2:]]
    elif program == "python":
        script = ROOT / rest[0]
        return set(re.findall(r'"(--[a-z-]+)"', script.read_text(encoding="utf-8")))
    settings = generator().settings_classes().get(rest[0])
    if settings is not None:
        names = {name.replace("_", "-") for name in settings.model_fields}
        more = {"--help", "--config", *(("--no-drivers",) if rest[0] == "up" else ())}
        return {f"--{name}" for name in names} | {f"--no-{name}" for name in names} | more
    return tool_flags(tuple(itertools.takewhile(lambda word: not word.startswith("-"), rest)))


@functools.cache
def tool_flags(words: tuple[str, ...]) -> set[str]:
    """What a tool's own help lists; its words up to the first flag have to be a command of it."""
    modules = {known.name: known.module for known in COMMANDS}
    assert words[0] in modules, words
    with contextlib.redirect_stdout(io.StringIO()) as told:
        code = importlib.import_module(modules[words[0]]).main([*words[1:], "--help"])
    assert code == 0, words
    return set(re.findall(r"--[a-z-]+", told.getvalue()))


@functools.cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@functools.cache
def variables() -> set[str]:
    return {
        variable
        for settings in generator().settings_classes().values()
        for name, field in settings.model_fields.items()
        for variable in (settings.variable_of(name), settings.prefix + name.upper())
    }


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(prose_of(page)):
        path, _, anchor = target.partition("#")
        if path.startswith(("http://", "https://")):
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target}: there is no {there.relative_to(ROOT)}"
        assert not anchor or anchor in anchors_of(there), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_exists_and_takes_the_flags_it_is_shown_with(page: Path) -> None:
    for command in commands_in(page):
        if command[0] == "make":
            named = [word for word in command[1:] if not word.startswith("#")]
            targets = {word for word in named[:1] if "=" not in word}
            assert targets <= make_targets(), command
            continue
        known = flags_of(command)
        if known is not None:
            assert {word.split("=")[0] for word in command if word.startswith("--")} <= known, command


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_variable_is_a_setting(page: Path) -> None:
    assert set(VARIABLE.findall(text_of(page))) - SHOWN_AS_WRONG <= variables()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_file_and_test_that_is_named_exists(page: Path) -> None:
    for span in SPAN.findall(prose_of(page)):
        if REPOSITORY_PATH.fullmatch(span) and span not in MADE_AT_USE:
            path, _, test = span.partition("::")
            assert (ROOT / path).exists(), span
            assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), span


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_address_at_central_is_served(page: Path) -> None:
    routes = [route.path for module in DOCUMENTED for route in module.router.routes]
    served = [re.compile(re.sub(r"\{\w+\}", r"[^/]+", path)) for path in [*routes, *SERVED_BESIDE_THE_API]]
    for path in CENTRAL_URL.findall(text_of(page)):
        assert any(pattern.fullmatch(path or "/") for pattern in served), path


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_are_plain_and_of_no_machine_in_particular(page: Path) -> None:
    assert not EMOJI.search(text_of(page))
    assert not OF_THIS_MACHINE.search(text_of(page))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_generated_tables_are_as_the_code_has_them(page: Path) -> None:
    assert text_of(page) == generator().renewed(page), "run: python docs/generate_reference.py"


def test_every_service_and_every_topic_in_use_has_its_table() -> None:
    settings, topics = text_of(ROOT / "docs/reference/settings.md"), text_of(ROOT / "docs/reference/topics.md")
    for service in generator().settings_classes():
        assert f"<!-- begin settings:{service} -->" in settings
    for name, about in generator().examples().items():
        assert (f"### {name}\n" in topics) is about["used"]


def test_a_page_that_is_behind_is_named_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    page = docs / "page.md"
    page.write_text("before\n<!-- begin denials -->\nold\n<!-- end denials -->\nafter\n")
    (tmp_path / "README.md").write_text("nothing generated\n")
    monkeypatch.setattr(generator(), "DOCS", docs)
    assert generator().main(["--check"]) == 3
    assert "docs/page.md" in capsys.readouterr().out
    assert "old" in page.read_text()
    assert generator().main([]) == 0
    assert "`busy`" in page.read_text()
    assert page.read_text().startswith("before\n")
    assert generator().main(["--check"]) == 0


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_says_what_it_shows_and_how_to_run_it(example: Path) -> None:
    opening = text_of(example)[:1500]
    assert re.search(r"\bShows\b", opening)
    assert "Run it" in opening
    assert f"examples/{example.name}" in opening
    for flag in re.findall(rf"examples/{example.name}[^\n]*?(--[a-z-]+)", opening):
        assert f'"{flag}"' in text_of(example)


def test_the_index_of_examples_has_each() -> None:
    index = LINK.findall(text_of(ROOT / "examples" / "README.md"))
    assert sorted(index) == [example.name for example in EXAMPLES]


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < MOST_PICTURE_BYTES, picture.name


def test_the_changelog_opens_with_its_policy_and_has_the_version_or_what_is_unreleased() -> None:
    headings = HEADING.findall(text_of(ROOT / "CHANGELOG.md"))
    assert headings[:3] == ["Changelog", "Compatibility policy", "[Unreleased]"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert version == "0.1.0" or any(heading.startswith(f"[{version}]") for heading in headings)
