"""What a monitor makes of an engine's answers."""

from __future__ import annotations

import itertools
import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from evcharging.apps.ev_cp_m.engine import Engine
from evcharging.apps.ev_cp_m.judge import Offer, Probe


async def probed(status: int, body: str, *, cp_id: str = "CP-001", asked: list[str] | None = None) -> Probe:
    async def health(request: Request) -> Response:
        if asked is not None:
            asked.append(request.path_params["cp_id"])
        return Response(body, status)

    app = Starlette(routes=[Route("/health/{cp_id}", health)])
    ticks = itertools.count()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        engine = Engine(client, "http://engine:8001", timeout_s=5, clock_s=lambda: next(ticks) * 0.25)
        return await engine.probe(cp_id)


@pytest.mark.parametrize(
    ("status", "body", "healthy", "detail"),
    [
        (200, '{"cp_id": "CP-001", "healthy": true, "state": "ACTIVATED", "detail": null}', True, None),
        (200, '{"healthy": true}', True, None),
        (
            503,
            '{"cp_id": "CP-001", "healthy": false, "state": "FAULT", "detail": "ground_fault"}',
            False,
            "ground_fault",
        ),
        (503, '{"healthy": false, "detail": ""}', False, "unhealthy"),
        (503, '{"healthy": true}', False, "unhealthy"),
        (200, '{"healthy": false}', False, "unhealthy"),
        (404, '{"title": "no such charge point"}', False, "unknown_to_engine"),
        (302, "", False, "engine_answered_302"),
        (500, "oops", False, "engine_answered_500"),
        (200, "<html>", False, "engine_answer_unreadable"),
        (200, '{"state": "ACTIVATED"}', False, "engine_answer_unreadable"),
        (200, '{"healthy": "perhaps"}', False, "engine_answer_unreadable"),
    ],
)
async def test_an_answer_is_read_as_healthy_or_as_what_is_wrong_with_it(status, body, healthy, detail):
    probe = await probed(status, body)
    assert (probe.healthy, probe.detail, probe.latency_ms) == (healthy, detail, 250.0)


async def test_price_and_rating_are_read_where_the_engine_says_them():
    probe = await probed(503, '{"healthy": false, "price_per_kwh": 0.3, "rating_kw": 22}')
    assert probe.offer == Offer(price_per_kwh=0.3, rating_kw=22)
    assert (await probed(200, '{"healthy": true}')).offer == Offer()
    assert (await probed(404, "")).offer is None


async def test_a_price_that_cannot_be_makes_the_answer_unreadable():
    probe = await probed(200, '{"healthy": true, "price_per_kwh": -1}')
    assert (probe.healthy, probe.detail) == (False, "engine_answer_unreadable")


async def test_the_charge_point_is_named_in_the_path_whatever_its_characters():
    asked: list[str] = []
    await probed(200, '{"healthy": true}', cp_id="CP|001=a*b@c:1", asked=asked)
    assert asked == ["CP|001=a*b@c:1"]


async def test_an_endless_detail_is_cut():
    probe = await probed(503, '{"healthy": false, "detail": "' + "x" * 10_000 + '"}')
    assert probe.detail == "x" * 200


async def test_a_refused_connection_is_an_unreachable_engine():
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        async with httpx.AsyncClient(trust_env=False) as client:
            engine = Engine(client, f"http://127.0.0.1:{unheard.getsockname()[1]}", timeout_s=5, clock_s=lambda: 0.0)
            assert await engine.probe("CP-001") == Probe(False, "engine_unreachable")


async def test_an_engine_that_does_not_answer_in_time_is_unreachable():
    with socket.socket() as frozen:
        frozen.bind(("127.0.0.1", 0))
        frozen.listen()
        async with httpx.AsyncClient(trust_env=False) as client:
            engine = Engine(client, f"http://127.0.0.1:{frozen.getsockname()[1]}", timeout_s=0.05, clock_s=lambda: 0.0)
            assert await engine.probe("CP-001") == Probe(False, "engine_unreachable")
