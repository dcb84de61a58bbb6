from __future__ import annotations

import pytest

from evcharging.apps.ev_central.api.ocpp_models import CHARGING_PROFILE

PROFILES = "/api/v1/charging-profiles"
OF_201 = {
    "id": 7,
    "stackLevel": 1,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [
        {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}
    ],
}


def body(profile: object = CHARGING_PROFILE, description: str = "10 A for everybody") -> dict[str, object]:
    return {"description": description, "profile": profile}


async def test_a_profile_is_kept_as_it_is_and_given_an_id(web):
    answer = await web.http.post(PROFILES, json=body())
    kept = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"{PROFILES}/{kept['id']}")
    assert (kept["profile"], kept["ocpp_version"], kept["description"]) == (
        CHARGING_PROFILE,
        "1.6",
        "10 A for everybody",
    )
    assert (await web.http.get(f"{PROFILES}/{kept['id']}")).json() == kept


async def test_a_profile_of_2_0_1_is_known_by_its_form(web):
    assert (await web.http.post(PROFILES, json=body(OF_201))).json()["ocpp_version"] == "2.0.1"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"chargingProfilePurpose": "Anything"}, "#/profile/chargingProfilePurpose"),
        ({"stackLevel": "low"}, "#/profile/stackLevel"),
        ({"chargingSchedule": {"chargingRateUnit": "A"}}, "#/profile/chargingSchedule"),
        ({"colour": "red"}, "#/profile"),
    ],
)
async def test_what_the_standard_does_not_call_a_profile_is_refused_with_the_place(web, change, pointer):
    answer = await web.http.post(PROFILES, json=body({**CHARGING_PROFILE, **change}))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_profile_is_replaced_and_deleted(web):
    kept = (await web.http.post(PROFILES, json=body())).json()
    path = f"{PROFILES}/{kept['id']}"
    other = {**CHARGING_PROFILE, "stackLevel": 3}
    changed = await web.http.put(path, json=body(other, "the same, higher"))
    assert (changed.json()["id"], changed.json()["profile"]["stackLevel"]) == (kept["id"], 3)
    assert (await web.http.put(path, json=body({}))).status_code == 422
    assert (await web.http.delete(path)).status_code == 204
    for answer in (await web.http.get(path), await web.http.delete(path), await web.http.put(path, json=body())):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_charging_profile")


async def test_the_id_of_a_deleted_profile_is_not_given_again(web):
    first = (await web.http.post(PROFILES, json=body())).json()["id"]
    await web.http.delete(f"{PROFILES}/{first}")
    assert (await web.http.post(PROFILES, json=body())).json()["id"] > first


async def test_profiles_are_listed_in_pages(web):
    for number in range(3):
        await web.http.post(PROFILES, json=body(description=f"profile {number}"))
    first = await web.http.get(f"{PROFILES}?limit=2")
    assert [profile["description"] for profile in first.json()] == ["profile 0", "profile 1"]
    rest = await web.http.get(first.links["next"]["url"])
    assert [profile["description"] for profile in rest.json()] == ["profile 2"]
    assert (await web.http.get(f"{PROFILES}?cursor=YWJj")).status_code == 422
