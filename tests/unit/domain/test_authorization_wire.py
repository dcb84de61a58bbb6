import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.authorization import AuthStatus, IdTagInfo
from evcharging.domain.authorization_store import ListEntry
from evcharging.domain.authorization_wire import (
    entry_from_v16,
    entry_from_v201,
    info_from_v16,
    info_from_v201,
    info_to_v16,
    info_to_v201,
)

T0 = 1_767_225_600.0
FULL = IdTagInfo(AuthStatus.ACCEPTED, T0, "FLEET")


def test_16_spells_an_id_tag_info_so():
    payload = {"status": "Accepted", "expiryDate": "2026-01-01T00:00:00Z", "parentIdTag": "FLEET"}
    assert info_to_v16(FULL) == payload
    assert info_from_v16(payload) == FULL


def test_201_spells_an_id_token_info_so():
    payload = {
        "status": "Accepted",
        "cacheExpiryDateTime": "2026-01-01T00:00:00Z",
        "groupIdToken": {"idToken": "FLEET", "type": "Central"},
    }
    assert info_to_v201(FULL) == payload
    assert info_from_v201(payload) == FULL


def test_a_status_16_does_not_know_is_invalid_there():
    assert info_to_v16(IdTagInfo(AuthStatus.NO_CREDIT)) == {"status": "Invalid"}
    assert info_to_v201(IdTagInfo(AuthStatus.NO_CREDIT)) == {"status": "NoCredit"}


@given(
    st.builds(
        IdTagInfo, st.sampled_from(AuthStatus), st.none() | st.integers(0, 2**32), st.none() | st.text(min_size=1)
    )
)
def test_what_is_written_is_read_back(info):
    assert info_from_v201(info_to_v201(info)) == info
    if info.status.value in {"Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"}:
        assert info_from_v16(info_to_v16(info)) == info


def test_a_time_without_a_zone_is_utc():
    assert info_from_v16({"status": "Accepted", "expiryDate": "2026-01-01T00:00:00"}).expires_at_s == T0


@pytest.mark.parametrize("payload", [{"status": "Fine"}, {"status": "Accepted", "expiryDate": "soon"}])
def test_a_status_or_time_that_is_none_is_refused(payload):
    with pytest.raises(ValueError, match=r"Fine|soon"):
        info_from_v16(payload)


def test_list_entries_come_with_and_without_information():
    assert entry_from_v16({"idTag": "A"}) == ListEntry("A", None)
    assert entry_from_v16({"idTag": "A", "idTagInfo": {"status": "Blocked"}}) == ListEntry(
        "A", IdTagInfo(AuthStatus.BLOCKED)
    )
    token = {"idToken": "A", "type": "ISO14443"}
    assert entry_from_v201({"idToken": token}) == ListEntry("A", None)
    assert entry_from_v201({"idToken": token, "idTokenInfo": {"status": "Blocked"}}) == ListEntry(
        "A", IdTagInfo(AuthStatus.BLOCKED)
    )
