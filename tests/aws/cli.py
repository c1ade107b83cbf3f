"""The `aws` command line, version 1 as it comes from PyPI, for tests that read as its documentation."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.aws.conftest import Served
from tests.aws.forked import Done, Installed, Program


@dataclass(frozen=True, slots=True)
class Aws:
    """Runs commands in a folder, where `file://policy.json` is found."""

    served: Served
    program: Program | Installed
    folder: Path

    def environment(self) -> dict[str, str]:
        """What the command is given: an address, keys, a region; and a home without settings."""
        return self.served.environment(HOME=str(self.folder), AWS_EC2_METADATA_DISABLED="true")

    def _run(self, command: str) -> Done:
        return self.program.run(command.split(), self.environment(), self.folder)

    def __call__(self, command: str) -> Any:
        """What the command prints, as JSON; None when it prints nothing."""
        done = self._run(command)
        assert done.code == 0, f"aws {command}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def error(self, command: str) -> str:
        """The code of the error that the command ends with."""
        done = self._run(command)
        assert done.code != 0, f"aws {command} did not fail"
        found = re.search(r"An error occurred \((\w+)\) when calling the (\w+) operation", done.stderr)
        assert found is not None, done.stderr
        return found[1]

    def as_caller(self, access_key_id: str, secret_access_key: str) -> "Aws":
        """The same with other keys."""
        return replace(self, served=replace(self.served, access_key_id=access_key_id, secret_access_key=secret_access_key))
