import pytest
from hypothesis import given
from hypothesis import strategies as st

from evcharging.domain.authorization import (
    MAX_ID_TAG_LENGTH,
    AuthorizationRules,
    AuthStatus,
    IdTagInfo,
    InvalidIdOutcome,
    Step,
    Token,
    central_answer,
    decide_after_start,
    decide_remote_start,
    decide_start,
    decide_stop,
    id_tag_of_driver,
    same_id_tag,
    stop_allowed,
)

NOW = 1_000.0
ACCEPTED = IdTagInfo(AuthStatus.ACCEPTED)
BLOCKED = IdTagInfo(AuthStatus.BLOCKED)
GROUP = IdTagInfo(AuthStatus.ACCEPTED, parent_id_tag="FLEET")


def knowing(**infos):
    def known(id_tag, now_s):
        info = infos.get(id_tag)
        return None if info is None else info.at(now_s)

    return known


def step(id_tag, *, online, rules=None, **infos):
    return decide_start(
        id_tag, online=online, now_s=NOW, known=knowing(**infos), rules=rules or AuthorizationRules()
    ).step


@pytest.mark.parametrize("status", [AuthStatus.BLOCKED, AuthStatus.EXPIRED, AuthStatus.INVALID, AuthStatus.ACCEPTED])
def test_the_central_system_answers_a_token_as_stored(status):
    token = Token("A", status, expires_at_s=NOW + 1, parent_id_tag="FLEET")
    assert central_answer(token, now_s=NOW) == IdTagInfo(status, NOW + 1, "FLEET")


def test_an_acceptance_that_has_run_out_is_expired_and_a_block_stays_one():
    assert central_answer(Token("A", expires_at_s=NOW), now_s=NOW).status is AuthStatus.EXPIRED
    assert central_answer(Token("A", AuthStatus.BLOCKED, NOW - 1), now_s=NOW).status is AuthStatus.BLOCKED


def test_an_unknown_token_is_invalid_unless_a_setting_says_otherwise():
    assert central_answer(None, now_s=NOW).status is AuthStatus.INVALID
    assert central_answer(None, now_s=NOW, unknown=AuthStatus.ACCEPTED).accepted


def test_a_token_that_charges_elsewhere_is_concurrent_unless_that_is_allowed():
    assert central_answer(Token("A"), now_s=NOW, charging_elsewhere=True).status is AuthStatus.CONCURRENT_TX
    assert central_answer(Token("A"), now_s=NOW, charging_elsewhere=True, concurrent_allowed=True).accepted
    blocked = central_answer(Token("A", AuthStatus.BLOCKED), now_s=NOW, charging_elsewhere=True)
    assert blocked.status is AuthStatus.BLOCKED


@pytest.mark.parametrize(
    ("pre_authorize", "info", "expected"),
    [
        (True, ACCEPTED, Step.ACCEPT),
        (False, ACCEPTED, Step.ASK),
        (True, BLOCKED, Step.ASK),
        (True, IdTagInfo(AuthStatus.ACCEPTED, NOW - 1), Step.ASK),
        (True, None, Step.ASK),
    ],
)
def test_online_only_local_pre_authorize_saves_the_question(pre_authorize, info, expected):
    rules = AuthorizationRules(local_pre_authorize=pre_authorize)
    assert step("A", online=True, rules=rules, A=info) is expected


@pytest.mark.parametrize(
    ("local_offline", "unknown_offline", "info", "expected"),
    [
        (True, False, ACCEPTED, Step.ACCEPT),
        (False, False, ACCEPTED, Step.REFUSE),
        (False, True, ACCEPTED, Step.ACCEPT),
        (True, False, None, Step.REFUSE),
        (True, True, None, Step.ACCEPT),
        (True, True, BLOCKED, Step.REFUSE),
        (True, True, IdTagInfo(AuthStatus.ACCEPTED, NOW - 1), Step.REFUSE),
    ],
)
def test_offline_the_two_offline_keys_decide(local_offline, unknown_offline, info, expected):
    rules = AuthorizationRules(local_authorize_offline=local_offline, allow_offline_tx_for_unknown_id=unknown_offline)
    assert step("A", online=False, rules=rules, A=info) is expected


