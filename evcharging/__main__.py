"""``python -m evcharging`` is the ``evcharging`` command."""

from __future__ import annotations

import sys

from evcharging.cli import main

sys.exit(main())
