from __future__ import annotations

import httpx
import pytest

from evcharging.apps.runtime.errors import GaveUp, UsageError
from evcharging.apps.up.stations import ask_for_stations

CENTRAL = "http://127.0.0.1:8000"


def client_of(*answers: httpx.Response | Exception) -> tuple[httpx.AsyncClient, list[httpx.Request]]:
    """Answers in turn, the last one again and again."""
    asked: list[httpx.Request] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return httpx.AsyncClient(transport=httpx.MockTransport(answer)), asked


async def test_central_is_asked_for_so_many_with_the_profile_and_the_token():
    client, asked = client_of(httpx.Response(200, json={}))
    async with client:
        await ask_for_stations(client, CENTRAL, 5, profile="busy", token="t0ken")
    assert asked[0].url == f"{CENTRAL}/stations/scale"
    assert asked[0].read() == b'{"count":5,"profile":"busy"}'
    assert asked[0].headers["Authorization"] == "Bearer t0ken"


async def test_a_refusal_is_repeated_and_ends_the_run_as_bad_usage():
    client, _ = client_of(httpx.Response(422, json={"detail": "no behaviour profile 'bussy'"}))
    async with client:
        with pytest.raises(UsageError, match=r"--station-profile bussy: no behaviour profile 'bussy'"):
            await ask_for_stations(client, CENTRAL, 5, profile="bussy", token=None)


async def test_a_central_that_cannot_at_the_moment_is_asked_again():
    client, asked = client_of(httpx.ConnectError("no"), httpx.Response(503, text="-"), httpx.Response(200, json={}))
    async with client:
        await ask_for_stations(client, CENTRAL, 5, profile="default", token=None)
    assert len(asked) == 3


async def test_a_central_that_never_can_is_given_up():
    client, _ = client_of(httpx.Response(503, json={"detail": "the database is away"}))
    async with client:
        with pytest.raises(GaveUp, match="5 stations could not be asked for within 0.1 s: the database is away"):
            await ask_for_stations(client, CENTRAL, 5, profile="default", token=None, within_s=0.1)
