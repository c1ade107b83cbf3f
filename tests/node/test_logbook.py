"""The decision log of a running server: all workers in one file, which can be moved away while they serve."""

import json
import signal
from pathlib import Path

from tests.node.collector import until
from tests.node.test_metrics import ask
from tests.served import PROGRAM, serving


def resources(path: Path) -> list[str]:
    """The resources that were asked about, by the lines of a log."""
    return [json.loads(line)["resource"] for line in path.read_text().splitlines()] if path.exists() else []


def test_workers_append_to_one_file_and_open_it_anew_when_told(tmp_path: Path) -> None:
    path, moved = tmp_path / "decisions", tmp_path / "decisions.1"
    program = PROGRAM.replace("argv[3])))", f"argv[3]), decision_log={str(path)!r}))")
    with serving(f"sqlite:///{tmp_path / 'sekisho.db'}", tmp_path, workers=2, program=program) as served:
        ask(served, 12, action="orders:Ship", resource="before")
        until(lambda: resources(path) == ["before"] * 12, "not all decisions were logged")
        path.rename(moved)
        served.process.send_signal(signal.SIGHUP)

        def asked_anew() -> bool:
            ask(served, 1, action="orders:Ship", resource="after")
            return resources(path)[-8:] == ["after"] * 8

        until(asked_anew, "the file was not opened anew")
        assert set(resources(moved)) <= {"before", "after"}
        assert served.stop() == 0
    assert resources(path)[-1] == "after"