@given(
    rules=st.builds(AuthorizationRules),
    info=st.builds(IdTagInfo, st.sampled_from([one for one in AuthStatus if one is not AuthStatus.ACCEPTED])),
    online=st.booleans(),
)
def test_what_is_known_not_to_be_accepted_never_starts_without_being_asked(rules, info, online):
    assert step("A", online=online, rules=rules, A=info) is not Step.ACCEPT


def test_a_remote_start_is_taken_at_its_word_unless_it_is_to_be_authorized():
    def remote(*, rules, online=True, **infos):
        return decide_remote_start("A", online=online, now_s=NOW, known=knowing(**infos), rules=rules).step

    assert remote(rules=AuthorizationRules()) is Step.ACCEPT
    strict = AuthorizationRules(authorize_remote_tx_requests=True)
    assert remote(rules=strict) is Step.ASK
    assert remote(rules=strict, online=False, A=BLOCKED) is Step.REFUSE


@pytest.mark.parametrize(
    ("id_tag", "parent", "online", "infos", "expected"),
    [
        ("a", None, False, {}, Step.ACCEPT),
        ("B", None, True, {}, Step.REFUSE),
        ("B", "FLEET", True, {}, Step.ASK),
        ("B", "FLEET", False, {}, Step.REFUSE),
        ("B", "FLEET", False, {"B": GROUP}, Step.ACCEPT),
        ("B", "OTHER", True, {"B": GROUP}, Step.ASK),
        ("B", "fleet", False, {"B": BLOCKED._replace(parent_id_tag="FLEET")}, Step.REFUSE),
    ],
    ids=["the same", "no group", "ask", "offline unknown", "known group", "other group", "blocked in the group"],
)
def test_a_transaction_is_stopped_by_its_own_tag_or_one_of_its_group(id_tag, parent, online, infos, expected):
    verdict = decide_stop(
        id_tag, started_by="A", parent_id_tag=parent, online=online, now_s=NOW, known=knowing(**infos)
    )
    assert verdict.step is expected


def test_an_answer_lets_a_tag_stop_only_in_its_own_group():
    assert stop_allowed(GROUP, "fleet")
    assert not stop_allowed(GROUP, None)
    assert not stop_allowed(ACCEPTED, "FLEET")


@pytest.mark.parametrize(
    ("stop", "allowance_wh", "expected"),
    [
        (True, 0, InvalidIdOutcome(stop=True, max_energy_wh=0)),
        (False, 0, InvalidIdOutcome(stop=False, max_energy_wh=0)),
        (True, 500, InvalidIdOutcome(stop=False, max_energy_wh=500)),
    ],
)
def test_a_transaction_that_is_not_accepted_stops_or_gets_no_more_than_its_allowance(stop, allowance_wh, expected):
    rules = AuthorizationRules(stop_transaction_on_invalid_id=stop, max_energy_on_invalid_id_wh=allowance_wh)
    assert decide_after_start(BLOCKED, rules=rules) == expected
    assert decide_after_start(ACCEPTED, rules=rules) is None


def test_a_drivers_tag_is_its_id_where_that_fits():
    assert id_tag_of_driver("driver-1") == "driver-1"


@given(st.text(max_size=60), st.text(max_size=60))
def test_every_driver_has_a_tag_of_its_own_that_ocpp_can_carry(one, other):
    tag = id_tag_of_driver(one)
    assert 1 <= len(tag) <= MAX_ID_TAG_LENGTH
    assert tag.isascii()
    assert (tag == id_tag_of_driver(other)) == (one == other)


def test_tags_are_told_apart_without_regard_to_case():
    assert same_id_tag("abc", "ABC")
    assert not same_id_tag("abc", "abd")
    assert not same_id_tag(None, None)
