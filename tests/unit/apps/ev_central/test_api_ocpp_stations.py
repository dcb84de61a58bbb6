from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import argon2
import pytest

from evcharging.messages.network import OcppConfig
from evcharging.store.simulator import stations, tables
from tests.support.central import Heard
from tests.support.ocpp import Station
from tests.support.web import WebRig

STATIONS = "/api/v1/ocpp-stations"
PASSWORD = "correct-horse-battery"


@contextlib.asynccontextmanager
async def hearing(web: WebRig) -> AsyncIterator[Heard]:
    """What gateways hear of stations."""
    heard = Heard(web.core.bus, "ocpp.config")
    task = asyncio.create_task(heard.listen())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_station_is_registered_and_gateways_can_verify_its_password(web):
    body = {"cp_id": "CP-100", "password": PASSWORD, "security_profile": 1, "boot_status": "Accepted"}
    async with hearing(web) as heard:
        answer = await web.http.post(STATIONS, json=body)
        config = await heard.wait_for(OcppConfig)
    assert (answer.status_code, answer.headers["location"]) == (201, f"{STATIONS}/CP-100")
    assert answer.json() == {
        "cp_id": "CP-100",
        "has_password": True,
        "security_profile": 1,
        "boot_status": "Accepted",
        "heartbeat_interval_s": None,
        "configuration": None,
        "changed_at": "2026-03-01T12:00:00.000Z",
    }
    assert config.security_profile == 1
    assert argon2.PasswordHasher().verify(config.password_hash, PASSWORD)
    assert config.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_password_is_shown_and_stored_nowhere(web, capfd):
    await web.http.post(STATIONS, json={"cp_id": "CP-100", "password": PASSWORD, "security_profile": 2})
    shown = (await web.http.get(f"{STATIONS}/CP-100")).text + (await web.http.get(STATIONS)).text
    refused = await web.http.post(STATIONS, json={"cp_id": "CP-101", "password": PASSWORD * 10})
    assert refused.status_code == 422
    async with web.core.database.begin() as transaction:
        row = await stations.find_station(transaction, "CP-100")
        told = [bytes(r.body).decode() for r in await transaction.execute(tables.outbox.select())]
    assert row is not None
    for text in (shown, refused.text, repr(row), *told, *capfd.readouterr()):
        assert PASSWORD not in text
    assert "argon2" not in shown
    assert "argon2" not in repr(row)


