"""The device model of a 2.0.1 station: GetVariables, SetVariables and reports over its components.

The controllers' variables are in `variables`; the station, its EVSEs and their connectors tell what they are and how
they stand. Names are compared without regard to case, as the standard's CiString is. Only the Actual attribute is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from evcharging.ocpp.exchange import Payload
from evcharging.ocpp.station.interfaces import ConnectorState
from evcharging.ocpp.station.v201.variables import VARIABLES, Variable

if TYPE_CHECKING:
    from evcharging.ocpp.station.connector import Connector
    from evcharging.ocpp.station.station import Station

__all__ = ["ONLY_CONNECTOR", "STATUS_WORDS", "DeviceModel"]

ONLY_CONNECTOR: Final = 1
"""The connector of each EVSE: the core's connectors are EVSEs with one connector each."""

STATUS_WORDS: Final = {
    ConnectorState.AVAILABLE: "Available",
    ConnectorState.RESERVED: "Reserved",
    ConnectorState.UNAVAILABLE: "Unavailable",
    ConnectorState.FAULTED: "Faulted",
}
"""Every other state is Occupied."""

_WRITABLE: Final = "ConfigurationInventory"
_AVAILABILITY: Final = frozenset({"AvailabilityState", "Available"})
_SUMMARY: Final = "SummaryInventory"

Found = tuple[dict[str, Any], dict[str, Any], Variable]
"""A component and a variable as the wire has them, and what is behind."""


class DeviceModel:
    """One station's device model."""

    __slots__ = ("_station",)

    def __init__(self, station: Station) -> None:
        self._station = station

    def begin_with(self, values: Mapping[str, str]) -> None:
        """Take a station's own settings, by ``Component.Variable``. Raises ValueError for what is none."""
        for label, value in values.items():
            variable = _BY_LABEL.get(label.lower())
            if variable is None or variable.write is None:
                raise ValueError(
                    f"{label}: no variable of OCPP 2.0.1 that can be set; expected such as TxCtrlr.StopTxOnInvalidId"
                )
            try:
                variable.write(self._station, value)
            except ValueError as error:
                raise ValueError(f"{variable.label}: {error}") from None

    def put_back(self, values: Mapping[str, str]) -> None:
        """Take what the CSMS had set before the station was made anew; what makes no sense any more is left out."""
        for label, value in values.items():
            variable = _BY_LABEL.get(label.lower())
            if variable is None or variable.write is None:
                continue
            with contextlib.suppress(ValueError):
                variable.write(self._station, value)
                self._keep(variable, value)

    def get(self, asked: Mapping[str, Any]) -> Payload:
        """Answer one of GetVariables."""
        answer: Payload = {"component": asked["component"], "variable": asked["variable"]}
        if "attributeType" in asked:
            answer["attributeType"] = asked["attributeType"]
        variable = self._find(asked)
        if isinstance(variable, str):
            return {"attributeStatus": variable, **answer}
        if variable.read is None:
            return {"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": "WriteOnly"}, **answer}
        return {"attributeStatus": "Accepted", "attributeValue": variable.read(self._station), **answer}

    def set(self, asked: Mapping[str, Any]) -> Payload:
        """Answer one of SetVariables, and do it."""
        answer: Payload = {"component": asked["component"], "variable": asked["variable"]}
        if "attributeType" in asked:
            answer["attributeType"] = asked["attributeType"]
        variable = self._find(asked)
        if isinstance(variable, str):
            return {"attributeStatus": variable, **answer}
        if variable.write is None or variable.readonly:
            return _rejected(answer, "ReadOnly", f"{variable.label} cannot be written")
        try:
            variable.write(self._station, asked["attributeValue"])
        except ValueError as error:
            return _rejected(answer, "InvalidValue", str(error))
        self._keep(variable, asked["attributeValue"])
        if variable.after is not None:
            variable.after(self._station)
        return {"attributeStatus": "Accepted", **answer}

    def report(self, base: str) -> list[Payload]:
        """What a base report holds: ``reportData`` elements."""
        return [
            _reported(component, name, variable, self._station)
            for component, name, variable in self._everything()
            if (base != _WRITABLE or variable.mutability != "ReadOnly")
            and (base != _SUMMARY or variable.name in _AVAILABILITY)
        ]

    def _keep(self, variable: Variable, value: str) -> None:
        if variable.read is not None:  # what may only be written is a password
            self._station.configured = {**self._station.configured, variable.label: value}

    def _find(self, asked: Mapping[str, Any]) -> Variable | str:
        """The variable asked for, or the status that says why there is none."""
        component, variable = asked["component"], asked["variable"]
        here = [found for found in self._everything() if _same_component(found[0], component)]
        if not here:
            return "UnknownComponent"
        for _, named, behind in here:
            if _same(named.get("name"), variable.get("name")) and _same(
                named.get("instance"), variable.get("instance")
            ):
                return behind if asked.get("attributeType", "Actual") == "Actual" else "NotSupportedAttributeType"
        return "UnknownVariable"

    def _everything(self) -> Iterator[Found]:
        station = self._station
        for variable in VARIABLES:
            name: dict[str, Any] = {"name": variable.name}
            if variable.instance is not None:
                name["instance"] = variable.instance
            yield {"name": variable.component}, name, variable
        for variable in _of_station(station):
            yield {"name": variable.component}, {"name": variable.name}, variable
        for connector in station.connectors:
            evse = {"id": connector.number}
            for variable in _of_evse(connector):
                yield {"name": variable.component, "evse": evse}, {"name": variable.name}, variable
            for variable in _of_connector(connector):
                component = {"name": variable.component, "evse": {**evse, "connectorId": ONLY_CONNECTOR}}
                yield component, {"name": variable.name}, variable


