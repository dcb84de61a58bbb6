"""What a configuration key is called, in 1.6 and in 2.0.1, and which of them hold a password.

1.6 has flat keys. 2.0.1 has variables of components: here ``Component.Variable`` in the standard's spelling, with the
EVSE, the connector and the instances where there are any: ``Connector@1.2[name].Variable[instance]``. Both standards
compare such names whatever the case of their letters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from evcharging.ocpp.versions import OcppVersion

__all__ = ["is_secret", "variable_name", "variable_of", "why_not_to_be_set"]

LONGEST_KEY_V16: Final = 50
LONGEST_VALUE: Final = {OcppVersion.V16: 500, OcppVersion.V201: 1000}
SECRETS: Final = frozenset({"authorizationkey", "basicauthpassword"})

_VARIABLE: Final = re.compile(
    r"(?P<component>[^.@\[\]]{1,50})(?:@(?P<evse>[0-9]{1,9})(?:\.(?P<connector>[0-9]{1,9}))?)?"
    r"(?:\[(?P<component_instance>[^\[\]]{1,50})\])?"
    r"\.(?P<variable>[^.@\[\]]{1,50})(?:\[(?P<variable_instance>[^\[\]]{1,50})\])?"
)


def variable_name(data: Mapping[str, Any]) -> str:
    """The key of a ``component`` and its ``variable``, as 2.0.1's messages have them."""
    component, variable = data["component"], data["variable"]
    evse = component.get("evse")
    place = "" if evse is None else f"@{evse['id']}" + (f".{evse['connectorId']}" if "connectorId" in evse else "")
    return f"{component['name']}{place}{_instance(component)}.{variable['name']}{_instance(variable)}"


def variable_of(key: str) -> dict[str, Any] | None:
    """The ``component`` and ``variable`` that a key names; None where it names none."""
    found = _VARIABLE.fullmatch(key)
    if found is None:
        return None
    component: dict[str, Any] = {"name": found["component"]}
    if found["evse"] is not None:
        component["evse"] = {"id": int(found["evse"])}
        if found["connector"] is not None:
            component["evse"]["connectorId"] = int(found["connector"])
    variable: dict[str, Any] = {"name": found["variable"]}
    for part, instance in ((component, found["component_instance"]), (variable, found["variable_instance"])):
        if instance is not None:
            part["instance"] = instance
    return {"component": component, "variable": variable}


def is_secret(key: str) -> bool:
    """Whether a key, of either version and in whatever case, holds a password: nobody keeps it in the clear."""
    return key.rpartition(".")[2].partition("[")[0].strip().lower() in SECRETS


def why_not_to_be_set(key: str, value: str, version: OcppVersion | None) -> str | None:
    """Why no station of ``version`` (None: of any that there is) can be set a key to a value; None where it can."""
    if is_secret(key):
        return "is a password, which no configuration may hold: give the registration's own `password`"
    if version is None:
        reasons = [why_not_to_be_set(key, value, one) for one in LONGEST_VALUE]
        return None if None in reasons else " and ".join(reason for reason in reasons if reason is not None)
    longest = LONGEST_VALUE.get(version, LONGEST_VALUE[OcppVersion.V201])
    if len(value) > longest:
        return f"has a value of {len(value)} characters; OCPP {version.value} takes {longest}"
    if version is OcppVersion.V16:
        fits = 1 <= len(key) <= LONGEST_KEY_V16
        return None if fits else f"has {len(key)} characters; a key of OCPP 1.6 has 1 to {LONGEST_KEY_V16}"
    if variable_of(key) is None:
        return f"names no variable of OCPP {version.value}, as Component.Variable does: OCPPCommCtrlr.HeartbeatInterval"
    return None


def _instance(part: Mapping[str, Any]) -> str:
    return f"[{part['instance']}]" if "instance" in part else ""