@pytest.mark.parametrize("password", ["x", "fifteen-letters", PASSWORD * 4])
async def test_a_password_of_a_length_that_ocpp_does_not_have_is_refused_and_not_shown(web, password):
    for answer in (
        await web.http.post(STATIONS, json={"cp_id": "CP-100", "password": password, "security_profile": 1}),
        await web.http.put(f"{STATIONS}/CP-100", json={"password": password}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        (problem,) = answer.json()["errors"]
        assert problem["pointer"] == "#/password"
        assert problem["detail"].startswith(f"got {len(password)} character")
        assert "expected 16 to 64" in problem["detail"]
        assert f'"{password}"' not in answer.text
    assert (await web.http.get(f"{STATIONS}/CP-100")).status_code == 404


@pytest.mark.parametrize("length", [16, 40, 64])
async def test_a_password_as_long_as_ocpp_asks_for_is_taken(web, length):
    body = {"cp_id": "CP-100", "password": "p" * length, "security_profile": 1}
    assert (await web.http.post(STATIONS, json=body)).status_code == 201


async def test_registering_again_changes_it_and_keeps_a_password_that_is_left_out(web):
    await web.http.post(STATIONS, json={"cp_id": "CP-100", "password": PASSWORD, "security_profile": 1})
    async with hearing(web) as heard:
        again = await web.http.post(STATIONS, json={"cp_id": "CP-100", "security_profile": 2, "boot_status": "Pending"})
        config = await heard.wait_for(OcppConfig, lambda c: c.boot_status == "Pending")
    assert (again.status_code, again.json()["has_password"], again.json()["security_profile"]) == (200, True, 2)
    assert argon2.PasswordHasher().verify(config.password_hash, PASSWORD)
    changed = await web.http.put(f"{STATIONS}/CP-100", json={"configuration": {"MeterValueSampleInterval": "10"}})
    assert changed.json()["configuration"] == {"MeterValueSampleInterval": "10"}


@pytest.mark.parametrize(
    ("version", "configuration", "pointer", "why"),
    [
        (None, {"AuthorizationKey": PASSWORD}, "#/configuration/AuthorizationKey", "give the registration's own"),
        (None, {"k" * 51: "1"}, f"#/configuration/{'k' * 51}", "51 characters"),
        (None, {"a/b": "1", "A/B": "1"}, "#/configuration/A~1B", "twice"),
        ("2.0.1", {"HeartbeatInterval": "33"}, "#/configuration/HeartbeatInterval", "Component.Variable"),
        ("1.6", {"HeartbeatInterval": "3" * 501}, "#/configuration/HeartbeatInterval", "501 characters"),
    ],
)
async def test_a_key_that_cannot_be_set_is_refused_with_the_reason(web, version, configuration, pointer, why):
    if version is not None:
        await Station(web.core, "CP-100", version=version).boots()
    body = {"cp_id": "CP-100", "configuration": configuration}
    answer = await web.http.post(STATIONS, json=body)
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert problem["pointer"] == pointer
    assert why in problem["detail"]
    assert PASSWORD not in answer.text
    assert (await web.http.get(f"{STATIONS}/CP-100")).status_code == 404


async def test_a_security_profile_with_basic_authentication_needs_a_password(web):
    answer = await web.http.post(STATIONS, json={"cp_id": "CP-100", "security_profile": 1})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/password")
    assert (await web.http.post(STATIONS, json={"cp_id": "CP-100", "security_profile": 3})).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cp_id": "a/b"},
        {"cp_id": "CP-100", "security_profile": 4},
        {"cp_id": "CP-100", "boot_status": "Maybe"},
        {"cp_id": "CP-100", "password": ""},
        {"cp_id": "CP-100", "password": 1},
        {"cp_id": "CP-100", "heartbeat_interval_s": 0},
        {"cp_id": "CP-100", "configuration": {"a": 1}},
        {"cp_id": "CP-100", "colour": "red"},
    ],
)
async def test_what_is_no_registration_is_refused(web, body):
    answer = await web.http.post(STATIONS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_withdrawn_registration_is_taken_from_gateways_memory(web):
    await web.http.post(STATIONS, json={"cp_id": "CP-100"})
    async with hearing(web) as heard:
        assert (await web.http.delete(f"{STATIONS}/CP-100")).status_code == 204
        gone = await heard.wait_for(OcppConfig, lambda c: c.deleted)
    assert (gone.cp_id, gone.password_hash) == ("CP-100", None)
    path = f"{STATIONS}/CP-100"
    for answer in (await web.http.get(path), await web.http.delete(path), await web.http.put(path, json={})):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_registration")


async def test_registrations_are_listed_in_pages_and_told_again_when_central_starts(web):
    for number in range(3):
        await web.http.post(STATIONS, json={"cp_id": f"CP-{number}"})
    first = await web.http.get(f"{STATIONS}?limit=2")
    assert [station["cp_id"] for station in first.json()] == ["CP-0", "CP-1"]
    rest = await web.http.get(first.links["next"]["url"])
    assert [station["cp_id"] for station in rest.json()] == ["CP-2"]
    async with hearing(web) as heard:
        await heard.wait_for(OcppConfig, lambda c: c.cp_id == "CP-2")
        before = len(heard.all)
        await web.registry.announce()
        while len(heard.all) < before + 3:
            await asyncio.sleep(0.002)
    assert sorted(r.message.cp_id for r in heard.all[before:]) == ["CP-0", "CP-1", "CP-2"]


async def test_a_station_cannot_be_registered_under_the_id_of_an_engine(web):
    await web.activated("CP-001")
    refused = await web.http.post(STATIONS, json={"cp_id": "CP-001", "security_profile": 0})
    assert (refused.status_code, refused.json()["code"]) == (409, "id_taken")
    assert (await web.http.get(STATIONS)).json() == []
