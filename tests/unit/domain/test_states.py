import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.states import (
    ChargePointState,
    ConnectorState,
    IllegalTransition,
    MqttStatus,
    OcppStatus,
    Transition,
    effective_state,
    mqtt_of_ocpp,
    mqtt_of_state,
    ocpp_of_state,
    roll_up,
    state_of_mqtt,
    state_of_ocpp,
)

DISCONNECTED, ACTIVATED, SUPPLYING, STOPPED, FAULT = (
    ChargePointState.DISCONNECTED,
    ChargePointState.ACTIVATED,
    ChargePointState.SUPPLYING,
    ChargePointState.STOPPED,
    ChargePointState.FAULT,
)
MOVES = ["connect", "disconnect", "fail", "heal", "begin_supply", "end_supply", "stop", "resume"]

REFUSED = "refused"
# The whole table: what each move does in each state without an administrative stop; None is legal and changes nothing.
TABLE = {
    #               connect    disconnect    fail   heal       begin_supply end_supply stop     resume
    DISCONNECTED: [ACTIVATED, None, FAULT, REFUSED, REFUSED, REFUSED, None, None],
    ACTIVATED: [REFUSED, DISCONNECTED, FAULT, REFUSED, SUPPLYING, REFUSED, STOPPED, REFUSED],
    SUPPLYING: [REFUSED, DISCONNECTED, FAULT, REFUSED, REFUSED, ACTIVATED, REFUSED, REFUSED],
    STOPPED: [REFUSED, DISCONNECTED, FAULT, REFUSED, REFUSED, REFUSED, REFUSED, ACTIVATED],
    FAULT: [REFUSED, DISCONNECTED, None, ACTIVATED, REFUSED, REFUSED, None, None],
}
CASES = [(state, move, result) for state, row in TABLE.items() for move, result in zip(MOVES, row, strict=True)]

LEGAL = {
    (DISCONNECTED, ACTIVATED),
    (ACTIVATED, SUPPLYING),
    (SUPPLYING, ACTIVATED),
    (ACTIVATED, STOPPED),
    (STOPPED, ACTIVATED),
    (FAULT, ACTIVATED),
    (FAULT, STOPPED),
    (DISCONNECTED, STOPPED),
    *((state, FAULT) for state in ChargePointState if state is not FAULT),
    *((state, DISCONNECTED) for state in ChargePointState if state is not DISCONNECTED),
}

states = st.sampled_from(ChargePointState)


@pytest.mark.parametrize(("state", "move", "result"), CASES, ids=[f"{state}-{move}" for state, move, _ in CASES])
def test_each_move_does_in_each_state_what_the_table_says(state, move, result):
    connector = ConnectorState(state)
    if result is REFUSED:
        with pytest.raises(IllegalTransition) as caught:
            getattr(connector, move)()
        assert caught.value.current is state
        assert f"cannot go from {state.value} to {caught.value.wanted.value}: " in str(caught.value)
        assert connector.state is state
    else:
        made = getattr(connector, move)()
        assert made == (None if result is None else Transition(state, result))
        assert connector.state is (state if result is None else result)


def test_a_stop_while_supplying_is_refused_until_the_session_is_ended():
    connector = ConnectorState(SUPPLYING)
    with pytest.raises(IllegalTransition, match="cannot go from SUPPLYING to STOPPED: end the session first"):
        connector.stop()
    assert not connector.stop_stands
    connector.end_supply()
    assert connector.stop() == Transition(ACTIVATED, STOPPED)


@pytest.mark.parametrize(("leave", "back"), [("fail", "heal"), ("disconnect", "connect")])
def test_an_administrative_stop_outlasts_a_fault_and_an_outage(leave, back):
    connector = ConnectorState(ACTIVATED)
    connector.stop()
    getattr(connector, leave)()
    assert getattr(connector, back)().state is STOPPED
    assert connector.resume().state is ACTIVATED


@pytest.mark.parametrize(("state", "back"), [(FAULT, "heal"), (DISCONNECTED, "connect")])
def test_a_stop_given_out_of_reach_counts_on_return_unless_it_is_taken_back(state, back):
    stopped, resumed = ConnectorState(state), ConnectorState(state)
    stopped.stop()
    assert getattr(stopped, back)().state is STOPPED
    resumed.stop()
    resumed.resume()
    assert getattr(resumed, back)().state is ACTIVATED


def test_the_memory_of_a_stop_can_be_restored():
    assert ConnectorState(DISCONNECTED, stop_stands=True).connect().state is STOPPED
    assert ConnectorState(STOPPED).stop_stands


