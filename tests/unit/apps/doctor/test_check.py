from __future__ import annotations

import asyncio

import pytest

from evcharging.apps.doctor import check as check_module
from evcharging.apps.doctor.check import Check, CheckFailed, Verdict, run_checks


async def passes() -> str:
    return "fine"


async def fails() -> str:
    raise CheckFailed("too small", mend="make it larger")


async def breaks() -> str:
    raise ZeroDivisionError("oh")


async def hangs() -> str:
    await asyncio.Event().wait()
    return "never"


async def verdict_of(look) -> Verdict:
    (verdict,) = await run_checks([Check("it", look)], lambda _: None)
    return verdict


async def test_a_check_that_passes_says_what_was_found():
    verdict = await verdict_of(passes)
    assert (verdict.passed, verdict.detail, verdict.mend) == (True, "fine", None)


async def test_a_check_that_fails_says_how_to_mend_it():
    verdict = await verdict_of(fails)
    assert (verdict.passed, verdict.detail, verdict.mend) == (False, "too small", "make it larger")


async def test_a_check_that_breaks_fails_and_the_next_is_run():
    told: list[Verdict] = []
    await run_checks([Check("one", breaks), Check("two", passes)], told.append)
    assert [(v.passed, v.detail) for v in told] == [(False, "ZeroDivisionError: oh"), (True, "fine")]


async def test_a_check_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(check_module, "TIMEOUT_S", 0.01)
    verdict = await verdict_of(hangs)
    assert not verdict.passed
    assert "no result within 0.01 s" in verdict.detail


def test_what_something_needs_is_optional():
    assert Check("it", passes).required
    assert not Check("it", passes, needed_for="tests").required
