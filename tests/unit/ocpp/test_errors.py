"""Error codes in the spelling of each version."""

from __future__ import annotations

import pytest

from evcharging.ocpp.errors import Fault, error_code
from evcharging.ocpp.versions import OcppVersion, version_of

CODES_16 = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}


@pytest.mark.parametrize("fault", Fault)
def test_ocpp_16_is_answered_with_its_own_ten_codes(fault):
    assert error_code(fault, OcppVersion.V16) in CODES_16


def test_the_misspelt_code_of_16_is_spelt_right_in_201():
    assert error_code(Fault.OCCURRENCE_CONSTRAINT, OcppVersion.V16) == "OccurenceConstraintViolation"
    assert error_code(Fault.OCCURRENCE_CONSTRAINT, OcppVersion.V201) == "OccurrenceConstraintViolation"
    assert error_code(Fault.FORMAT_VIOLATION, OcppVersion.V16) == "FormationViolation"
    assert error_code(Fault.FORMAT_VIOLATION, OcppVersion.V201) == "FormatViolation"


@pytest.mark.parametrize("version", OcppVersion)
def test_a_subprotocol_names_its_version(version):
    assert version_of(version.subprotocol) is version


@pytest.mark.parametrize("name", ["", "ocpp", "ocpp1.5", "OCPP1.6", "mqtt"])
def test_other_subprotocols_name_none(name):
    assert version_of(name) is None
