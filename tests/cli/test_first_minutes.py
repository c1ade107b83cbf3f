"""The first ten minutes of a newcomer: every command that the README prints, in its order, with the output that it prints."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.command import environment

ROOT = Path(__file__).parents[2]
MOST = 21
_PROGRAMS = ("sekisho", "export", "make", "cp", "sed", "aws", "grpcurl", "pip")
_ACCOUNT = re.compile(r"\b\d{12}\b")


@dataclass(slots=True)
class Command:
    """A command of the README, in which language it is, and the lines that the README says it prints."""

    text: str
    language: str = "sh"
    printed: list[str] = field(default_factory=list)


def commands(readme: str) -> list[Command]:
    """What stands in the blocks of the README, indented or fenced; lines that go on are joined."""
    found: list[Command] = []
    fence = None
    for line in readme.replace("\\\n", "").splitlines():
        if line.startswith("```"):
            fence = line.removeprefix("```") if fence is None else None
            if fence == "python":
                found.append(Command("", "python"))
        elif fence == "python":
            found[-1].text += line + "\n"
            if line.strip().startswith("# "):
                found[-1].printed.append(line.strip().removeprefix("# "))
        elif fence is not None or line.startswith("    "):
            text = line.strip().partition("  # ")[0].strip()
            if text.startswith(_PROGRAMS):
                found.append(Command(text))
            elif text:
                found[-1].printed.append(text)
    return found


def script(asked: list[Command]) -> str:
    """The commands as one program for the shell, with a mark and the exit code after each."""
    lines = []
    for number, command in enumerate(asked):
        text = command.text
        if command.language == "python":
            text = f"python - <<'END'\n{text}END"
        if text.startswith("grpcurl"):  # which is not here: its token is made, and that is what is ours
            text = text.partition("$(")[2].partition(")")[0]
        lines.append(f'{text}\necho "@@{number} $?"')
    return "\n".join(lines) + "\n"


@contextmanager
def served(checkout: Path) -> Iterator[dict[str, str]]:
    """`make run` in a checkout, whose environment is there already; where it listens."""
    recipe = re.search(r"^run:.*\n\t@exec (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    assert recipe[1] == "$(BIN)/sekisho serve --data-dir $(DATA_DIR) $(ARGS)"
    line = [sys.executable, "-m", "sekisho.cli", "serve", "--data-dir", ".data", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]
    with subprocess.Popen(line, cwd=checkout, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Sekisho serves.\n"
        try:
            endpoints: dict[str, str] = json.loads((checkout / ".data/endpoints.json").read_text())
            yield endpoints
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def test_the_readme_word_by_word(tmp_path: Path) -> None:
    checkout = tmp_path / "sekisho"
    shutil.copytree(ROOT / "docs/examples", checkout / "docs/examples")
    (checkout / ".venv").symlink_to(sys.prefix)
    asked = commands((ROOT / "README.md").read_text())
    assert len([command for command in asked if command.text not in ("make test", "make demo")]) < MOST
    assert asked[0].text.startswith("make run")
    asked = [command for command in asked if not command.text.startswith("make ")]
    with served(checkout) as endpoints:
        text = script(asked).replace("127.0.0.1:50051", endpoints["grpc"]).replace("127.0.0.1:8080", endpoints["http"])
        env = environment(HOME=str(tmp_path), PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        done = subprocess.run(["bash", "-c", text], cwd=checkout, env=env, capture_output=True, text=True, check=False)
    parts = re.split(r"@@\d+ (\d+)\n", done.stdout)
    outputs, codes = parts[:-1:2], [int(code) for code in parts[1::2]]
    assert len(codes) == len(asked), done.stderr
    for command, output, code in zip(asked, outputs, codes, strict=True):
        expected = 3 if any(line.startswith("✘") for line in command.printed) else 0
        expected = 1 if any(line.endswith(": grants more") for line in command.printed) else expected
        assert code == expected, (command.text, output, done.stderr)
        said = [_ACCOUNT.sub("ACCOUNT", line.strip()) for line in output.splitlines()]
        missing = [line for line in command.printed if _ACCOUNT.sub("ACCOUNT", line) not in said]
        assert missing == [], (command.text, output)
    told = dict(zip((command.text for command in asked), outputs, strict=True))
    assert told["sekisho load my-shop --dry-run"].startswith("change    policy refund-orders\n")
    assert "Traceback" not in done.stderr
    assert any("sekisho token" in command.text for command in asked)
