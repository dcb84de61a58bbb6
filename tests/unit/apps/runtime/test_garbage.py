from __future__ import annotations

import gc

from evcharging.apps.runtime.garbage import collected_seldom


def test_garbage_is_looked_for_seldom_inside_the_block_alone() -> None:
    before = gc.get_threshold()
    with collected_seldom():
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
