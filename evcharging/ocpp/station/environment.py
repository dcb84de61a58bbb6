"""The surroundings of stations in one process: price, hour and the site's signals, one object for all of them."""

from collections.abc import Callable
from typing import Any


class SharedEnvironment:
    """An `Environment` whose watchers hear of a change before `change` returns.

    Attributes:
        price: Price of a kWh in `currency`.
        hour: Hour of the day at the site, 0 to 23.
        grid_load, carbon_intensity, demand_response: See `Environment`; None where unknown.
    """

    def __init__(self, *, price: float = 20.0, currency: str = "INR", hour: int = 12) -> None:
        self.price = price
        self.currency = currency
        self.hour = hour
        self.grid_load: float | None = None
        self.carbon_intensity: float | None = None
        self.demand_response: bool | None = None
        self._watchers: dict[Callable[[], None], None] = {}

    def change(self, **values: Any) -> None:
        """Set attributes by name and tell the watchers, if any value is another than before.

        Raises TypeError for a name that is none of the attributes.
        """
        changed = False
        for name, value in values.items():
            if name.startswith("_") or name not in vars(self):
                raise TypeError(f"an environment has no {name!r}")
            if getattr(self, name) != value:
                setattr(self, name, value)
                changed = True
        if changed:
            for watcher in tuple(self._watchers):
                watcher()

    def watch(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call `on_change` after every change; return what ends that."""
        self._watchers[on_change] = None
        return lambda: self._watchers.pop(on_change, None) and None
