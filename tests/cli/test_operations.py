"""The page on operations names commands and options that there are."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.command import sekisho

PAGE = (Path(__file__).parents[2] / "docs/operations.md").read_text()
BLOCKS = re.findall(r"```\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = [
    shlex.split(line.partition(" | ")[0])
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip().startswith("sekisho ")
]


def test_the_page_has_commands() -> None:
    assert [command[1] for command in COMMANDS] == ["serve", "db", "keys", "serve", "spool", *["keys"] * 9, "serve", "serve"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[1:3]))
def test_each_command_has_its_options(command: list[str]) -> None:
    names = [word for word in command[1:3] if not word.startswith("-")]
    if names[0] == "serve":
        names = names[:1]
    shown = sekisho(*names, "--help", env={"COLUMNS": "300"}).stdout
    options = [word for word in command if word.startswith("--")]
    assert options
    assert [option for option in options if f"{option} " not in shown] == []
