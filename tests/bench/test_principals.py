"""The world of the benchmark of sizes: what COPY wrote is what operations would have written, and its questions have their answers."""

from pathlib import Path

from sqlalchemy import func, select

from bench import principals
from sekisho.api.authorize.v1 import decisions_pb2 as pb
from sekisho.store.tables import Entity, EntityCount
from tests import harness


def test_a_world_grows_and_everybody_in_it_is_allowed_what_the_question_says(postgres_url: str, tmp_path: Path) -> None:
    with harness.house(postgres_url, tmp_path) as house:
        world = []
        for numbers in (range(1), range(1, 3)):
            added = principals.accounts(numbers, principals=25, policies=7)
            principals.write(postgres_url, house.node.ring, added)
            world += added
        assert [account.id for account in world] == ["100000000000", "100000000001", "100000000002"]
        assert world[2].arn(18) == "arn:aws:iam::100000000002:user/p18"
        assert world[2].arn(19) == "arn:aws:iam::100000000002:role/p19"
        for account in world:
            for number in (0, 18, 19, 24):
                question = account.question(number)
                assert house.call("Authorize", _as=account.gate, **question).outcome == pb.OUTCOME_ALLOWED
                question["resource"] = question["resource"].replace(account.id, "another")
                assert house.call("Authorize", _as=account.gate, **question).outcome == pb.OUTCOME_IMPLICITLY_DENIED
        with house.node.database.read() as session:
            counted = select(EntityCount.kind, EntityCount.held).where(EntityCount.account_id == world[1].id)
            held = {kind: many for kind, many in session.execute(counted)}  # noqa: C416  # a Row is no tuple to mypy
            ids = session.scalar(select(func.count(Entity.id.distinct())))
        assert held == {"root": 1, "user": 25, "role": 1, "group": 10, "policy": 7}
        assert ids == 3 * 44 + 1
        house.call("CreateUser", _as=None, user_name="one-more")  # the triggers count again
        assert house.call("GetAccountSummary").summary_map["Users"] == 1
