"""Give every test its own home, and save time that all tests would take."""

from __future__ import annotations

import gc
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Tests start Python hundreds of times. Without compiled modules on the disk, each start compiles all of gradtui anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The same examples each time, so that a failure is of the change at hand; HYPOTHESIS_PROFILE=explore finds new ones.
_slow_machine = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("repeatable", derandomize=True, max_examples=40, **_slow_machine)
settings.register_profile("explore", max_examples=400, **_slow_machine)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return twice the number of cores for `-n auto`: tests of screens and processes wait more than they compute."""
    return max(2, min(8, 2 * (os.cpu_count() or 1)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Spare the tests the search for garbage among what the modules made, and the parsing of the same styles."""
    gc.collect()
    gc.freeze()
    # The default of 700 objects is less than an app makes for one frame.
    gc.set_threshold(20_000, 10, 10)
    if "textual.css.stylesheet" in sys.modules:
        # Imported late, since most packages are tested without screens.
        from tests.support.parsed_styles import share_parsed_styles

        share_parsed_styles()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the paths of new homes, one after the other; few tests need one, so none is made."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set a fresh GRADTUI_HOME.

    It lies outside tmp_path, since pytest searches the folders of all earlier tests before it makes one more.
    """
    folder = next(homes)
    monkeypatch.setenv("GRADTUI_HOME", str(folder))
    return folder
