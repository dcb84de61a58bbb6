"""Which partition a key belongs to: murmur2 as in Kafka's own client, so that every producer agrees.

kcat agrees with ``-X partitioner=murmur2_random``.
"""

from __future__ import annotations

from functools import lru_cache

from aiokafka.partitioner import murmur2

__all__ = ["partition_for"]


def partition_for(key: bytes, partitions: int) -> int:
    """The partition of ``key`` among ``partitions``."""
    return _positive_hash(key) % partitions


@lru_cache(maxsize=65_536)
def _positive_hash(key: bytes) -> int:
    hashed: int = murmur2(key)
    return hashed & 0x7FFFFFFF
