"""The page about organizations does what it says: its commands are run as they stand there."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import tree
from tests import postgres
from tests.aws.conftest import Served, serving
from tests.aws.forked import Program

PAGE = (Path(__file__).parents[2] / "docs" / "organizations.md").read_text()


def blocks(kind: str) -> list[str]:
    """The blocks of a kind, as they stand on the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, program: Program, postgres_server: postgres.Server) -> Iterator[Path]:
    """The folder in which all commands of the page were run; on PostgreSQL alone, for each operation has its tests on both."""
    folder = tmp_path_factory.mktemp("story")
    files = program.stand_in(folder)
    with postgres_server.database() as url, serving(folder, url) as served:
        script = "set -euo pipefail\n" + "\n".join(blocks("sh"))
        env = _environment(served, folder) | {"SEKISHO_DATA_DIR": str(folder / "data"), "SEKISHO_DATABASE": url}
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=env, pass_fds=files, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        yield folder


def _environment(served: Served, folder: Path) -> dict[str, str]:
    grpc = re.search(r'"grpc": "([^"]+)"', (folder / "data" / "endpoints.json").read_text())
    assert grpc is not None
    programs = str(Path(sys.executable).parent)
    return served.environment(
        HOME=str(folder),
        PATH=f"{folder}:{programs}:/usr/bin:/bin",
        SEKISHO_ENDPOINT=grpc[1],
        AWS_EC2_METADATA_DISABLED="true",
        LC_ALL="C.UTF-8",
    )


@pytest.mark.parametrize(("file", "sid"), [("printing.txt", "NoPrinting"), ("america.txt", "OnlyIreland")])
def test_a_denial_names_the_scp_and_the_statement(told: Path, file: str, sid: str) -> None:
    said = (told / file).read_text()
    assert "with an explicit deny in a service control policy" in said
    assert re.search(r"/service_control_policy/p-[a-z0-9]{10}", said)
    assert sid in said


@pytest.mark.parametrize("file", ["ireland.txt", "sandbox.txt", "moved.txt"])
def test_what_no_level_denies_is_allowed(told: Path, file: str) -> None:
    assert "explicit deny" not in (told / file).read_text()
    assert (told / file).read_text().startswith("✔ allowed ")


def test_the_tree_is_the_one_on_the_page(told: Path) -> None:
    drawn = re.sub(r"\b(o|r|ou)-[a-z0-9-]+", r"\1-…", (told / "tree.txt").read_text())
    assert re.sub(r"\b\d{12}\b", "…", drawn) == blocks("text")[0]


def test_the_picture_is_of_the_tree_on_the_page() -> None:
    """`python -m bench.tree` draws it anew."""
    assert tree.PICTURE.read_text() == tree.drawn(blocks("text")[0])


def test_a_denial_names_the_level_of_the_scp(told: Path) -> None:
    """The second, that of the unit: the root is the first, the account itself the third."""
    said = (told / "printing.txt").read_text()
    second = said[said.index(", level 2:") : said.index(", level 3:")]
    assert re.search(r"/service_control_policy/p-[a-z0-9]{10}", second), said
    assert "NoPrinting" in second


def test_all_of_it_is_in_the_trail(told: Path) -> None:
    assert (told / "done.txt").read_text() + (told / "decided.txt").read_text() == blocks("text")[1]
    move = json.loads((told / "move.json").read_text())
    accounts = dict(line.split() for line in (told / "accounts.txt").read_text().splitlines())
    assert (move["eventName"], move["readOnly"], move["requestParameters"]["accountId"]) == ("MoveAccount", False, accounts["Orders"])


def test_the_chain_verifies(told: Path) -> None:
    assert (told / "verified.txt").read_text().splitlines()[-1] == "nothing is wrong"