@given(start=states, stop_stands=st.booleans(), moves=st.lists(st.sampled_from(MOVES)))
def test_no_sequence_of_moves_leaves_the_legal_transitions(start, stop_stands, moves):
    connector = ConnectorState(start, stop_stands=stop_stands and start in {FAULT, DISCONNECTED})
    for move in moves:
        before = connector.state
        try:
            made = getattr(connector, move)()
        except IllegalTransition:
            assert connector.state is before
            continue
        if made is None:
            assert connector.state is before
        else:
            assert (made.previous, made.state) == (before, connector.state)
            assert (before, connector.state) in LEGAL
        assert connector.state is not STOPPED or connector.stop_stands
        assert connector.state not in {ACTIVATED, SUPPLYING} or not connector.stop_stands


@pytest.mark.parametrize("whole", [FAULT, STOPPED, DISCONNECTED])
@given(connectors=st.lists(states.filter(lambda state: state is not SUPPLYING)))
def test_the_whole_charge_point_out_of_service_bars_every_connector(whole, connectors):
    assert roll_up({0: whole, **dict(enumerate(connectors, start=1))}) is whole
    assert all(effective_state(whole, state) is whole for state in connectors)


@given(connectors=st.lists(states))
def test_a_charge_point_that_is_stopped_does_not_hide_a_session_that_runs_on(connectors):
    assert roll_up({0: STOPPED, **dict(enumerate([*connectors, SUPPLYING], start=1))}) is SUPPLYING
    assert effective_state(STOPPED, SUPPLYING) is SUPPLYING


@pytest.mark.parametrize("whole", [FAULT, DISCONNECTED])
def test_one_that_is_out_of_reach_does(whole):
    assert roll_up({0: whole, 1: SUPPLYING}) is whole
    assert effective_state(whole, SUPPLYING) is whole


@pytest.mark.parametrize(
    ("connectors", "rolled_up"),
    [
        ([], ACTIVATED),
        ([ACTIVATED, SUPPLYING, FAULT], SUPPLYING),
        ([STOPPED, FAULT, ACTIVATED], ACTIVATED),
        ([FAULT, FAULT], FAULT),
        ([STOPPED, STOPPED], STOPPED),
        ([STOPPED, FAULT], FAULT),
        ([DISCONNECTED, STOPPED], STOPPED),
        ([DISCONNECTED], DISCONNECTED),
    ],
)
def test_the_roll_up_is_supplying_if_any_connector_is_else_activated_if_any_is(connectors, rolled_up):
    assert roll_up({0: ACTIVATED, **dict(enumerate(connectors, start=1))}) is rolled_up


def test_a_charge_point_never_heard_of_is_disconnected():
    assert roll_up({}) is DISCONNECTED
    assert roll_up({1: SUPPLYING}) is DISCONNECTED


@given(state=states)
def test_a_connector_of_a_charge_point_in_service_has_its_own_state(state):
    assert effective_state(ACTIVATED, state) is state


@pytest.mark.parametrize("state", list(ChargePointState))
def test_every_state_survives_the_way_to_ocpp_and_mqtt_and_back(state):
    assert state_of_ocpp(ocpp_of_state(state)) is state
    assert state_of_mqtt(mqtt_of_state(state)) is state


@pytest.mark.parametrize("status", [None, *OcppStatus])
def test_mqtt_tells_the_same_state_as_ocpp(status):
    assert state_of_mqtt(mqtt_of_ocpp(status)) is state_of_ocpp(status)


@pytest.mark.parametrize(
    ("state", "ocpp", "mqtt"),
    [
        (DISCONNECTED, [None], ["offline"]),
        (ACTIVATED, ["Available", "Preparing", "Finishing", "Reserved"], ["available", "preparing", "finishing"]),
        (SUPPLYING, ["Charging", "SuspendedEV", "SuspendedEVSE"], ["charging"]),
        (STOPPED, ["Unavailable"], ["unavailable"]),
        (FAULT, ["Faulted"], ["faulted"]),
    ],
)
def test_the_three_vocabularies_are_mapped_as_stated(state, ocpp, mqtt):
    assert {status for status in [None, *OcppStatus] if state_of_ocpp(status) is state} == set(ocpp)
    assert {status for status in MqttStatus if state_of_mqtt(status) is state} == set(mqtt)


@pytest.mark.parametrize(
    ("ocpp", "mqtt"), [("Preparing", "preparing"), ("Finishing", "finishing"), ("Reserved", "available")]
)
def test_mqtt_says_as_much_of_an_ocpp_status_as_it_can(ocpp, mqtt):
    assert mqtt_of_ocpp(OcppStatus(ocpp)) == mqtt
