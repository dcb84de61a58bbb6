"""Hypothesis runs the same examples every time here, and without a stop-watch: the machine may be busy."""

from hypothesis import settings

settings.register_profile("domain", deadline=None, derandomize=True)
settings.load_profile("domain")
