"""What holds for every test: its turn, examples that do not depend on the clock, logging as before any service runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog

# The same examples every time, and without a stop-watch: the machine may be busy.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tests")

LONGEST_FIRST = (
    "chaos/test_kills.py",
    "chaos/test_swarm_takeover.py",
    "integration/test_up.py",
    "contract/test_bus_outages.py",
    "integration/test_up_kills.py",
    "integration/test_examples.py",
    "contract/test_bus_interop.py",
    "browser/test_page.py",
    "chaos/test_reconnect_storm.py",
    "contract/test_bus_groups.py",
    "integration/test_monitor.py",
    "integration/test_load_run.py",
    "integration/test_swarm.py",
    "integration/test_network.py",
    "integration/test_engine.py",
    "integration/test_charger_process.py",
    "contract/mqtt/test_mqtt_publisher.py",
    "contract/mqtt/test_mqtt_broker_process.py",
    "contract/test_bus_consumer.py",
    "contract/test_bus.py",
    "integration/test_station_can.py",
    "integration/test_topics.py",
)
"""Files that take from twenty seconds to minutes. Begun last, one of them would have a core wait for it alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first, everything else in its order (with xdist: under ``--no-loadscope-reorder``)."""
    here = Path(__file__).parent
    turns = {here / name: turn for turn, name in enumerate(LONGEST_FIRST)}
    if gone := [str(path) for path in turns if not path.exists()]:
        raise pytest.UsageError(f"LONGEST_FIRST in {__file__} names what is not there: {', '.join(gone)}")
    items.sort(key=lambda item: turns.get(item.path, len(turns)))


def _log_plainly() -> None:
    """As structlog does by default, but for the locals of every frame: they take seconds to render, on the loop."""
    structlog.reset_defaults()
    processors = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors[:-1], renderer])


_log_plainly()


@pytest.fixture(autouse=True)
def _logging_as_found() -> Iterator[None]:
    """A test that runs a service in this process configures logging for it; the next test must not see that."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    _log_plainly()
    root.handlers[:] = handlers
    root.setLevel(level)
