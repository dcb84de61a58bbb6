import ast
from pathlib import Path

import pytest

import evcharging.ocpp.station
from evcharging.ocpp.schemas import actions
from evcharging.ocpp.station.wires import actions_sent
from evcharging.ocpp.versions import OcppVersion
from tests.support.station_world import World


def test_a_station_speaks_the_version_of_its_settings():
    assert World().station.wire.version is OcppVersion.V16


def test_a_version_that_stations_do_not_speak_is_refused():
    with pytest.raises(ValueError, match="stations speak OCPP"):
        World(version=OcppVersion.V21)


@pytest.mark.parametrize(("version", "folder"), [(OcppVersion.V16, "v16"), (OcppVersion.V201, "v201")])
def test_the_actions_that_stations_send_are_those_that_requests_are_made_of(version, folder):
    package = Path(evcharging.ocpp.station.__path__[0])
    made = {
        node.args[0].value
        for file in (package / folder).glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Request"
    }
    assert actions_sent(version) == made
    assert made < actions(version)