def _of_station(station: Station) -> tuple[Variable, ...]:
    settings = station.settings
    state = STATUS_WORDS.get(station.availability.line.state, "Occupied")
    return (
        Variable("ChargingStation", "AvailabilityState", lambda _: state, kind="OptionList"),
        Variable("ChargingStation", "Available", lambda _: "true", kind="boolean"),
        Variable("ChargingStation", "Model", lambda _: settings.model),
        Variable("ChargingStation", "VendorName", lambda _: settings.vendor),
        Variable("ChargingStation", "FirmwareVersion", lambda one: one.firmware_version),
        Variable("ChargingStation", "SerialNumber", lambda _: settings.serial_number or settings.station_id),
        Variable("ChargingStation", "SupplyPhases", lambda _: str(settings.spec.phases), kind="integer"),
    )


def _of_evse(connector: Connector) -> tuple[Variable, ...]:
    spec = connector.charger.spec
    return (
        Variable("EVSE", "AvailabilityState", lambda _: _word(connector), kind="OptionList"),
        Variable("EVSE", "Available", lambda _: "true", kind="boolean"),
        Variable("EVSE", "Power", lambda _: f"{connector.reading.power_w:.1f}", kind="decimal", unit="W"),
        Variable("EVSE", "SupplyPhases", lambda _: str(spec.phases), kind="integer"),
    )


def _of_connector(connector: Connector) -> tuple[Variable, ...]:
    direct = connector.charger.spec.level.value == "DC"
    return (
        Variable("Connector", "AvailabilityState", lambda _: _word(connector), kind="OptionList"),
        Variable("Connector", "Available", lambda _: "true", kind="boolean"),
        Variable("Connector", "ConnectorType", lambda _: "cCCS2" if direct else "sType2"),
        Variable("Connector", "SupplyPhases", lambda _: str(connector.charger.spec.phases), kind="integer"),
    )


def _word(connector: Connector) -> str:
    return STATUS_WORDS.get(connector.state, "Occupied")


def _same(one: str | None, other: str | None) -> bool:
    return (one or "").lower() == (other or "").lower()


def _same_component(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (
        _same(one["name"], other["name"])
        and _same(one.get("instance"), other.get("instance"))
        and one.get("evse", {}).get("id") == other.get("evse", {}).get("id")
        and one.get("evse", {}).get("connectorId") == other.get("evse", {}).get("connectorId")
    )


def _rejected(answer: Payload, reason: str, text: str) -> Payload:
    return {
        "attributeStatus": "Rejected",
        "attributeStatusInfo": {"reasonCode": reason, "additionalInfo": text[:512]},
        **answer,
    }


def _reported(component: Payload, name: Payload, variable: Variable, station: Station) -> Payload:
    attribute: Payload = {"type": "Actual", "mutability": variable.mutability, "persistent": True, "constant": False}
    if variable.read is not None:
        attribute["value"] = variable.read(station)
    characteristics: Payload = {"dataType": variable.kind, "supportsMonitoring": False}
    if variable.unit is not None:
        characteristics["unit"] = variable.unit
    if variable.values is not None:
        characteristics["valuesList"] = variable.values
    return {
        "component": component,
        "variable": name,
        "variableAttribute": [attribute],
        "variableCharacteristics": characteristics,
    }


_BY_LABEL: Final = {variable.label.lower(): variable for variable in VARIABLES}
