"""What a station itself knows of idTags: the local authorization list it was sent, and a cache of answers it got.

The list goes before the cache. Both are empty dictionaries until something is in them. No disk, no clock.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from evcharging.domain.authorization import AuthStatus, IdTagInfo

MAX_LIST_LENGTH: Final = 10_000
MAX_SEND_LENGTH: Final = 1_000
MAX_CACHE_LENGTH: Final = 1_000


class ListUpdate(StrEnum):
    """How a list is sent."""

    FULL = "Full"
    DIFFERENTIAL = "Differential"


class ListOutcome(StrEnum):
    """The standard's answers to SendLocalList."""

    ACCEPTED = "Accepted"
    FAILED = "Failed"
    NOT_SUPPORTED = "NotSupported"
    VERSION_MISMATCH = "VersionMismatch"


class ListEntry(NamedTuple):
    """One entry of an update; without `info`, a differential one removes the idTag."""

    id_tag: str
    info: IdTagInfo | None


class LocalList(NamedTuple):
    """A local list as it was sent: never changed, only replaced. The entries are by idTag in lower case."""

    version: int
    entries: Mapping[str, IdTagInfo]


NO_LIST: Final = LocalList(0, {})


class StationAuthorization:
    """A station's local list and cache.

    Args:
        local_list: What it had before.
        list_enabled: LocalAuthListEnabled; changing it later keeps what is stored.
        cache_enabled: AuthorizationCacheEnabled.
        max_list_length: LocalAuthListMaxLength, entries in all.
        max_send_length: SendLocalListMaxLength, entries in one update.
        max_cache_length: Entries in the cache; the one used longest ago goes first.
    """

    __slots__ = (
        "_cache",
        "_local_list",
        "cache_enabled",
        "list_enabled",
        "max_cache_length",
        "max_list_length",
        "max_send_length",
    )

    def __init__(
        self,
        *,
        local_list: LocalList = NO_LIST,
        list_enabled: bool = True,
        cache_enabled: bool = True,
        max_list_length: int = MAX_LIST_LENGTH,
        max_send_length: int = MAX_SEND_LENGTH,
        max_cache_length: int = MAX_CACHE_LENGTH,
    ) -> None:
        self.list_enabled = list_enabled
        self.cache_enabled = cache_enabled
        self.max_list_length = max_list_length
        self.max_send_length = max_send_length
        self.max_cache_length = max_cache_length
        self._local_list = local_list
        self._cache: dict[str, IdTagInfo] = {}

    @property
    def list_version(self) -> int:
        """The answer to GetLocalListVersion: 0 for an empty list, -1 where lists are off (1.6)."""
        if not self.list_enabled:
            return -1
        return self._local_list.version if self._local_list.entries else 0

    @property
    def local_list(self) -> LocalList:
        """The list as it is kept; `NO_LIST` where it has no entries."""
        return self._local_list if self._local_list.entries else NO_LIST

    @property
    def entries(self) -> Mapping[str, IdTagInfo]:
        """The local list, by idTag in lower case."""
        return self._local_list.entries

    @property
    def cached(self) -> int:
        """How many idTags are in the cache."""
        return len(self._cache)

    def known(self, id_tag: str, now_s: float) -> IdTagInfo | None:
        """Return what the list, else the cache, says about an idTag at a time; None where neither knows it."""
        key = id_tag.lower()
        if self.list_enabled:
            listed = self._local_list.entries.get(key)
            if listed is not None:
                return listed.at(now_s)
        if not self.cache_enabled:
            return None
        cached = self._cache.pop(key, None)
        if cached is None:
            return None
        self._cache[key] = cached
        return cached.at(now_s)

    def remember(self, id_tag: str, info: IdTagInfo) -> None:
        """Keep an answer of the CSMS in the cache; idTags of the local list are not cached."""
        key = id_tag.lower()
        if not self.cache_enabled or (self.list_enabled and key in self._local_list.entries):
            return
        self._cache.pop(key, None)
        if info.status is AuthStatus.CONCURRENT_TX:
            return  # it tells of that moment, not of the idTag
        while len(self._cache) >= max(1, self.max_cache_length):
            del self._cache[next(iter(self._cache))]
        self._cache[key] = info

    def clear_cache(self) -> bool:
        """Empty the cache; False where there is none, which ClearCache answers with Rejected."""
        self._cache.clear()
        return self.cache_enabled

    def update_list(self, version: int, update: ListUpdate, entries: Sequence[ListEntry]) -> ListOutcome:
        """Do what SendLocalList asks and return its answer; unless that is Accepted, nothing has changed."""
        if not self.list_enabled:
            return ListOutcome.NOT_SUPPORTED
        keys = {entry.id_tag.lower() for entry in entries}
        if version <= 0 or len(entries) > self.max_send_length or len(keys) < len(entries):
            return ListOutcome.FAILED
        if update is ListUpdate.FULL:
            updated: dict[str, IdTagInfo] = {}
        elif version <= self.list_version:
            return ListOutcome.VERSION_MISMATCH
        else:
            updated = dict(self._local_list.entries)
        for entry in entries:
            if entry.info is not None:
                updated[entry.id_tag.lower()] = entry.info
            elif update is ListUpdate.FULL:
                return ListOutcome.FAILED
            else:
                updated.pop(entry.id_tag.lower(), None)
        if len(updated) > self.max_list_length:
            return ListOutcome.FAILED
        self._local_list = LocalList(version, updated)
        for key in keys:
            self._cache.pop(key, None)
        return ListOutcome.ACCEPTED
