import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from evcharging.apps.load_run.fleet import Fleet, FleetPlan
from evcharging.apps.load_run.group import Group
from evcharging.apps.load_run.ledger import Ledger
from evcharging.apps.load_run.run import LoadRun, RunPlan
from evcharging.apps.load_run.shape import GoTo, Hold, Shape
from evcharging.domain.behaviour import BehaviourProfile, Range
from evcharging.ocpp.loopback import LoopbackNetwork
from evcharging.ocpp.station.clock import LoopClock
from evcharging.ocpp.station.environment import SharedEnvironment
from evcharging.ocpp.versions import OcppVersion
from tests.support.station_world import Csms

PATIENCE_S = 30.0
LIVELY = BehaviourProfile(
    name="lively",
    pause_s=Range(0.01, 0.05),
    stay_s=Range(0.1, 0.3),
    meter_interval_s=0.1,
    charge_if_price_below=None,
    max_energy_kwh=None,
)


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


class World:
    """A CSMS in this process, and what is run against it."""

    def __init__(self):
        self.csms = Csms()
        self.network = LoopbackNetwork(self.csms)
        self.environment = SharedEnvironment()
        self.ledger = Ledger()
        self.fleet_plan = FleetPlan(
            csms_url="ws://csms/ocpp",
            id_prefix="S",
            first_number=1,
            version=OcppVersion.V16,
            connectors=1,
            profile=LIVELY,
            seed=1,
            call_timeout_s=5.0,
            comes_back_s=1.0,
        )

    @asynccontextmanager
    async def group(self, *, heartbeat_interval_s=None, **changes):
        clock = LoopClock()
        group = Group(
            Fleet(replace(self.fleet_plan, **changes), clock=clock, ledger=self.ledger),
            ledger=self.ledger,
            clock=clock,
            environment=self.environment,
            dial=self.network.dial,
            heartbeat_interval_s=heartbeat_interval_s,
        )
        task = asyncio.create_task(group.host.run())
        try:
            yield group
        finally:
            await group.stop_all(5.0)
            task.cancel()
            await asyncio.wait({task})

    def run(self, **changes):
        plan = RunPlan(
            title="a test",
            told={"CSMS": "ws://csms/ocpp"},
            shape=Shape("brief", (GoTo(3, 0.2), Hold(0.8))),
            measured=self.fleet_plan,
            settle_s=5.0,
            stop_within_s=10.0,
        )
        return LoadRun(replace(plan, **changes), dial=self.network.dial, environment=self.environment)


@pytest.fixture
def world():
    return World()
