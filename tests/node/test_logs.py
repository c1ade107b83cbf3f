"""How log lines look, which are there, and what a traceback does not show."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, sys, structlog
from sekisho.node import logs
logs.configure(*sys.argv[1:])
log = structlog.get_logger("ours")
for level in ("debug", "info", "warning", "error"):
    getattr(log, level)(f"{level}.of_ours", number=1)
    getattr(logging.getLogger("theirs"), level)(f"{level} of theirs")
def fail(hidden):
    raise ValueError("no")
try:
    fail("hunter" + str(2))
except ValueError:
    log.exception("failed.here")
"""


def said(*arguments: str) -> list[str]:
    """The lines that the program logs."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    assert "hunter2" not in done.stderr
    return done.stderr.splitlines()


def test_a_line_is_an_object() -> None:
    lines = [json.loads(line) for line in said()]
    assert [line["event"] for line in lines] == [
        "info.of_ours", "warning.of_ours", "warning of theirs", "error.of_ours", "error of theirs", "failed.here",
    ]  # fmt: skip
    assert {line["level"] for line in lines} == {"info", "warning", "error"}
    assert "ValueError: no" in lines[-1]["exception"]


def test_a_line_is_text() -> None:
    lines = said("text", "warning")
    assert lines[0].split()[1:] == ["[warning", "]", "warning.of_ours", "number=1"]
    assert lines[1].split()[1:] == ["[warning", "]", "warning", "of", "theirs"]
    assert "ValueError: no" in lines
    assert "\x1b" not in "".join(lines)  # no colours where nobody looks


@pytest.mark.parametrize(
    ("level", "ours", "theirs"),
    [("debug", 4, 2), ("info", 3, 2), ("warning", 2, 2), ("error", 1, 1)],
)
def test_libraries_are_heard_from_warnings_on_only(level: str, ours: int, theirs: int) -> None:
    lines = said("json", level)
    assert sum(".of_ours" in line for line in lines) == ours
    assert sum(" of theirs" in line for line in lines) == theirs


def test_a_line_that_cannot_be_written_ends_nothing() -> None:
    """Neither the thread that keeps memory new nor the one that empties the spool may end for a log whose disk is full."""
    with Path("/dev/full").open("w") as full:
        for form in ("json", "text"):
            program = f"{PROGRAM}\nprint('went on')"
            done = subprocess.run([sys.executable, "-c", program, form], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
            assert done.stdout == "went on\n"


def test_a_line_that_nobody_reads_ends_nothing() -> None:
    program = f"import sys\nsys.stdin.read()\n{PROGRAM}\nprint('went on')"
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    running.stderr.close()
    running.stderr = None
    assert running.communicate("", timeout=60)[0] == "went on\n"
