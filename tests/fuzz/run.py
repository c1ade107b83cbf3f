"""Drive the targets with atheris: `python -m tests.fuzz.run --seconds 60 document arn`; all of them where none is named.

Each target runs in a process of its own, starting from its corpus. An input that breaks it stays in the folder of `--artifacts`;
it belongs into the corpus once it is mended. Atheris is installed for `make campaign` only.
"""

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
MAX_BYTES = 4096


def main() -> int:
    """Run each target in turn; 1 when one of them broke."""
    arguments = _arguments()
    if arguments.only:
        _fuzz(arguments.only, arguments.seconds, arguments.artifacts)
    broken = 0
    for name in arguments.targets or TARGETS:
        command = [sys.executable, "-m", "tests.fuzz.run", "--only", name, "--seconds", str(arguments.seconds)]
        outcome = subprocess.run([*command, "--artifacts", str(arguments.artifacts)], check=False)
        sys.stdout.write(f"{name}: {'broken' if outcome.returncode else 'sound'}\n")
        broken |= bool(outcome.returncode)
    return broken


def _fuzz(name: str, seconds: int, artifacts: Path) -> None:
    """Never returns: libFuzzer ends the process."""
    atheris = importlib.import_module("atheris")  # optional, see above

    atheris.instrument_all()
    artifacts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as found:
        flags = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_BYTES}",
            "-timeout=10",
            "-rss_limit_mb=2048",
            f"-artifact_prefix={artifacts}/{name}-",
        ]
        atheris.Setup([sys.argv[0], *flags, found, str(CORPUS / name)], TARGETS[name])
        atheris.Fuzz()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--artifacts", type=Path, default=Path(".data/fuzz"), help="where inputs that break a target are kept")
    parser.add_argument("--only", choices=list(TARGETS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"no target `{min(unknown)}`")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
