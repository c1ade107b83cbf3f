"""The new enemy at length: `python -m tests.memory.campaign --rounds 10000 [--database URL]`, on SQLite without one."""

import argparse
import tempfile
import time
from pathlib import Path

from tests.memory.test_new_enemy import stale_allows, together

STEP = 500


def main() -> int:
    """Print how many rounds there were and in which a revoked permission was given; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--database", default="", help="an empty database, migrated or not")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began, stale = time.monotonic(), list[int]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with together(given.database or f"sqlite:///{folder / 'sekisho.db'}", folder) as workers:
            for done in range(0, given.rounds, STEP):
                stale += [done + number for number in stale_allows(workers, min(STEP, given.rounds - done), given.seed + done)]
                print(f"{min(done + STEP, given.rounds)} rounds, {len(stale)} stale allows, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201  # a campaign says how far it is
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
