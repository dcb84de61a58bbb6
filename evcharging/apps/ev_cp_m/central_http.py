"""Central over HTTP: ``POST /cp/register`` and ``POST /cp/{cp_id}/health``."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from evcharging.apps.ev_cp_m.central import CentralAway, NotRegistered, Refused
from evcharging.messages.control import HealthReport, Registration

__all__ = ["HttpCentral"]

TRY_LATER = frozenset({408, 425, 429})
LONGEST_TOLD = 200


class HttpCentral:
    """`evcharging.apps.ev_cp_m.central.Central` over HTTP.

    Args:
        client: shared with the rest of the process.
        url: ``http://host:port``.
        token: sent as a bearer token where set.
        timeout_s: for a whole call.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, *, token: SecretStr | None, timeout_s: float) -> None:
        self._client = client
        self._url = url
        self._timeout_s = timeout_s
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token.get_secret_value()}"

    async def register(self, registration: Registration) -> bool:
        """See `evcharging.apps.ev_cp_m.central.Central.register`."""
        response = await self._post("/cp/register", registration.to_json())
        _raise_unless_taken(response)
        return response.status_code == httpx.codes.CREATED

    async def report(self, cp_id: str, report: HealthReport) -> None:
        """See `evcharging.apps.ev_cp_m.central.Central.report`."""
        response = await self._post(f"/cp/{quote(cp_id, safe='')}/health", report.to_json())
        if response.status_code == httpx.codes.NOT_FOUND:
            raise NotRegistered(f"Central does not know {cp_id}")
        _raise_unless_taken(response)

    async def _post(self, path: str, body: bytes) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._client.post(self._url + path, content=body, headers=self._headers)
        except TimeoutError:
            raise CentralAway(f"no answer from {self._url} within {self._timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise CentralAway(f"{self._url} cannot be reached ({str(error) or type(error).__name__})") from None


def _raise_unless_taken(response: httpx.Response) -> None:
    if response.is_success:
        return
    told = f"{response.request.method} {response.request.url.path} answered {response.status_code}: {_why(response)}"
    if response.is_server_error or response.status_code in TRY_LATER:
        raise CentralAway(told)
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise Refused(f"{told}; set --api-token (CENTRAL_API_TOKEN) to the token Central was started with")
    raise Refused(told)


def _why(response: httpx.Response) -> str:
    try:
        problem = response.json()
        why = problem.get("detail") or problem.get("title")
    except (ValueError, AttributeError):
        why = None
    return str(why or response.reason_phrase)[:LONGEST_TOLD]
