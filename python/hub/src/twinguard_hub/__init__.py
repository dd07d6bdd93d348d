"""Finds the ``twinguard-hub`` program that this package installed."""

import os
import sysconfig

__all__ = ["find_twinguard_hub"]


def find_twinguard_hub() -> str:
    """Return the absolute path of the ``twinguard-hub`` program.

    Raises FileNotFoundError, naming the places looked at, if it is in none of them.
    """
    name = "twinguard-hub" + (sysconfig.get_config_var("EXE") or "")
    user = sysconfig.get_path("scripts", scheme=f"{os.name}_user")
    # pip install --target puts programs into bin/ beside the package.
    target = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bin")
    places = [sysconfig.get_path("scripts"), user, target]
    for place in places:
        path = os.path.join(place, name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"{name} is not in {', '.join(places)}")
