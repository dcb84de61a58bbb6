from dataclasses import replace

from evcharging.apps.load_run.fleet import Fleet, FleetPlan, with_intervals
from evcharging.apps.load_run.ledger import Ledger
from evcharging.apps.load_run.network_faults import NetworkFaults
from evcharging.domain.behaviour import BehaviourProfile
from evcharging.ocpp.station.clock import ManualClock
from evcharging.ocpp.station.faults import FaultPlan
from evcharging.ocpp.versions import OcppVersion

PLAN = FleetPlan(
    csms_url="ws://localhost/ocpp",
    id_prefix="PY-SIM-",
    first_number=1,
    version=OcppVersion.V16,
    connectors=2,
    profile=BehaviourProfile(name="any"),
    seed=7,
    password="secret",
)


def fleet(**changes):
    return Fleet(replace(PLAN, **changes), clock=ManualClock(), ledger=Ledger())


def test_ids_count_on_from_the_first_number():
    assert [fleet().station_id(rank) for rank in (0, 1, 9999)] == ["PY-SIM-0001", "PY-SIM-0002", "PY-SIM-10000"]
    assert fleet(first_number=500, id_prefix="X").station_id(1) == "X0501"


def test_a_station_has_what_the_fleet_has_in_common():
    settings = fleet().settings(0)
    assert (settings.station_id, settings.csms_url, settings.connectors) == ("PY-SIM-0001", "ws://localhost/ocpp", 2)
    assert (settings.seed, settings.password, settings.profile.name) == (7, "secret", "any")


def test_stations_are_given_addresses_one_by_one():
    given = iter(["127.0.0.1", "127.0.0.2"])
    stations = fleet(source_address_for=lambda _url: next(given))
    assert [stations.settings(rank).source_address for rank in (0, 1)] == ["127.0.0.1", "127.0.0.2"]


def frames_lost(stations, rank):
    wire, passed = stations.settings(rank).faults, []
    for number in range(200):
        wire.outgoing(b"%d" % number, passed.append, lambda: None, lambda _: None)
    return passed


def test_each_station_has_a_network_of_its_own_that_the_seed_repeats():
    network = NetworkFaults(loss=0.5)
    assert frames_lost(fleet(network=network), 0) == frames_lost(fleet(network=network), 0)
    assert frames_lost(fleet(network=network), 0) != frames_lost(fleet(network=network), 1)
    assert frames_lost(fleet(network=network), 0) != frames_lost(fleet(network=network, seed=8), 0)


def test_protocol_faults_are_judged_to_whoever_listens():
    stations = fleet(protocol=FaultPlan.parse("bad-json=1"))
    sent = []
    stations.settings(0).faults.outgoing(b'[2,"m1","Heartbeat",{}]', sent.append, lambda: None, lambda _: None)
    assert sent
    assert sent[0] != b'[2,"m1","Heartbeat",{}]'


def test_without_other_intervals_a_profile_stays_as_it_is():
    profile = BehaviourProfile(name="any")
    assert with_intervals(profile, meter_interval_s=None, heartbeat_interval_s=None) is profile
