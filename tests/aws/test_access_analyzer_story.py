"""The page about Access Analyzer does what it says: its commands are run as they stand there, by AWS's own command."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.aws.conftest import serving
from tests.aws.forked import Program

PAGE = (Path(__file__).parents[2] / "docs" / "access-analyzer.md").read_text()
FILES = ("found.txt", "explained.txt", "archived.txt", "previewed.txt", "counted.txt", "inside.txt", "bounded.txt")
"""What the commands write, in the order in which the page shows it."""


def blocks(kind: str) -> list[str]:
    """The blocks of a kind, as they stand on the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, program: Program, postgres_server: postgres.Server) -> Iterator[Path]:
    """The folder in which all commands of the page were run; on PostgreSQL alone, for each operation has its tests on both."""
    folder = tmp_path_factory.mktemp("story")
    files = program.stand_in(folder)
    with postgres_server.database() as url, serving(folder, url) as served:
        environment = served.environment(
            HOME=str(folder),
            SEKISHO_ENDPOINT=served.grpc,
            PATH=f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin",
            AWS_EC2_METADATA_DISABLED="true",
            LC_ALL="C.UTF-8",
        )
        script = "set -euo pipefail\n" + "\n".join(blocks("sh"))
        command = ["bash", "-c", script]
        done = subprocess.run(
            command, cwd=folder, env=environment, pass_fds=files, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        yield folder


@pytest.mark.parametrize(("file", "place"), [(file, place) for place, file in enumerate(FILES)])
def test_what_the_commands_write_is_what_the_page_shows(told: Path, file: str, place: int) -> None:
    assert (told / file).read_text() == blocks("text")[place]
