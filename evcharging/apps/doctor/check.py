"""What a check is and how it is run: alone, within its time, and never bringing another down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

__all__ = ["Check", "CheckFailed", "Verdict", "run_checks"]

log = structlog.get_logger()

TIMEOUT_S = 20.0


class CheckFailed(Exception):
    """What was looked at is not as it has to be.

    Args:
        detail: what was found.
        mend: what to do about it.
    """

    def __init__(self, detail: str, *, mend: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    Attributes:
        name: what is looked at.
        look: returns what was found, in a few words; raises `CheckFailed` where that will not do.
        needed_for: what does without; None where nothing works without it.
    """

    name: str
    look: Callable[[], Awaitable[str]]
    needed_for: str | None = None

    @property
    def required(self) -> bool:
        """Whether everything depends on it."""
        return self.needed_for is None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a check ended. ``mend`` says what to do, where it failed."""

    check: Check
    passed: bool
    detail: str
    mend: str | None = None


async def run_checks(checks: Sequence[Check], tell: Callable[[Verdict], None]) -> list[Verdict]:
    """Run one after the other, telling each verdict as it comes."""
    verdicts = []
    for check in checks:
        verdict = await _run(check)
        tell(verdict)
        verdicts.append(verdict)
    return verdicts


async def _run(check: Check) -> Verdict:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return Verdict(check, passed=True, detail=await check.look())
    except CheckFailed as failed:
        return Verdict(check, passed=False, detail=failed.detail, mend=failed.mend)
    except TimeoutError:
        mend = "see that the machine is not overloaded and that nothing filters connections on 127.0.0.1"
        return Verdict(check, passed=False, detail=f"no result within {TIMEOUT_S:g} s", mend=mend)
    except Exception as error:  # a check that breaks is a finding like any other
        log.debug("a check broke", check=check.name, exc_info=True)
        mend = "this is not expected; report it with the output of evcharging doctor --json"
        return Verdict(check, passed=False, detail=f"{type(error).__name__}: {error}", mend=mend)
