import pytest

from evcharging.ocpp.versions import OcppVersion
from tests.support.station_world import World


def test_a_station_speaks_the_version_of_its_settings():
    assert World().station.wire.version is OcppVersion.V16


def test_a_version_that_stations_do_not_speak_is_refused():
    with pytest.raises(ValueError, match="stations speak OCPP"):
        World(version=OcppVersion.V21)
