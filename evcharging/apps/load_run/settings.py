"""The settings of a load run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from evcharging.apps.load_run.network_faults import BadNetwork, NetworkFaults
from evcharging.apps.load_run.quantities import BadQuantity, duration_s
from evcharging.apps.load_run.report import SUFFIXES
from evcharging.apps.load_run.shape import NAMED_SHAPES, BadShape, Shape, named_shape, read_shape
from evcharging.apps.load_run.thresholds import BadThreshold, Threshold
from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.settings import ServiceSettings
from evcharging.domain.driver_agents import MIXTURES
from evcharging.ocpp.station.faults import BadFaultPlan, FaultPlan
from evcharging.ocpp.versions import OcppVersion

__all__ = ["LoadRunSettings"]

_USUAL_S: Final = {"ramp": 60.0, "step": 120.0, "soak": 3600.0, "reconnect-storm": 120.0}
_RAMP_SHARE: Final = {"ramp": 0.5, "step": 0.25, "soak": 0.02, "reconnect-storm": 0.1}
_STATIONS_PER_S: Final = 1000.0


def _duration(value: Any) -> Any:
    try:
        return None if value is None else duration_s(value)
    except BadQuantity as error:
        raise ValueError(str(error)) from None


Duration = Annotated[float, BeforeValidator(_duration)]


class LoadRunSettings(ServiceSettings):
    """Flags of ``evcharging swarm``; variables begin with ``LOAD_RUN_``."""

    prefix: ClassVar[str] = "LOAD_RUN_"
    service: ClassVar[str] = "swarm"
    summary: ClassVar[str] = "A load run: OCPP stations against any CSMS, with a report at the end."
    exit_codes: ClassVar[str] = (
        "0 all held, 3 a threshold was crossed, 1 no station was accepted or a report cannot be written, 2 bad usage,"
        " 130 cut off by a second Ctrl-C (then whatever the thresholds say; the report is written all the same)"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field("error", description="least level that is logged")
    csms_url: str = Field(
        description="the CSMS, without a station's id: ws://host:9000/ocpp or wss://…; each dials it with its own id"
    )
    count: int = Field(10, ge=1, le=1_000_000, description="stations")
    profile: str = Field("default", description="behaviour profile of the stations")
    profiles_dir: Path | None = Field(None, description="folder with behaviour profiles of your own, over ours")
    duration: Duration | None = Field(
        None,
        description="length of the run, as 90s or 1h30m; unset: a minute, two for step and reconnect-storm, 1h soak",
    )
    shape: str = Field(
        "ramp", description="ramp, step, soak, reconnect-storm, or a YAML file with stages (see the how-to)"
    )
    ramp: Duration | None = Field(
        None, description="time in which the stations of a named shape come; unset: a part of it"
    )
    report: list[Path] = Field(default_factory=list, description="report to write: .html, .json or .csv; repeatable")
    fail_if: list[str] = Field(
        default_factory=list, description="'p95(StartTransaction) > 500ms' makes exit code 3; repeatable"
    )
    seed: int = Field(0, ge=0, description="the same seed repeats the same run")
    id_prefix: str = Field("PY-SIM-", min_length=1, max_length=40, description="what station ids begin with")
    first_number: int = Field(1, ge=0, description="number of the first station")
    version: Literal["1.6", "2.0.1"] = Field("1.6", description="version of OCPP")
    connectors: int = Field(1, ge=1, le=100, description="connectors a station")
    password: SecretStr | None = Field(
        None, description="for Basic authentication, the same for all; set it by variable, not by flag"
    )
    ca: Path | None = Field(None, description="PEM file of certificates to trust, for wss://")
    client_cert: Path | None = Field(None, description="PEM file of the stations' own certificate")
    client_key: Path | None = Field(None, description="PEM file of its key")
    meter_interval: Duration | None = Field(None, description="time between meter values, over the profile's")
    heartbeat_interval: Duration | None = Field(
        None, description="time between heartbeats, over the profile's and what the CSMS answers"
    )
    call_timeout: Duration = Field(30.0, description="time after which a call counts as a timeout")
    price: float = Field(15.0, description="price of a kWh that the profile's policy sees")
    hour: int = Field(12, ge=0, le=23, description="hour of the day that the profile's policy sees")
    network: str | None = Field(
        None, description="a bad network: latency=50ms,jitter=20ms,loss=0.1%,duplicates=1%,drops=0.05%"
    )
    faults: str | None = Field(
        None, description="protocol faults on purpose: bad-json=0.01,late-answer=0.1, or all=0.001"
    )
    background: int = Field(
        0, ge=0, le=1_000_000, description="stations beside those measured, there all the time and counted apart"
    )
    background_profile: str = Field("idle", description="behaviour profile of the background")
    drivers: Literal["", "workplace", "home"] = Field(
        "", description=f"let drivers come by the hour of the day instead of by profile: {', '.join(MIXTURES)}"
    )
    drivers_per_station: float = Field(2.0, gt=0, le=100, description="drivers a day for each connector")
    start_hour: float = Field(6.0, ge=0, lt=24, description="hour of the day at which the drivers' day begins")
    time_scale: float = Field(60.0, gt=0, le=3600, description="simulated seconds of the drivers' day in a real one")
    web: int | None = Field(
        None, ge=0, le=65535, description="port for a page with live figures, on 127.0.0.1; unset: off"
    )
    live: bool = Field(True, description="live view, where standard error is a terminal")
    settle: Duration = Field(
        30.0, description="time at the end for stations without a connection to come back and deliver what they kept"
    )

    @field_validator("csms_url")
    @classmethod
    def _websocket(cls, url: str) -> str:
        if not url.startswith(("ws://", "wss://")) or len(url.split("://", 1)[1].split("/", 1)[0]) == 0:
            raise ValueError("expected as ws://host:port/path or wss://host:port/path")
        return url.rstrip("/")

    @field_validator("report")
    @classmethod
    def _known_suffix(cls, files: list[Path]) -> list[Path]:
        for file in files:
            if file.suffix not in SUFFIXES:
                raise ValueError(f"{file} ends with none of {', '.join(SUFFIXES)}")
            if not file.absolute().parent.is_dir():
                raise ValueError(f"there is no folder {file.parent} for {file.name}")
        return files

    @property
    def thresholds(self) -> list[Threshold]:
        """What fails the run. Raises UsageError."""
        try:
            version = OcppVersion(self.version)
            return [Threshold.parse(expression, version=version) for expression in self.fail_if]
        except BadThreshold as error:
            raise UsageError(f"--fail-if: {error}") from None

    @property
    def protocol_faults(self) -> FaultPlan | None:
        """The protocol faults asked for. Raises UsageError."""
        try:
            return None if not self.faults else FaultPlan.parse(self.faults)
        except BadFaultPlan as error:
            raise UsageError(f"--faults: {error}") from None

    @property
    def network_faults(self) -> NetworkFaults | None:
        """The network asked for. Raises UsageError."""
        try:
            return None if not self.network else NetworkFaults.parse(self.network)
        except BadNetwork as error:
            raise UsageError(f"--network: {error}") from None

    @property
    def stages(self) -> Shape:
        """The shape asked for, as long as asked for. Raises UsageError."""
        try:
            if self.shape not in NAMED_SHAPES and self.shape.endswith((".yaml", ".yml")):
                if self.duration is not None or self.ramp is not None:
                    raise UsageError("--duration and --ramp are for shapes with a name; a file says its own times")
                return read_shape(Path(self.shape), stations=self.count)
            run_s = _USUAL_S.get(self.shape, 0.0) if self.duration is None else self.duration
            ramp_s = min(_RAMP_SHARE.get(self.shape, 0.0) * run_s, max(5.0, self.count / 50.0), run_s)
            return named_shape(
                self.shape, stations=self.count, run_s=run_s, ramp_s=ramp_s if self.ramp is None else self.ramp
            )
        except BadShape as error:
            raise UsageError(f"--shape: {error}") from None
