"""All that can be measured: each module here is one topic, found by being here."""

import importlib
import pkgutil
from typing import cast

from benchmarks.rows import Topic


def topics() -> dict[str, Topic]:
    """The topics by name, in the page's order."""
    names = [found.name for found in pkgutil.iter_modules(__path__)]
    found = {name: cast("Topic", importlib.import_module(f"{__name__}.{name}")) for name in names}
    return dict(sorted(found.items(), key=lambda each: (each[1].PLACE, each[0])))
