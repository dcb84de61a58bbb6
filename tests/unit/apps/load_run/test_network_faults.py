from random import Random

import pytest

from evcharging.apps.load_run.network_faults import BadNetwork, FrameFaults, NetworkFaults
from evcharging.ocpp.errors import ConnectionLost
from evcharging.ocpp.station.clock import ManualClock


def carried(faults, frames=1000, seed=1):
    arrived, drops = [], []
    network = FrameFaults(faults, clock=ManualClock(), generator=Random(seed))
    for number in range(frames):
        network.carry(b"%d" % number, arrived.append, lambda: drops.append(1))
    return arrived, len(drops)


def test_a_network_is_read_as_people_write_it():
    text = "latency=50ms, jitter=0.02s,loss=0.1%,duplicates=1%,drops=0.05%"
    assert NetworkFaults.parse(text) == NetworkFaults(0.05, 0.02, 0.001, 0.01, 0.0005)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lag=5ms", "expected NAME=VALUE with a name of latency"),
        ("latency=slow", "latency: 'slow'"),
        ("latency=50", "latency: '50' has no unit; expected as 50ms"),
        ("jitter=0.5", "jitter: '0.5' has no unit"),
        ("loss=2", "loss: '2'"),
    ],
)
def test_what_describes_no_network_is_refused(text, told):
    with pytest.raises(BadNetwork) as caught:
        NetworkFaults.parse(text)
    assert told in str(caught.value)


def test_a_good_network_carries_every_frame_once_and_at_once():
    assert carried(NetworkFaults(), frames=3) == ([b"0", b"1", b"2"], 0)


def test_frames_are_lost_doubled_and_sockets_cut_in_their_shares():
    arrived, drops = carried(NetworkFaults(loss=0.1, duplicates=0.2, drops=0.05))
    assert drops == pytest.approx(50, abs=25)
    assert len(set(arrived)) == pytest.approx(1000 * 0.95 * 0.9, abs=40)
    assert len(arrived) - len(set(arrived)) == pytest.approx(1000 * 0.95 * 0.9 * 0.2, abs=50)


def test_the_same_seed_gives_the_same_network():
    faults = NetworkFaults(loss=0.1, duplicates=0.2)
    assert carried(faults) == carried(faults)
    assert carried(faults) != carried(faults, seed=2)


async def test_latency_delays_frames_and_keeps_their_order():
    clock = ManualClock()
    arrived = []
    network = FrameFaults(NetworkFaults(latency_s=0.1, jitter_s=0.5), clock=clock, generator=Random(1))
    for number in range(50):
        network.carry(b"%d" % number, lambda data: arrived.append((clock.now_s(), data)), lambda: None)
    began_s = clock.now_s()
    assert arrived == []
    await clock.advance(0.099)
    assert arrived == []
    await clock.advance(1.0)
    assert [data for _, data in arrived] == [b"%d" % number for number in range(50)]
    assert min(at for at, _ in arrived) >= began_s + 0.1


async def test_what_was_under_way_when_the_socket_went_never_arrives():
    clock = ManualClock()
    arrived = []
    network = FrameFaults(NetworkFaults(latency_s=0.1), clock=clock, generator=Random(1))
    network.carry(b"old", arrived.append, lambda: None)
    network.reconnected()
    network.carry(b"new", arrived.append, lambda: None)
    await clock.advance(1.0)
    assert arrived == [b"new"]


async def test_a_frame_for_a_socket_that_is_gone_disturbs_nothing():
    def gone(_data):
        raise ConnectionLost("closed")

    clock = ManualClock()
    network = FrameFaults(NetworkFaults(latency_s=0.1), clock=clock, generator=Random(1))
    network.carry(b"late", gone, lambda: None)
    await clock.advance(1.0)
