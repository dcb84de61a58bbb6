"""The driver's settings."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from evcharging.apps.runtime.kafka import KafkaServiceSettings

__all__ = ["DriverSettings"]


class DriverSettings(KafkaServiceSettings):
    """Flags of ``evcharging driver``; variables begin with ``DRIVER_``."""

    prefix: ClassVar[str] = "DRIVER_"
    service: ClassVar[str] = "driver"
    summary: ClassVar[str] = "A driver who works through a file of charging requests, one after the other."

    driver_id: str = Field(min_length=1, max_length=59, description="name of the driver; with --count its first part")
    requests_file: Path = Field(
        Path("requests.txt"), description="one request a line: CP-001 or CP-001,10 (kWh); any: Central chooses"
    )
    request_interval: float = Field(4.0, ge=0, description="seconds from the end of a request to the next")
    repeat: bool = Field(False, description="begin the file again at its end, until stopped")
    count: int = Field(
        1, ge=1, le=1000, description="drivers at work at once, each through the whole file, each a line further on"
    )
    response_timeout_s: float = Field(
        30.0, gt=0, description="seconds without a word on a request after which the log says that it still waits"
    )
    give_up_after_s: float = Field(
        0.0, ge=0, description="seconds without a word after which the request is cancelled; 0: never"
    )
    cancel_on_exit: bool = Field(False, description="cancel what is open when stopped; otherwise the session goes on")
    replay_window_s: float = Field(
        3600.0, ge=0, description="seconds to look back at the start for requests of an earlier run"
    )
    summary_json: Path | None = Field(None, description="where the summary is written at the end")
