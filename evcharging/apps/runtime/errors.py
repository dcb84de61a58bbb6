"""How a service process ends, arranged by what the reader of the exit code should do.

::

    ServiceError
    ├── UsageError   exit 2   settings or arguments are wrong, or a port asked for is taken: mend the command
    └── GaveUp       exit 1   it was tried for as long as was sensible: look at what it needs

Exit 0 is stopped on request or all done; 3 is for a threshold or assertion that failed; 130, as shells have it for
Ctrl-C, is for what another signal cut off before it was done.
"""

from __future__ import annotations

__all__ = [
    "EXIT_CUT_OFF",
    "EXIT_FAILED_CHECK",
    "EXIT_GAVE_UP",
    "EXIT_OK",
    "EXIT_USAGE",
    "GaveUp",
    "ServiceError",
    "UsageError",
]

EXIT_OK = 0
EXIT_GAVE_UP = 1
EXIT_USAGE = 2
EXIT_FAILED_CHECK = 3
EXIT_CUT_OFF = 130


class ServiceError(Exception):
    """Ends the process with ``exit_code`` and one line on standard error."""

    exit_code = EXIT_GAVE_UP


class UsageError(ServiceError):
    """Bad arguments or settings. The message says what is wrong and what would be right."""

    exit_code = EXIT_USAGE


class GaveUp(ServiceError):
    """Something the service cannot do without did not come, or went away for good."""

    exit_code = EXIT_GAVE_UP
