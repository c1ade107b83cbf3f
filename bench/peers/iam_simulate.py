"""@cloud-copilot/iam-simulate (TypeScript on Node.js), in a process of its own that takes orders by the line.

It is looked for in the folder of the environment variable BENCH_NODE, by default `.venv/node`.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.peers import Absent, Arm
from bench.workload import ACCOUNT, PRINCIPAL, Workload, iam_context, iam_policy

NAME, CONDITIONS = "iam-simulate", True

_SCRIPT = Path(__file__).with_suffix(".mjs")
_FOLDER = Path(os.environ.get("BENCH_NODE", Path(__file__).parents[2] / ".venv/node")).absolute()


class Simulator:
    """The Node.js process with one workload loaded."""

    def __init__(self, workload: Workload) -> None:
        node = shutil.which("node")
        if node is None:
            raise Absent("there is no node here")
        if not (_FOLDER / "node_modules/@cloud-copilot/iam-simulate").is_dir():
            raise Absent("npm has not installed it")
        self._process = subprocess.Popen(
            [node, _SCRIPT, _FOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        requests = [
            {"action": request.action, "resource": request.resource, "context": iam_context(request)} for request in workload.requests
        ]
        self._order({"policy": iam_policy(workload), "principal": PRINCIPAL, "account": ACCOUNT, "requests": requests})

    def answers(self, indices: Sequence[int]) -> list[bool]:
        """What it says; a request that it refuses is one that it does not allow."""
        return [answer == "Allowed" for answer in self._order({"answer": list(indices)})]

    def cost(self, indices: Sequence[int]) -> float:
        """CPU of all threads of the process."""
        return float(self._order({"time": list(indices)}))

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=20)

    def _order(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise Absent("its process has ended")
        return json.loads(line)


def writings(workload: Workload) -> Iterator[tuple[str, Arm]]:
    """The document as it is."""
    yield "document", Simulator(workload)
