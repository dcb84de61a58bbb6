"""A connector's power path where there is no hardware: the domain's charger model behind the station's seam.

Time is passed in; the model lives on a grid of `step_s`, so a start or a limit counts from the last grid point on. A
clock that is set back makes no energy and takes none.
"""

from collections.abc import Callable
from typing import Final

from evcharging.domain.charger_reading import Reading
from evcharging.domain.charger_state import FaultCode
from evcharging.domain.charger_stretches import StretchChargerModel
from evcharging.domain.levels import ChargerSpec
from evcharging.domain.vehicle import VehicleSpec
from evcharging.ocpp.station.settings import StationSettings

DEFAULT_STEP_S: Final = 0.1


class ModelCharger:
    """A `StationCharger` over the domain's model.

    Args:
        spec: The rating plate.
        now_s: Unix seconds at which it begins.
        register_wh: What its meter begins with.
        step_s: Width of the model's grid in s.
    """

    __slots__ = ("_model", "_now_s", "spec")

    def __init__(
        self, spec: ChargerSpec, *, now_s: float, register_wh: float = 0.0, step_s: float = DEFAULT_STEP_S
    ) -> None:
        self.spec = spec
        self._now_s = now_s
        self._model = StretchChargerModel(spec=spec, now_s=now_s, register_wh=register_wh, step_s=step_s)
        self._model.set_limit(spec.rated_amps)

    def plug(self, vehicle: VehicleSpec) -> None:
        """Put a vehicle on the cable. Raises VehiclePresent."""
        self._model.plug(vehicle)

    def unplug(self) -> None:
        """Take the cable out."""
        self._model.unplug()

    def set_limit_amps(self, amps: float) -> None:
        """Offer `amps` per phase."""
        self._model.set_limit(amps)

    def start(self) -> None:
        """Close the contactor. Raises ChargerFaulted, NoVehicleReady."""
        self._model.start()

    def stop(self) -> None:
        """Open the contactor."""
        self._model.stop()

    def advance(self, now_s: float) -> Reading:
        """Bring the model to `now_s` and read it."""
        if now_s > self._now_s:
            self._now_s = now_s
            self._model.advance(now_s)
        return self._model.reading()

    def inject_fault(self, code: FaultCode) -> None:
        """Let the outlet fail."""
        self._model.inject_fault(code)

    def clear_fault(self) -> bool:
        """End an injected fault; return whether none is left."""
        return self._model.clear_fault()

    def watch(self, on_change: Callable[[], None]) -> None:
        """Nothing to hear: the model moves in `advance` only."""

    def close(self) -> None:
        """Nothing to let go of."""


def model_charger(settings: StationSettings, now_s: float, number: int) -> ModelCharger:
    """Return the charger of a connector by a station's settings; its meter goes on where one was left."""
    register_wh = settings.register_wh[number - 1] if number <= len(settings.register_wh) else 0.0
    left = [float(record.meter_wh) for record in settings.resume if record.connector_id == number]
    return ModelCharger(settings.spec, now_s=now_s, register_wh=max([register_wh, *left]), step_s=settings.grid_step_s)
