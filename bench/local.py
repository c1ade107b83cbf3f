"""The cost of a decision in the caller's own process, beside the same question asked of the server.

One account with a role of ten statements, a client that may do everything, both ways interleaved in one run; the median of rounds.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sekisho.client.decisions import Question
from sekisho.client.local import LocalAuthorizer
from tests.inside import inside
from tests.services.iam.documents import trust

ROUNDS = 15
HERE, THERE = 2000, 100
STATEMENTS = ",".join(
    f'{{"Effect":"Allow","Action":"orders:Do{n}","Resource":"arn:aws:orders:::order/*","Condition":{{"StringEquals":{{"orders:Kind":"{n}"}}}}}}'
    for n in range(10)
)


def run() -> None:
    """Print microseconds a decision."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with inside(f"sqlite:///{folder / 'sekisho.db'}", folder) as place:
            call, account = place.house.call, place.house.account_id
            call("CreateUser", user_name="ann")
            document = f'{{"Version":"2012-10-17","Statement":[{STATEMENTS}]}}'
            arn = call("CreatePolicy", policy_name="ten", policy_document=document).policy.arn
            call("AttachUserPolicy", user_name="ann", policy_arn=arn)
            call("CreateRole", role_name="r", assume_role_policy_document=trust(f"arn:aws:iam::{account}:root"))
            call("AttachRolePolicy", role_name="r", policy_arn=arn)
            with place.client() as client, LocalAuthorizer(client) as authorizer:
                authorizer.wait_until_ready(60)
                plain: Question = {"action": "orders:Do7", "resource": "arn:aws:orders:::order/1", "context": {"orders:Kind": "7"}}
                questions: dict[str, Question] = {
                    "a user, allowed": {**plain, "principal": f"arn:aws:iam::{account}:user/ann"},
                    "a user, not allowed": {**plain, "action": "orders:No", "principal": f"arn:aws:iam::{account}:user/ann"},
                    "a role session": {**plain, "principal": f"arn:aws:sts::{account}:assumed-role/r/session"},
                    "the caller itself": plain,
                }
                print(f"{'':24} {'here, µs':>10} {'CPU, µs':>10} {'over the network, µs':>22}")
                for name_, question in questions.items():
                    assert authorizer.authorize(**question).decision_id.startswith("local-"), name_
                    figures = [
                        (*_cost(partial(authorizer.authorize, **question), HERE), _cost(partial(client.authorize, **question), THERE)[0])
                        for _ in range(ROUNDS)
                    ]
                    here, cpu, there = (statistics.median(column) for column in zip(*figures, strict=True))
                    print(f"{name_:24} {here:10.1f} {cpu:10.1f} {there:22.0f}")


def _cost(act: Callable[[], object], times: int) -> tuple[float, float]:
    """Microseconds a time, by the clock and of this thread's processor time."""
    began, spent = time.perf_counter(), time.thread_time()
    for _ in range(times):
        act()
    return (time.perf_counter() - began) / times * 1e6, (time.thread_time() - spent) / times * 1e6


if __name__ == "__main__":
    run()
