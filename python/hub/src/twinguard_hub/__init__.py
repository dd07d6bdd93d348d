"""Finds the ``twinguard-hub`` program that this package installed."""

import sysconfig
from importlib import metadata
from pathlib import Path

__all__ = ["find_twinguard_hub"]


def find_twinguard_hub() -> str:
    """Return the absolute path of the ``twinguard-hub`` program.

    Raises FileNotFoundError, naming the places looked at, if it is in none of them.
    """
    name = "twinguard-hub" + (sysconfig.get_config_var("EXE") or "")
    # pip install --target puts programs into bin/ beside the package, and records another place.
    places = [Path(__file__).resolve().parent.parent / "bin" / name, *_recorded(name)]
    for place in places:
        if place.is_file():
            return str(place.resolve())
    raise FileNotFoundError(f"{name} is none of {', '.join(map(str, places))}")


def _recorded(name: str) -> list[Path]:
    """Where the installer says that it put the program: right for each scheme and prefix."""
    try:
        files = metadata.files("twinguard-hub") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files if file.name == name]
