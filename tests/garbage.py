"""Python's garbage collector in a process of tests: what is loaded and collected before the first test is never looked at again.

Fourteen thousand tests and the modules that they need are millions of objects that stay until the end. Looking through them time and again
took half of the time in which tests are collected, and its share of that in which they run.
"""

import gc

import pytest


def pause() -> None:
    """Collect nothing until the tests are known."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Set aside all that there is, garbage and all, and collect as always from here on."""
    gc.freeze()
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    """Leave the collector as it was for whoever called pytest, after pytest has looked for the last time through what the tests left."""
    config.add_cleanup(gc.enable)
    config.add_cleanup(gc.unfreeze)
