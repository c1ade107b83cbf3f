"""What a search across accounts keeps."""

import json
from collections.abc import Sequence

from sekisho import policy, world
from sekisho.analysis.escalation import Estate, across
from tests.analysis.escalation.worlds import EVERYTHING, NOW, Document, allow, attached, document

USERS, ROLES = "000000000001", "000000000002"
EVERYBODY = document({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})


def _estate(account: str, kind: str, count: int, said: Document, trust: policy.Attached | None = None) -> Estate:
    principals = [_principal(account, kind, str(number), (attached(document(said), "own"),), trust) for number in range(count)]
    records: dict[str, world.Record] = {account: world.AccountRecord(account, "ACTIVE")}
    records |= {one.id: one for one in principals}
    return Estate(account, tuple(principals), {}, (), records.get, NOW, frozenset(), {}, frozenset())


def _principal(
    account: str, kind: str, name: str, inline: Sequence[policy.Attached], trust: policy.Attached | None
) -> world.PrincipalRecord:
    arn = f"arn:aws:iam::{account}:{kind}/{name}"
    return world.PrincipalRecord(id=arn, account_id=account, kind=kind, name=name, arn=arn, inline=tuple(inline), trust=trust)


def test_who_assumes_many_roles_is_not_kept_for_each() -> None:
    """Whoever has an account of many users and one of many roles that everybody may assume would have their product kept."""
    trust = policy.Attached(policy.compiled(json.dumps(EVERYBODY)), name="AssumeRolePolicyDocument")
    many = _estate(USERS, "user", 40, allow("sts:AssumeRole")), _estate(ROLES, "role", 30, EVERYTHING, trust)
    search = across._Across(many, None, {}, lambda: None)
    found, cut = search.into(many[1], search.inside(many[1]))
    assert (len(found), cut) == (40, False)
    assert len(search._between._entries) == 30, "one for each role: all users are alike"
