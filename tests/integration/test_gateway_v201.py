"""The gateway's business side, as 2.0.1 stations and Central see it; every message is held to its schema."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evcharging.apps.ocpp_gateway.boots import BootTerms
from evcharging.apps.ocpp_gateway.dialect_v201 import DialectV201
from evcharging.apps.ocpp_gateway.writes import StorageAway
from evcharging.bus.memory_log import MemoryLog
from evcharging.domain.states import ChargePointState
from evcharging.messages.charge_points import Status
from evcharging.messages.commands import CommandAction, CommandOutcome
from evcharging.messages.network import TokenStatus
from evcharging.messages.topics import STATUS, TELEMETRY
from evcharging.ocpp.errors import CallRejected, Fault
from evcharging.ocpp.schemas import actions
from evcharging.ocpp.timestamps import timestamp
from evcharging.ocpp.versions import OcppVersion
from evcharging.store.gateway import tables
from tests.support.central_system import Business, Station, business, until

T0 = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
TOKEN = {"idToken": "TAG", "type": "ISO14443"}


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def register(wh: float, at: datetime = T0, *more: Any) -> list[Any]:
    """Meter values with the energy register."""
    return [{"timestamp": timestamp(at), "sampledValue": [{"value": wh}, *more]}]


class Station201(Station):
    """The other end of a link, speaking 2.0.1."""

    version = OcppVersion.V201

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._seq: dict[str, int] = {}

    async def boot(self) -> dict[str, Any]:
        station = {"vendorName": "Maker", "model": "Model", "serialNumber": "S-1", "firmwareVersion": "1.0"}
        response = await self.tell("BootNotification", {"reason": "PowerUp", "chargingStation": station})
        await self.loaded()
        return response

    async def status(self, status: str, evse_id: int = 1, plug: int = 1, **_more: Any) -> None:
        await self.tell(
            "StatusNotification",
            {
                "timestamp": timestamp(datetime.now(UTC)),
                "connectorStatus": status,
                "evseId": evse_id,
                "connectorId": plug,
            },
        )

    async def event(
        self,
        kind: str,
        at: datetime,
        *,
        wh: float | None = None,
        trigger: str = "ChargingStateChanged",
        transaction_id: str = "T-1",
        seq_no: int | None = None,
        info: dict[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """A TransactionEvent; its number follows on the last one unless given."""
        if seq_no is None:
            seq_no = self._seq.get(transaction_id, -1) + 1
        self._seq[transaction_id] = seq_no
        payload = {
            "eventType": kind,
            "timestamp": timestamp(at),
            "triggerReason": trigger,
            "seqNo": seq_no,
            "transactionInfo": {"transactionId": transaction_id, **(info or {})},
            **more,
        }
        if wh is not None:
            payload["meterValue"] = register(wh, at)
        return await self.tell("TransactionEvent", payload)


def station_at(gateway: Business, cp_id: str = "CP-1") -> Station201:
    station = Station201(gateway.central, cp_id)
    station.connect()
    return station


async def booted(gateway: Business, cp_id: str = "CP-1") -> Station201:
    station = station_at(gateway, cp_id)
    await station.boot()
    return station


async def begun(gateway: Business, cp_id: str = "CP-1") -> Status:
    def found() -> Status | None:
        states = [s for s in gateway.statuses(cp_id) if s.state is ChargePointState.SUPPLYING and s.session_id]
        return states[-1] if states else None

    status: Status = await until(found)
    return status


async def ended(gateway: Business, session_id: str | None) -> Status:
    def found() -> Status | None:
        for status in gateway.said(STATUS):
            if status.session_id == session_id and status.detail is not None and status.detail.last_seq is not None:
                return status
        return None

    status: Status = await until(found)
    return status


class TestStation:
    async def test_a_boot_is_accepted_and_kept(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            answer = await (station_at(gateway)).boot()
            assert (answer["status"], answer["interval"]) == ("Accepted", 300)
            await gateway.quiet()
            (row,) = await gateway.rows(tables.boots)
            assert (row["version"], row["vendor"], row["reason"]) == ("2.0.1", "Maker", "PowerUp")
            assert (row["serial_number"], row["firmware_version"]) == ("S-1", "1.0")

    @pytest.mark.parametrize("told", ["Pending", "Rejected"])
    async def test_a_station_that_is_not_accepted_is_not_asked_to_charge(self, tmp_path: Path, told: Any) -> None:
        async with business(tmp_path) as gateway:
            gateway.boot_terms["CP-1"] = BootTerms(told, 60)
            station = station_at(gateway)
            assert (await station.boot())["status"] == told
            reply = await gateway.call(
                "CP-1", "RequestStartTransaction", {"idToken": {"idToken": "T", "type": "Central"}, "remoteStartId": 1}
            )
            assert reply.outcome is CommandOutcome.REJECTED
            assert station.called == []

    async def test_a_heartbeat_is_answered_with_the_time(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            answer = await station_at(gateway).tell("Heartbeat", {})
            assert abs((datetime.now(UTC) - datetime.fromisoformat(answer["currentTime"])).total_seconds()) < 5

    @pytest.mark.parametrize(
        ("action", "payload"),
        [
            ("FirmwareStatusNotification", {"status": "Installed", "requestId": 1}),
            ("LogStatusNotification", {"status": "Uploading", "requestId": 2}),
            ("SecurityEventNotification", {"type": "TamperDetectionActivated", "timestamp": timestamp(T0)}),
            ("ReservationStatusUpdate", {"reservationId": 1, "reservationUpdateStatus": "Expired"}),
            ("NotifyReport", {"requestId": 1, "generatedAt": timestamp(T0), "seqNo": 0}),
            (
                "NotifyEvent",
                {
                    "generatedAt": timestamp(T0),
                    "seqNo": 0,
                    "eventData": [
                        {
                            "eventId": 1,
                            "timestamp": timestamp(T0),
                            "trigger": "Alerting",
                            "actualValue": "true",
                            "eventNotificationType": "HardWiredNotification",
                            "component": {"name": "ChargingStation"},
                            "variable": {"name": "Problem"},
                        }
                    ],
                },
            ),
        ],
    )
    async def test_notices_are_taken_note_of(self, tmp_path: Path, action: str, payload: Any) -> None:
        async with business(tmp_path) as gateway:
            assert await station_at(gateway).tell(action, payload) == {}

    async def test_how_firmware_and_logs_come_along_is_kept(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = station_at(gateway)
            await station.tell("FirmwareStatusNotification", {"status": "Downloading"})
            await station.tell("LogStatusNotification", {"status": "Uploaded"})
            await gateway.quiet()
            kept = {row["kind"]: row["status"] for row in await gateway.rows(tables.maintenance)}
            assert kept == {"firmware": "Downloading", "diagnostics": "Uploaded"}

    async def test_data_of_an_unknown_vendor_is_kept_and_answered_so(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            answer = await station_at(gateway).tell("DataTransfer", {"vendorId": "maker", "data": {"any": ["thing"]}})
            assert answer == {"status": "UnknownVendorId"}

    @pytest.mark.parametrize(
        ("action", "fault"), [("SignCertificate", Fault.NOT_IMPLEMENTED), ("Reset", Fault.NOT_SUPPORTED)]
    )
    async def test_what_is_not_served_is_refused_as_the_standard_has_it(
        self, tmp_path: Path, action: str, fault: Fault
    ) -> None:
        payload = {"csr": "x"} if action == "SignCertificate" else {"type": "Immediate"}
        async with business(tmp_path) as gateway:
            with pytest.raises(CallRejected) as told:
                await station_at(gateway).tell(action, payload)
            assert told.value.fault is fault

    async def test_a_report_of_the_device_model_is_kept_without_passwords(self, tmp_path: Path) -> None:
        def variable(component: Any, name: Any, value: str, mutability: str = "ReadWrite") -> Any:
            return {
                "component": component,
                "variable": name,
                "variableAttribute": [
                    {"value": value, "mutability": mutability},
                    {"type": "Target", "value": "not this one"},
                ],
            }

        report = [
            variable({"name": "OCPPCommCtrlr"}, {"name": "HeartbeatInterval"}, "60"),
            variable({"name": "EVSE", "evse": {"id": 1}}, {"name": "Power", "instance": "Max"}, "22000", "ReadOnly"),
            variable({"name": "SecurityCtrlr"}, {"name": "BasicAuthPassword"}, "s3cret"),
        ]
        async with business(tmp_path) as gateway:
            await station_at(gateway).tell(
                "NotifyReport", {"requestId": 1, "generatedAt": timestamp(T0), "seqNo": 0, "reportData": report}
            )
            await gateway.quiet()
            kept = {r["key"]: (r["value"], r["readonly"]) for r in await gateway.rows(tables.configuration)}
            assert kept == {
                "OCPPCommCtrlr.HeartbeatInterval": ("60", False),
                "EVSE@1.Power[Max]": ("22000", True),
                "SecurityCtrlr.BasicAuthPassword": (None, False),
            }


class TestAuthorize:
    @pytest.mark.parametrize(
        ("stored", "told"),
        [
            (TokenStatus.ACCEPTED, "Accepted"),
            (TokenStatus.BLOCKED, "Blocked"),
            (TokenStatus.EXPIRED, "Expired"),
            (TokenStatus.CONCURRENT_TX, "ConcurrentTx"),
        ],
    )
    async def test_an_id_token_answers_as_it_is_stored(self, tmp_path: Path, stored: TokenStatus, told: str) -> None:
        expires = datetime.now(UTC) + timedelta(hours=1)
        async with business(tmp_path) as gateway:
            await gateway.token("Tag", stored, parent_id_tag="GROUP", expires_at=expires)
            answer = await station_at(gateway).tell("Authorize", {"idToken": TOKEN})
            info = answer["idTokenInfo"]
            assert info["status"] == told
            assert info["groupIdToken"] == {"idToken": "GROUP", "type": "Central"}
            assert info["cacheExpiryDateTime"] == timestamp(expires)

    async def test_an_unknown_id_token_is_invalid(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            answer = await station_at(gateway).tell("Authorize", {"idToken": TOKEN})
            assert answer == {"idTokenInfo": {"status": "Invalid"}}

    async def test_a_token_that_stands_for_no_authorization_is_accepted(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            answer = await station_at(gateway).tell(
                "Authorize", {"idToken": {"idToken": "", "type": "NoAuthorization"}}
            )
            assert answer == {"idTokenInfo": {"status": "Accepted"}}

    async def test_a_contract_certificate_that_cannot_be_verified_lets_nobody_charge(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            await gateway.token("TAG")
            answer = await station_at(gateway).tell("Authorize", {"idToken": TOKEN, "certificate": "PEM"})
            assert answer == {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "NoCertificateAvailable"}


class TestStatuses:
    @pytest.mark.parametrize(
        ("told", "state"),
        [
            ("Available", ChargePointState.ACTIVATED),
            ("Occupied", ChargePointState.ACTIVATED),
            ("Reserved", ChargePointState.ACTIVATED),
            ("Unavailable", ChargePointState.STOPPED),
            ("Faulted", ChargePointState.FAULT),
        ],
    )
    async def test_an_evse_is_a_connector_on_the_bus(self, tmp_path: Path, told: str, state: ChargePointState) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.status(told, evse_id=2)
            status = (await until(lambda: gateway.statuses("CP-1", 2)))[-1]
            assert status.state is state

    @pytest.mark.parametrize(
        ("first", "second", "state"),
        [
            ("Faulted", "Available", ChargePointState.ACTIVATED),
            ("Unavailable", "Available", ChargePointState.ACTIVATED),
            ("Faulted", "Unavailable", ChargePointState.FAULT),
            ("Unavailable", "Unavailable", ChargePointState.STOPPED),
        ],
    )
    async def test_an_evse_with_two_plugs_is_what_is_left_of_it(
        self, tmp_path: Path, first: str, second: str, state: ChargePointState
    ) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.status(first, plug=1)
            await station.status(second, plug=2)
            await gateway.quiet()
            assert gateway.statuses("CP-1", 1)[-1].state is state

    async def test_occupied_while_charging_says_nothing_new(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.event("Started", T0, wh=0, idToken=TOKEN, evse={"id": 1}, info={"chargingState": "Charging"})
            await station.status("Occupied")
            await gateway.quiet()
            (row,) = [r for r in await gateway.rows(tables.connectors) if r["connector_id"] == 1]
            assert row["status"] == "Charging"


class TestTransactions:
    async def test_a_transaction_is_one_session_from_first_to_last_watt_hour(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            await gateway.token("TAG")
            station = await booted(gateway)
            answer = await station.event(
                "Started", T0, wh=1_000, trigger="Authorized", idToken=TOKEN, evse={"id": 1, "connectorId": 1}
            )
            assert answer == {"idTokenInfo": {"status": "Accepted"}}
            status = await begun(gateway)
            assert (status.connector_id, status.detail.id_tag if status.detail else None) == (1, "TAG")

            assert await station.event("Updated", after(60), wh=1_500, info={"chargingState": "Charging"}) == {}
            await gateway.quiet()
            await station.event("Ended", after(120), wh=2_250, trigger="EVDeparted", info={"stoppedReason": "Local"})

            end = await ended(gateway, status.session_id)
            assert end.state is ChargePointState.ACTIVATED
            assert end.reason == "local_stop"
            assert end.detail is not None
            assert end.detail.register_end_wh == 2_250
            intervals = gateway.intervals(str(status.session_id))
            assert sum(i.energy_wh for i in intervals) == pytest.approx(1_250)
            assert [i.seq for i in intervals] == list(range(1, len(intervals) + 1))
            (row,) = await gateway.rows(tables.transactions)
            assert (row["transaction_id"], row["number"]) == ("T-1", None)
            assert (row["meter_start_wh"], row["meter_stop_wh"]) == (Decimal(1_000), Decimal(2_250))
            assert row["transaction_data"][0]["sampledValue"] == [{"value": 2_250}]

    async def test_repeated_events_change_nothing_and_are_answered_alike(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            await gateway.token("TAG")
            station = await booted(gateway)
            for _ in range(3):
                answer = await station.event("Started", T0, wh=0, seq_no=0, idToken=TOKEN, evse={"id": 1})
                assert answer == {"idTokenInfo": {"status": "Accepted"}}
            await station.event("Updated", after(60), wh=500, seq_no=1)
            await station.event("Updated", after(120), wh=900, seq_no=2)
            await station.event("Updated", after(60), wh=500, seq_no=1)  # late, and passed already
            for _ in range(2):
                await station.event("Ended", after(180), wh=1_000, seq_no=3, idToken=TOKEN)
            await station.event("Updated", after(120), wh=900, seq_no=2)
            await gateway.quiet()

            (row,) = await gateway.rows(tables.transactions)
            assert (row["meter_start_wh"], row["meter_stop_wh"]) == (Decimal(0), Decimal(1_000))
            assert sum(i.energy_wh for i in gateway.intervals(row["session_id"])) == pytest.approx(1_000)
            assert gateway.said(TELEMETRY)
            assert gateway.alerts("register_backwards") == []

    async def test_what_is_delivered_after_an_outage_is_metered_by_its_own_times(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.event("Started", T0, wh=0, offline=True, idToken=TOKEN, evse={"id": 1})
            await station.event("Updated", after(600), wh=400, offline=True)
            await station.event("Ended", after(1_200), wh=800, offline=True, info={"stoppedReason": "EVDisconnected"})
            await gateway.quiet()

            (row,) = await gateway.rows(tables.transactions)
            assert (row["started_at"], row["stopped_at"]) == (T0, after(1_200))
            assert row["end_reason"] == "unplugged"
            intervals = gateway.intervals(row["session_id"])
            assert (intervals[0].interval_start, intervals[-1].interval_end) == (T0, after(1_200))
            assert sum(i.energy_wh for i in intervals) == pytest.approx(800)

    async def test_a_refused_token_is_told_so_and_the_transaction_is_heard_all_the_same(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            await gateway.token("TAG", TokenStatus.BLOCKED)
            station = await booted(gateway)
            answer = await station.event("Started", T0, wh=0, idToken=TOKEN, evse={"id": 1})
            assert answer == {"idTokenInfo": {"status": "Blocked"}}
            await station.event("Ended", after(1), wh=0, info={"stoppedReason": "DeAuthorized"})
            await gateway.quiet()
            (row,) = await gateway.rows(tables.transactions)
            assert (row["id_tag_status"], row["end_reason"]) == ("Blocked", "deauthorized")

    async def test_a_cable_that_comes_and_goes_is_no_session(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            evse = {"id": 1, "connectorId": 1}
            waiting = {"chargingState": "EVConnected"}
            assert await station.event("Started", T0, wh=5, trigger="CablePluggedIn", evse=evse, info=waiting) == {}
            assert await station.event("Updated", after(60), wh=5, trigger="MeterValueClock", info=waiting) == {}
            assert await station.event("Ended", after(90), wh=5, info={"stoppedReason": "EVDisconnected"}) == {}
            await gateway.quiet()
            assert await gateway.rows(tables.transactions) == []
            assert all(status.session_id is None for status in gateway.statuses("CP-1"))

    async def test_a_session_begins_with_the_authorization_and_counts_from_the_cable(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            await gateway.token("TAG", driver_id="driver-7")
            station = await booted(gateway)
            await station.event("Started", T0, wh=100, trigger="CablePluggedIn", evse={"id": 2})
            answer = await station.event("Updated", after(30), trigger="Authorized", idToken=TOKEN)
            assert answer == {"idTokenInfo": {"status": "Accepted"}}
            status = await begun(gateway)
            assert status.connector_id == 2
            await station.event("Ended", after(60), wh=300)
            await gateway.quiet()
            (row,) = await gateway.rows(tables.transactions)
            assert (row["started_at"], row["meter_start_wh"], row["id_tag"]) == (T0, Decimal(100), "TAG")
            assert row["driver_id"] == "driver-7"

    async def test_energy_that_flows_without_anybody_authorized_is_a_session(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.event("Started", T0, wh=100, trigger="CablePluggedIn", evse={"id": 1})
            await station.event("Updated", after(60), wh=130, trigger="MeterValuePeriodic")
            await station.event("Ended", after(90), wh=150)
            await gateway.quiet()
            (row,) = await gateway.rows(tables.transactions)
            assert sum(i.energy_wh for i in gateway.intervals(row["session_id"])) == pytest.approx(50)

    async def test_energy_that_only_the_end_tells_of_is_not_lost(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.event("Started", T0, wh=100, trigger="CablePluggedIn", evse={"id": 1})
            await station.event("Ended", after(90), wh=150)
            await gateway.quiet()
            (row,) = await gateway.rows(tables.transactions)
            assert (row["meter_start_wh"], row["meter_stop_wh"]) == (Decimal(100), Decimal(150))

    async def test_a_start_with_a_button_needs_no_token(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            token = {"idToken": "", "type": "NoAuthorization"}
            answer = await station.event("Started", T0, wh=0, idToken=token, evse={"id": 1})
            assert answer == {"idTokenInfo": {"status": "Accepted"}}
            await begun(gateway)

    async def test_an_evse_that_is_named_late_is_the_sessions(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.event("Started", T0, trigger="Authorized", idToken=TOKEN)
            await station.event("Updated", after(20), wh=10, trigger="CablePluggedIn", evse={"id": 3})
            await gateway.quiet()
            (row,) = await gateway.rows(tables.transactions)
            assert row["connector_id"] == 3

    async def test_after_the_end_an_evse_with_its_cable_in_is_not_supplying(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.event("Started", T0, wh=0, idToken=TOKEN, evse={"id": 1}, info={"chargingState": "Charging"})
            await station.event("Ended", after(60), wh=10, info={"stoppedReason": "Local"})
            await gateway.quiet()
            point = gateway.central.points.get("CP-1")
            assert point is not None
            assert point.state_of(1) is ChargePointState.ACTIVATED
            assert gateway.statuses("CP-1", 1)[-1].state is ChargePointState.ACTIVATED

    async def test_an_end_without_a_beginning_is_kept(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            assert await station.event("Ended", T0, wh=10, transaction_id="NEVER", evse={"id": 1}) == {}
            await gateway.quiet()
            (row,) = await gateway.rows(tables.transactions)
            assert not row["start_known"]
            assert len(gateway.alerts("unknown_transaction")) == 1

    async def test_a_gateway_that_was_killed_goes_on_with_the_transaction(self, tmp_path: Path) -> None:
        log = MemoryLog()
        async with business(tmp_path, log=log) as gateway:
            station = await booted(gateway)
            await station.event("Started", T0, wh=0, seq_no=0, idToken=TOKEN, evse={"id": 1})
            await station.event("Updated", after(60), wh=100, seq_no=1)
            session_id = (await begun(gateway)).session_id
        async with business(tmp_path, log=log) as gateway:
            station = await booted(gateway)
            await station.event("Updated", after(60), wh=100, seq_no=1)  # was not answered before the kill
            await station.event("Updated", after(120), wh=250, seq_no=2)
            await station.event("Ended", after(180), wh=300, seq_no=3)
            end = await ended(gateway, session_id)
            assert end.detail is not None
            assert sum(i.energy_wh for i in gateway.intervals(str(session_id))) == pytest.approx(300)
            assert len(await gateway.rows(tables.transactions)) == 1

    async def test_while_the_database_is_away_no_event_of_a_session_is_answered(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            async with gateway.outage():
                telling = asyncio.create_task(
                    station.event("Started", T0, wh=0, seq_no=0, idToken=TOKEN, evse={"id": 1})
                )
                await until(lambda: station.closed is not None)
                assert not telling.done()
                telling.cancel()
            with pytest.raises((asyncio.CancelledError, StorageAway)):
                await telling
            station.connect()
            await station.loaded()
            await station.event("Started", T0, wh=0, seq_no=0, idToken=TOKEN, evse={"id": 1})
            await gateway.quiet()
            assert len(await gateway.rows(tables.transactions)) == 1


@pytest.mark.parametrize("number", [-1, 256, 2_000_000_000])
async def test_an_evse_that_no_station_has_is_refused_but_for_its_transactions(tmp_path: Path, number: int) -> None:
    async with business(tmp_path) as gateway:
        station = await booted(gateway)
        telling = (
            station.status("Available", evse_id=number),
            station.status("Available", plug=number),
            station.tell("MeterValues", {"evseId": number, "meterValue": register(10)}),
        )
        for told in telling:
            with pytest.raises(CallRejected) as refused:
                await told
            assert refused.value.fault is Fault.PROPERTY_CONSTRAINT
        await station.event("Started", T0, wh=0, idToken=TOKEN, evse={"id": number})
        await gateway.quiet()
        kept = [row["action"] for row in await gateway.rows(tables.rejected_messages)]
        assert kept == ["MeterValues"]
        assert [row["connector_id"] for row in await gateway.rows(tables.transactions)] == [1]


class TestMeterValues:
    async def test_units_and_multipliers_are_understood(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.event("Started", T0, wh=0, idToken=TOKEN, evse={"id": 1})
            more = [
                {"value": 7.4, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "kW"}},
                {"value": 320, "measurand": "Current.Import", "unitOfMeasure": {"unit": "A", "multiplier": -1}},
                {"value": 55, "measurand": "SoC", "unitOfMeasure": {"unit": "Percent"}},
            ]
            energy = {"value": 1.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 3}}
            values = [{"timestamp": timestamp(after(60)), "sampledValue": [energy, *more]}]
            await station.event("Updated", after(60), trigger="MeterValuePeriodic", meterValue=values)
            session_id = (await begun(gateway)).session_id
            interval = (await until(lambda: gateway.intervals(str(session_id))))[-1]
            assert (interval.register_wh, interval.kw, interval.amps, interval.soc) == (1_500, 7.4, 32.0, 0.55)

    async def test_values_of_an_evse_without_a_transaction_are_for_display(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            assert await station.tell("MeterValues", {"evseId": 1, "meterValue": register(10)}) == {}
            await gateway.quiet()
            assert gateway.said(TELEMETRY) == []

    async def test_a_value_beyond_all_measure_costs_only_itself(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            absurd = {"value": 1, "unitOfMeasure": {"unit": "Wh", "multiplier": 400}}
            await station.tell("MeterValues", {"evseId": 1, "meterValue": register(10, T0, absurd)})


class TestOrders:
    async def test_a_supply_that_central_orders_is_a_request_start_and_its_transaction(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            reply = await gateway.order(
                CommandAction.START_SUPPLY, "CP-1", connector_id=1, session_id="S-1", driver_id="D-1", id_tag="D-TAG"
            )
            assert reply.outcome is CommandOutcome.ACCEPTED
            action, payload = station.called[-1]
            assert action == "RequestStartTransaction"
            assert (payload["evseId"], payload["idToken"]) == (1, {"idToken": "D-TAG", "type": "Central"})
            await station.event(
                "Started",
                T0,
                wh=0,
                trigger="RemoteStart",
                idToken=payload["idToken"],
                evse={"id": 1},
                info={"remoteStartId": payload["remoteStartId"]},
            )
            status = await begun(gateway)
            assert (status.session_id, status.detail.driver_id if status.detail else None) == ("S-1", "D-1")

            reply = await gateway.order(CommandAction.STOP_SUPPLY, "CP-1", session_id="S-1")
            assert reply.outcome is CommandOutcome.ACCEPTED
            assert station.called[-1] == ("RequestStopTransaction", {"transactionId": "T-1"})
            await station.event("Ended", after(60), wh=10, trigger="RemoteStop", info={"stoppedReason": "Remote"})
            assert (await ended(gateway, "S-1")).reason == "operator_stop"

    async def test_a_supply_can_be_ordered_where_the_cable_began_a_transaction(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await station.status("Occupied")
            await station.event(
                "Started", T0, wh=7, trigger="CablePluggedIn", evse={"id": 1}, info={"chargingState": "EVConnected"}
            )
            station.answers["RequestStartTransaction"] = {"status": "Accepted", "transactionId": "T-1"}
            reply = await gateway.order(
                CommandAction.START_SUPPLY, "CP-1", connector_id=1, session_id="S-1", id_tag="D-TAG"
            )
            assert reply.outcome is CommandOutcome.ACCEPTED
            payload = station.called[-1][1]
            await station.event(
                "Updated",
                after(30),
                wh=7,
                trigger="RemoteStart",
                idToken=payload["idToken"],
                info={"remoteStartId": payload["remoteStartId"], "chargingState": "Charging"},
            )
            assert (await begun(gateway)).session_id == "S-1"

    async def test_a_start_whose_vehicle_does_not_come_is_over_when_the_station_waits_no_more(
        self, tmp_path: Path
    ) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await gateway.order(CommandAction.START_SUPPLY, "CP-1", connector_id=1, session_id="S-1", id_tag="D-TAG")
            await station.status("Occupied")
            await station.status("Available")
            over = await ended(gateway, "S-1")
            assert (over.reason, over.detail.last_seq) == ("start_timeout", 0)

    async def test_a_start_that_the_station_refuses_is_rejected(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            station.answers["RequestStartTransaction"] = {"status": "Rejected"}
            reply = await gateway.order(
                CommandAction.START_SUPPLY, "CP-1", connector_id=1, session_id="S-1", id_tag="D-TAG"
            )
            assert (reply.outcome, reply.error_code) == (CommandOutcome.REJECTED, "rejected")

    @pytest.mark.parametrize(
        ("action", "connector_id", "called"),
        [
            (CommandAction.STOP_CP, 0, {"operationalStatus": "Inoperative"}),
            (CommandAction.RESUME_CP, 0, {"operationalStatus": "Operative"}),
            (CommandAction.STOP_CP, 2, {"operationalStatus": "Inoperative", "evse": {"id": 2}}),
        ],
    )
    async def test_service_is_a_change_of_availability(
        self, tmp_path: Path, action: CommandAction, connector_id: int, called: Any
    ) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            reply = await gateway.order(action, "CP-1", connector_id=connector_id)
            assert reply.outcome is CommandOutcome.ACCEPTED
            assert station.called[-1] == ("ChangeAvailability", called)

    @pytest.mark.parametrize(("connector_id", "purpose"), [(0, "ChargingStationMaxProfile"), (1, "TxDefaultProfile")])
    async def test_a_limit_is_a_charging_profile_and_kept(
        self, tmp_path: Path, connector_id: int, purpose: str
    ) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            reply = await gateway.order(CommandAction.SET_LIMIT, "CP-1", connector_id=connector_id, limit_amps=10.0)
            assert reply.outcome is CommandOutcome.ACCEPTED
            action, payload = station.called[-1]
            assert (action, payload["evseId"]) == ("SetChargingProfile", connector_id)
            assert payload["chargingProfile"]["chargingProfilePurpose"] == purpose
            await gateway.quiet()
            (row,) = await gateway.rows(tables.charging_profiles)
            assert (row["connector_id"], row["purpose"]) == (connector_id, purpose)

    async def test_a_limit_goes_before_every_other_default(self, tmp_path: Path) -> None:
        place = {"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": "ProfileStackLevel"}}
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            told = {"attributeStatus": "Accepted", "attributeValue": "5", **place}
            station.answers["GetVariables"] = {"getVariableResult": [told]}
            await gateway.order(CommandAction.SET_LIMIT, "CP-1", connector_id=1, limit_amps=10.0)
            assert ("GetVariables", {"getVariableData": [place]}) in station.called
            assert station.called[-1][1]["chargingProfile"]["stackLevel"] == 5

    async def test_variables_are_read_and_set_and_what_was_told_is_kept(self, tmp_path: Path) -> None:
        place = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
        secret = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            station.answers["GetVariables"] = {
                "getVariableResult": [
                    {"attributeStatus": "Accepted", "attributeValue": "60", **place},
                    {"attributeStatus": "UnknownVariable", "component": {"name": "X"}, "variable": {"name": "Y"}},
                ]
            }
            reply = await gateway.call("CP-1", "GetVariables", {"getVariableData": [place]})
            assert reply.outcome is CommandOutcome.CALL_RESULT
            station.answers["SetVariables"] = {
                "setVariableResult": [
                    {"attributeStatus": "RebootRequired", **place},
                    {"attributeStatus": "Accepted", **secret},
                ]
            }
            await gateway.call(
                "CP-1",
                "SetVariables",
                {
                    "setVariableData": [
                        {"attributeValue": "90", **place},
                        {"attributeValue": "s3cret-key-of-16", **secret},
                    ]
                },
            )
            await gateway.quiet()
            kept = {r["key"]: (r["value"], r["reboot_required"]) for r in await gateway.rows(tables.configuration)}
            assert kept == {
                "OCPPCommCtrlr.HeartbeatInterval": ("90", True),
                "SecurityCtrlr.BasicAuthPassword": (None, False),
            }

    async def test_reservations_and_local_lists_are_kept(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            await gateway.call(
                "CP-1", "ReserveNow", {"id": 7, "expiryDateTime": "2099-01-01T00:00:00Z", "idToken": TOKEN, "evseId": 1}
            )
            await gateway.call(
                "CP-1",
                "SendLocalList",
                {
                    "versionNumber": 3,
                    "updateType": "Full",
                    "localAuthorizationList": [{"idToken": TOKEN, "idTokenInfo": {"status": "Accepted"}}],
                },
            )
            station.answers["GetLocalListVersion"] = {"versionNumber": 3}
            await gateway.call("CP-1", "GetLocalListVersion", {})
            await station.tell("ReservationStatusUpdate", {"reservationId": 7, "reservationUpdateStatus": "Expired"})
            await gateway.quiet()
            (reservation,) = await gateway.rows(tables.reservations)
            assert (reservation["reservation_id"], reservation["id_tag"], reservation["status"]) == (
                7,
                "TAG",
                "Expired",
            )
            (entry,) = await gateway.rows(tables.local_list_entries)
            assert (entry["id_tag"], entry["status"]) == ("TAG", "Accepted")

    @pytest.mark.parametrize(
        ("action", "payload"),
        [
            ("Reset", {"type": "OnIdle"}),
            ("TriggerMessage", {"requestedMessage": "Heartbeat"}),
            ("ClearCache", {}),
            ("UnlockConnector", {"evseId": 1, "connectorId": 1}),
        ],
    )
    async def test_any_other_request_is_passed_on(self, tmp_path: Path, action: str, payload: Any) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            station.answers["UnlockConnector"] = {"status": "Unlocked"}
            reply = await gateway.call("CP-1", action, payload)
            assert reply.outcome is CommandOutcome.CALL_RESULT
            assert station.called[-1] == (action, payload)

    async def test_a_request_of_another_version_is_not(self, tmp_path: Path) -> None:
        async with business(tmp_path) as gateway:
            station = await booted(gateway)
            reply = await gateway.call("CP-1", "RemoteStartTransaction", {"idTag": "TAG"})
            assert (reply.outcome, reply.error_code) == (CommandOutcome.REJECTED, "NotImplemented")
            assert station.called == []


def test_every_action_is_a_stations_or_a_central_systems_and_data_transfer_is_both() -> None:
    ours = DialectV201.actions
    assert ours < actions(OcppVersion.V201)
    assert "DataTransfer" in ours
    assert not ours & {"TransactionEvent", "BootNotification", "Heartbeat", "MeterValues", "NotifyReport"}
    assert len(ours) == 40
