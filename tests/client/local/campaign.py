"""The local authorizer beside the server, at length: `python -m tests.client.local.campaign --questions 100000`."""

import argparse
import tempfile
import time
from pathlib import Path

from sekisho.client.local import LocalAuthorizer
from tests.client.local.account import Account
from tests.client.local.membership import Membership
from tests.client.local.test_agreement import compared
from tests.inside import inside

EACH = 50  # questions a change
STEP = 100  # changes between two lines


def main() -> int:
    """Compare, and print how far it is; a difference is an AssertionError that shows the question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--organization", action="store_true", help="of a member of an organization, in which all changes as well")
    given = parser.parse_args()
    began, here, elsewhere = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with inside(f"sqlite:///{folder / 'sekisho.db'}", folder) as place:
            account = (Membership if given.organization else Account)(place.house, given.seed)
            with (
                place.client(account.keys if isinstance(account, Membership) else None) as client,
                LocalAuthorizer(client, max_silence=600, patience=60) as authorizer,
            ):
                authorizer.wait_until_ready(60)
                while here + elsewhere < given.questions:
                    decided, asked = compared(account, client, authorizer, rounds=STEP, questions=EACH)
                    here, elsewhere = here + decided, elsewhere + asked
                    print(f"{here} decided here as there, {elsewhere} there, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201  # a campaign says how far it is
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
