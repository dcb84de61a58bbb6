"""Who may connect, and what the others are told."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.apps.ocpp_gateway.admission import Admission
from evcharging.apps.ocpp_gateway.passwords import PasswordChecker
from evcharging.apps.ocpp_gateway.stations import StationRegistry
from evcharging.messages.network import OcppConfig
from evcharging.ocpp.upgrade import Refusal, UpgradeRequest
from evcharging.ocpp.versions import OcppVersion
from evcharging.ocpp.websocket_server import Acceptance, Decision, Dismissal

NOW = datetime(2026, 1, 31, tzinfo=UTC)
HASH = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")
OURS = {"subject": ((("commonName", "CP-001"),),), "subjectAltName": ()}


class Door:
    """An admission whose handlers are named after whom they are for."""

    def __init__(self, *, open_registration: bool = False, stranger_password: str | None = None) -> None:
        self.stations = StationRegistry(
            open_registration=open_registration, default=lambda cp_id: OcppConfig(ts=NOW, cp_id=cp_id)
        )
        self.passwords = PasswordChecker()
        self.dismissed: list[str] = []
        self.intruded: list[str] = []
        self.made: list[tuple[str, OcppVersion]] = []
        self.full: str | None = None
        self._admission = Admission(
            self.stations,
            self.passwords,
            self._make,  # type: ignore[arg-type]
            full=lambda: self.full,
            dismissed=lambda reason, _request: self.dismissed.append(reason),
            intruded=lambda cp_id, _request: self.intruded.append(cp_id),
            stranger_password=stranger_password,
        )

    def _make(self, cp_id: str, version: OcppVersion, _request: UpgradeRequest) -> str:
        self.made.append((cp_id, version))
        return f"handler of {cp_id}"

    def register(self, cp_id: str = "CP-001", **fields: Any) -> None:
        self.stations.take(OcppConfig(ts=NOW, cp_id=cp_id, **fields))

    async def decide(self, target: str = "/ocpp/CP-001", **fields: Any) -> Decision:
        decision = self.ask(target, **fields)
        return await decision if isinstance(decision, Awaitable) else decision

    def ask(
        self,
        target: str = "/ocpp/CP-001",
        *,
        protocols: str | None = "ocpp1.6",
        authorization: str | None = None,
        secure: bool = False,
        certificate: Mapping[str, Any] | None = None,
    ) -> Decision | Awaitable[Decision]:
        headers = {}
        if protocols is not None:
            headers["sec-websocket-protocol"] = protocols
        if authorization is not None:
            headers["authorization"] = authorization
        return self._admission.decide(UpgradeRequest(target, headers, "127.0.0.1", secure, certificate))


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.passwords.close()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def refusal(decision: Decision) -> tuple[int, str]:
    assert isinstance(decision, Refusal), decision
    return decision.status, decision.reason


async def test_a_registered_station_is_let_in_with_the_version_it_asks_for(door: Door) -> None:
    door.register()

    assert await door.decide() == Acceptance("ocpp1.6", "handler of CP-001")  # type: ignore[arg-type]
    assert door.made == [("CP-001", OcppVersion.V16)]


async def test_a_station_that_nobody_registered_gets_404(door: Door) -> None:
    assert refusal(await door.decide("/ocpp/CP-404")) == (404, "unknown_station")


async def test_a_station_whose_registration_is_withdrawn_gets_404(door: Door) -> None:
    door.register()
    door.register(deleted=True)

    assert refusal(await door.decide()) == (404, "unknown_station")


class TestSubprotocols:
    @pytest.mark.parametrize(
        ("offered", "agreed"),
        [
            ("ocpp1.6", "ocpp1.6"),
            ("ocpp2.0.1", "ocpp2.0.1"),
            ("ocpp2.0.1, ocpp1.6", "ocpp2.0.1"),
            ("ocpp1.6, ocpp2.0.1", "ocpp1.6"),
            ("ocpp1.5,ocpp2.0,ocpp1.6", "ocpp1.6"),
            ("ocpp2.1, ocpp2.0.1", "ocpp2.0.1"),
        ],
    )
    async def test_the_first_of_the_stations_that_is_spoken_here_is_agreed_upon(
        self, door: Door, offered: str, agreed: str
    ) -> None:
        door.register()

        decision = await door.decide(protocols=offered)

        assert isinstance(decision, Acceptance)
        assert decision.subprotocol == agreed

    @pytest.mark.parametrize("offered", [None, "", "ocpp1.5", "ocpp2.0", "ocpp2.1", "OCPP1.6", "mqtt"])
    async def test_without_agreement_the_opening_is_completed_and_closed_as_ocpp_j_has_it(
        self, door: Door, offered: str | None
    ) -> None:
        door.register()

        decision = await door.decide(protocols=offered)

        assert decision == Dismissal(1002, "subprotocols spoken here: ocpp1.6, ocpp2.0.1")
        assert door.dismissed == ["subprotocol"]
        assert door.made == []


class TestIds:
    @pytest.mark.parametrize("cp_id", ["CP-001", "a", "x" * 48, "NL*ABC*E1", "a:b@c|d=e_f.g", "PY-SIM-0001"])
    async def test_ids_come_percent_encoded(self, door: Door, cp_id: str) -> None:
        door.register(cp_id)

        assert isinstance(await door.decide(f"/ocpp/{quote(cp_id, safe='')}"), Acceptance)
        assert door.made[0][0] == cp_id

    async def test_a_query_and_a_slash_at_the_end_are_no_part_of_the_id(self, door: Door) -> None:
        door.register()

        assert isinstance(await door.decide("/ocpp/CP-001/?token=x"), Acceptance)

    @pytest.mark.parametrize(
        "target",
        ["/ocpp/", "/ocpp//", "/ocpp/a/b", "/ocpp/a%2Fb", "/ocpp/" + "x" * 49, "/ocpp/a%20b", "/ocpp/%", "/ocpp/%zz",
         "/ocpp/%ff", "/ocpp/a%00", "/ocpp/é", "/ocpp/%2e%2e%2f", "/ocpp/+", "/ocpp/#"],
    )  # fmt: skip
    async def test_ids_that_no_station_can_have_get_404(self, target: str) -> None:
        anybody = Door(open_registration=True)

        assert refusal(await anybody.decide(target)) == (404, "bad_id")

    @pytest.mark.parametrize(
        "target", ["/", "", "*", "/ocpp", "/OCPP/CP-001", "/steve/websocket/CP-001", "ws://x/ocpp/y"]
    )
    async def test_other_paths_get_404(self, target: str) -> None:
        anybody = Door(open_registration=True)

        assert refusal(await anybody.decide(target)) == (404, "no_such_path")

    @given(st.text(max_size=80))
    def test_any_target_is_answered(self, target: str) -> None:
        anybody = Door(open_registration=True)

        assert isinstance(anybody.ask(target), (Acceptance, Refusal))


class TestPasswords:
    async def test_the_right_one_lets_in_and_then_without_waiting(self, door: Door) -> None:
        door.register(security_profile=1, password_hash=HASH)

        assert isinstance(await door.decide(authorization=basic("CP-001", "secret")), Acceptance)
        assert isinstance(door.ask(authorization=basic("CP-001", "secret")), Acceptance)

    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            "",
            basic("CP-001", "wrong"),
            basic("CP-002", "secret"),
            basic("", "secret"),
            "Basic",
            "Basic not base64!",
            "Basic " + base64.b64encode(b"no colon").decode(),
            "Bearer secret",
        ],
    )
    async def test_anything_else_gets_401_and_a_challenge(self, door: Door, authorization: str | None) -> None:
        door.register(security_profile=1, password_hash=HASH)

        decision = await door.decide(authorization=authorization)

        assert refusal(decision) == (401, "password")
        assert isinstance(decision, Refusal)
        assert decision.headers["WWW-Authenticate"].startswith("Basic ")
        assert "secret" not in decision.text

    async def test_a_password_may_have_colons(self, door: Door) -> None:
        hashed = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("a:b:c")
        door.register(security_profile=1, password_hash=hashed)

        assert isinstance(await door.decide(authorization=basic("CP-001", "a:b:c")), Acceptance)

    async def test_a_registration_without_a_password_lets_nobody_in_at_profile_1(self, door: Door) -> None:
        door.register(security_profile=1)

        assert refusal(await door.decide(authorization=basic("CP-001", ""))) == (401, "password")

    async def test_a_password_that_is_registered_counts_at_profile_0_too(self, door: Door) -> None:
        door.register(security_profile=0, password_hash=HASH)

        assert refusal(await door.decide()) == (401, "password")
        assert isinstance(await door.decide(authorization=basic("CP-001", "secret")), Acceptance)

    async def test_while_a_stations_password_is_verified_its_next_attempt_is_told_to_come_again(
        self, door: Door
    ) -> None:
        door.register(security_profile=1, password_hash=HASH)
        first = door.ask(authorization=basic("CP-001", "secret"))
        assert isinstance(first, Awaitable)

        decision = door.ask(authorization=basic("CP-001", "guess"))

        assert isinstance(decision, Refusal)
        assert refusal(decision) == (503, "busy")
        assert decision.headers["Retry-After"] == "5"
        assert isinstance(await first, Acceptance)


class TestSecurityProfiles:
    @pytest.mark.parametrize("profile", [2, 3])
    async def test_plain_websockets_are_refused_from_profile_2_on(self, door: Door, profile: int) -> None:
        door.register(security_profile=profile, password_hash=HASH)

        decision = await door.decide(authorization=basic("CP-001", "secret"), certificate=OURS)

        assert refusal(decision) == (403, "tls_required")

    async def test_profile_2_is_tls_with_a_password(self, door: Door) -> None:
        door.register(security_profile=2, password_hash=HASH)

        assert refusal(await door.decide(secure=True, certificate=OURS)) == (401, "password")
        assert isinstance(await door.decide(secure=True, authorization=basic("CP-001", "secret")), Acceptance)

    async def test_profile_1_may_come_over_tls(self, door: Door) -> None:
        door.register(security_profile=1, password_hash=HASH)

        assert isinstance(await door.decide(secure=True, authorization=basic("CP-001", "secret")), Acceptance)

    @pytest.mark.parametrize(
        "certificate",
        [
            {"subject": ((("organizationName", "Maker"),), (("commonName", "CP-001"),))},
            {"subject": (), "subjectAltName": (("DNS", "other.example"), ("DNS", "cp-001"))},
        ],
    )
    async def test_profile_3_is_a_certificate_in_the_stations_name(
        self, door: Door, certificate: Mapping[str, Any]
    ) -> None:
        door.register(security_profile=3)

        assert isinstance(await door.decide(secure=True, certificate=certificate), Acceptance)

    @pytest.mark.parametrize(
        "certificate",
        [
            None,
            {},
            {"subject": ((("commonName", "CP-002"),),)},
            {"subject": ((("organizationName", "CP-001"),),)},
            {"subject": ((("commonName", "CP-0011"),),), "subjectAltName": (("IP Address", "CP-001"),)},
        ],
    )
    async def test_profile_3_takes_no_other_certificate_and_no_password(
        self, door: Door, certificate: Mapping[str, Any] | None
    ) -> None:
        door.register(security_profile=3, password_hash=HASH)

        decision = await door.decide(secure=True, certificate=certificate, authorization=basic("CP-001", "secret"))

        assert refusal(decision) == (403, "certificate")


class TestOpenRegistration:
    async def test_lets_strangers_in(self) -> None:
        anybody = Door(open_registration=True)

        assert isinstance(await anybody.decide("/ocpp/CP-777"), Acceptance)

    async def test_can_ask_them_for_one_password(self) -> None:
        anybody = Door(open_registration=True, stranger_password="shared")

        assert refusal(await anybody.decide()) == (401, "password")
        assert refusal(await anybody.decide(authorization=basic("CP-001", "guess"))) == (401, "password")
        assert isinstance(await anybody.decide(authorization=basic("CP-001", "shared")), Acceptance)

    async def test_holds_the_registered_to_their_own_password(self) -> None:
        anybody = Door(open_registration=True, stranger_password="shared")
        anybody.register(security_profile=1, password_hash=HASH)

        assert refusal(await anybody.decide(authorization=basic("CP-001", "shared"))) == (401, "password")
        assert isinstance(await anybody.decide(authorization=basic("CP-001", "secret")), Acceptance)
        anybody.passwords.close()


async def test_of_two_passwords_the_old_one_opens_until_the_new_one_has(door: Door) -> None:
    door.register(security_profile=1, password_hash=HASH)
    new = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("new")
    door.stations.take(
        OcppConfig(ts=datetime.now(UTC), cp_id="CP-001", security_profile=1, password_hash=new, old_password_holds=True)
    )
    assert refusal(await door.decide(authorization=basic("CP-001", "guess"))) == (401, "password")
    for _ in range(2):
        assert isinstance(await door.decide(authorization=basic("CP-001", "secret")), Acceptance)
    assert isinstance(await door.decide(authorization=basic("CP-001", "new")), Acceptance)
    assert refusal(await door.decide(authorization=basic("CP-001", "secret"))) == (401, "password")
    assert isinstance(await door.decide(authorization=basic("CP-001", "new")), Acceptance)


async def test_of_two_passwords_too_one_attempt_at_a_time_is_verified(door: Door) -> None:
    door.register(security_profile=1, password_hash=HASH)
    door.stations.take(
        OcppConfig(ts=datetime.now(UTC), cp_id="CP-001", security_profile=1, password_hash="$", old_password_holds=True)
    )
    first = asyncio.ensure_future(_awaited(door.ask(authorization=basic("CP-001", "guess"))))
    await asyncio.sleep(0)
    assert refusal(await door.decide(authorization=basic("CP-001", "other"))) == (503, "busy")
    assert refusal(await first) == (401, "password")


async def _awaited(decision: Decision | Awaitable[Decision]) -> Decision:
    return await decision if isinstance(decision, Awaitable) else decision


async def test_when_no_more_can_be_held_the_next_is_told_to_come_again(door: Door) -> None:
    door.register()
    door.full = "10 stations are connected"

    assert refusal(await door.decide()) == (503, "full")


async def test_what_fills_up_while_a_password_is_verified_is_full_all_the_same(door: Door) -> None:
    door.register(security_profile=1, password_hash=HASH)
    first = door.ask(authorization=basic("CP-001", "secret"))
    door.full = "10 stations are connected"

    assert isinstance(first, Awaitable)
    assert refusal(await first) == (503, "full")


@pytest.mark.parametrize("registered", [False, True])
async def test_nobody_is_let_in_under_the_id_of_a_charge_point_that_an_engine_runs(registered: bool) -> None:
    door = Door(open_registration=True)
    door.register(deleted=not registered, held_by_engine=True)
    refusal = await door.decide()
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (403, "engine_id")
    assert "CP-001" in refusal.text
    assert (door.intruded, door.made) == (["CP-001"], [])
    door.register(deleted=not registered)
    assert isinstance(await door.decide(), Acceptance)
