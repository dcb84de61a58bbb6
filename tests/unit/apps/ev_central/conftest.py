from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.web import WebRig, running_web


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[WebRig]:
    """Central with HTTP, open to everybody on this machine."""
    async with running_web(tmp_path) as rig:
        yield rig


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[WebRig]:
    """Central with HTTP whose writes need the token ``s3cret``."""
    async with running_web(tmp_path, token="s3cret") as rig:
        yield rig
