"""Passwords among calls to stations, and registrations that follow them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import argon2
import pytest

from evcharging.apps.ev_central.ocpp_passwords import password_given, password_taken
from evcharging.messages.commands import CommandOutcome
from evcharging.messages.network import OcppConfig
from evcharging.store.simulator import stations
from tests.support.central import Heard
from tests.support.ocpp import Station
from tests.support.web import WebRig

OLD, NEW = "the-old-password-1", "the-new-password-2"
VARIABLE = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
CHANGE = {"key": "AuthorizationKey", "value": NEW}


@pytest.mark.parametrize(
    ("action", "payload", "given"),
    [
        ("ChangeConfiguration", CHANGE, True),
        ("ChangeConfiguration", {"key": "authorizationkey", "value": NEW}, True),
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, False),
        ("ChangeConfiguration", {"key": 1}, False),
        ("SetVariables", {"setVariableData": [{**VARIABLE, "attributeValue": NEW}]}, True),
        ("SetVariables", {"setVariableData": [{**VARIABLE, "attributeValue": NEW, "attributeType": "Target"}]}, False),
        ("SetVariables", {"setVariableData": [{"component": "x", "variable": []}, 5]}, False),
        ("SetVariables", {"setVariableData": 5}, False),
        ("DataTransfer", CHANGE, False),
    ],
)
def test_a_password_is_found_in_a_call_whatever_the_call_is(action: str, payload: dict[str, Any], given: bool) -> None:
    password = password_given(action, payload)
    assert (password is not None and password.get_secret_value() == NEW) is given


@pytest.mark.parametrize(
    ("action", "response", "taken"),
    [
        ("ChangeConfiguration", {"status": "Accepted"}, True),
        ("ChangeConfiguration", {"status": "RebootRequired"}, True),
        ("ChangeConfiguration", {"status": "Rejected"}, False),
        ("SetVariables", {"setVariableResult": [{**VARIABLE, "attributeStatus": "Accepted"}]}, True),
        ("SetVariables", {"setVariableResult": [{**VARIABLE, "attributeStatus": "Rejected"}]}, False),
        (
            "SetVariables",
            {
                "setVariableResult": [
                    {"component": {"name": "A"}, "variable": {"name": "B"}, "attributeStatus": "Accepted"},
                    {**VARIABLE, "attributeStatus": "Rejected"},
                ]
            },
            False,
        ),
    ],
)
def test_a_station_takes_a_password_by_its_answer(action: str, response: dict[str, Any], taken: bool) -> None:
    assert password_taken(action, response) is taken


@contextlib.asynccontextmanager
async def hearing(web: WebRig) -> AsyncIterator[Heard]:
    heard = Heard(web.core.bus, "ocpp.config")
    task = asyncio.create_task(heard.listen())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.wait([task])


async def change(web: WebRig, word: str) -> None:
    """Have ST-1 given the new password; it answers so."""
    call = asyncio.create_task(web.http.post("/api/v1/ocpp/ST-1/ChangeConfiguration", json=CHANGE))
    command = await web.core.command("OCPP_CALL")
    await web.core.reply(command, CommandOutcome.CALL_RESULT, payload={"status": word})
    assert (await call).json() == {"status": word}


async def registered_hash(web: WebRig) -> str | None:
    async with web.core.database.begin() as transaction:
        row = await stations.find_station(transaction, "ST-1")
    return None if row is None else row.password_hash


async def test_a_registration_follows_what_its_station_took_and_gateways_hear_that_the_old_one_holds_too(web):
    await web.http.post("/api/v1/ocpp-stations", json={"cp_id": "ST-1", "password": OLD, "security_profile": 1})
    await Station(web.core).boots()
    await web.state("ST-1", "ACTIVATED")
    async with hearing(web) as heard:
        await change(web, "Accepted")
        config = await heard.wait_for(OcppConfig, lambda c: c.old_password_holds)
    assert config.password_hash == await registered_hash(web)
    assert argon2.PasswordHasher().verify(config.password_hash, NEW)
    assert (config.security_profile, config.boot_status, config.held_by_engine) == (1, "Accepted", False)


async def test_a_password_that_is_refused_is_not_followed(web):
    await web.http.post("/api/v1/ocpp-stations", json={"cp_id": "ST-1", "password": OLD, "security_profile": 1})
    await Station(web.core).boots()
    await web.state("ST-1", "ACTIVATED")
    await change(web, "Rejected")
    assert argon2.PasswordHasher().verify(await registered_hash(web), OLD)


@pytest.mark.parametrize("registered", [False, True])
async def test_a_station_that_may_connect_without_a_password_is_not_asked_for_one_from_then_on(web, registered):
    if registered:
        await web.http.post("/api/v1/ocpp-stations", json={"cp_id": "ST-1"})
    await Station(web.core).boots()
    await web.state("ST-1", "ACTIVATED")
    await change(web, "Accepted")
    assert await registered_hash(web) is None
