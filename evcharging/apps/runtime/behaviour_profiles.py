"""The behaviour profiles there are: those that ship with the package, and a user's own folder over them.

A profile is one YAML file, named after it; a user's file of the same name takes the place of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType

from evcharging.domain.behaviour import BehaviourProfile, ProfileError, parse_profile

__all__ = ["load_profiles"]

_SUFFIXES = (".yaml", ".yml")


def load_profiles(directory: Path | str | None = None) -> Mapping[str, BehaviourProfile]:
    """Return every profile by name; look one up with `domain.behaviour.profile_named`.

    Args:
        directory: A user's folder of profiles, over those that ship.

    Raises:
        ProfileError: the folder or a file cannot be read, or a file is no profile; it names file, key and what was
            expected.
    """
    profiles = _read(resources.files(__package__).joinpath("profiles").iterdir())
    if directory is not None:
        folder = Path(directory)
        try:
            own = sorted(folder.iterdir())
        except OSError as error:
            raise ProfileError(str(folder), [f"expected a folder of profiles ({error.strerror})"]) from None
        profiles |= _read(own)
    return MappingProxyType(profiles)


def _read(files: Iterable[Traversable]) -> dict[str, BehaviourProfile]:
    profiles: dict[str, BehaviourProfile] = {}
    for file in files:
        stem, dot, suffix = file.name.rpartition(".")
        if f"{dot}{suffix}" not in _SUFFIXES:
            continue
        if stem in profiles:
            raise ProfileError(str(file), [f"a second file for the profile {stem!r}; keep one"])
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise ProfileError(str(file), [f"cannot be read ({error.strerror})"]) from None
        except UnicodeDecodeError:
            raise ProfileError(str(file), ["expected UTF-8 text"]) from None
        profiles[stem] = parse_profile(stem, text, source=str(file))
    return profiles
