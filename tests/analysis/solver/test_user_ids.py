"""`aws:userid` is its principal's: a request that only somebody could make who cannot be shows nothing."""

from collections.abc import Iterable
from typing import Any

import pytest

from sekisho.analysis.solver import Answer, PolicyType, external, languages, new_access, subjects
from sekisho.analysis.solver.exposure import Zone
from sekisho.analysis.solver.formulas import Formula, every, within
from tests.analysis.solver import pairs, user_ids
from tests.analysis.solver.documents import allow, deny, policy, to

OWN = "111122223333"
ROLE_ID, OTHER_ID, USER_ID = "AROAEXAMPLEEXAMPLE234", "AROAOTHEROTHEROTHER23", "AIDAEXAMPLEEXAMPLE234"
ROLE, BOB = f"arn:aws:iam::{OWN}:role/app", f"arn:aws:sts::{OWN}:assumed-role/app/bob"
USER, ROOT = f"arn:aws:iam::{OWN}:user/ann", f"arn:aws:iam::{OWN}:root"
KIM = f"arn:aws:sts::{OWN}:federated-user/kim"
NOBODY = [to({"Service": "nobody.example.com"}, "a:b")]
YES, NO = Answer.YES, Answer.NO


def who(*values: str, operator: str = "StringLike") -> dict[str, Any]:
    return {operator: {"aws:userid": list(values)}}


OF_AWS = {"ArnLike": {"aws:PrincipalArn": "arn:aws:*:*:*:*"}}
KEPT_OUT = deny(Principal="*", condition=who(f"{ROLE_ID}:*", OWN, operator="StringNotLike"))
ANYBODY = to("*", condition=who(f"{ROLE_ID}:*", USER_ID))
CASES: dict[str, tuple[Answer, list[dict[str, Any]], list[dict[str, Any]]]] = {
    "bob as alice": (NO, NOBODY, [to({"AWS": BOB}, condition=who("*:alice"))]),
    "bob as bob": (YES, NOBODY, [to({"AWS": BOB}, condition=who("*:b?b"))]),
    "a user by another id": (NO, NOBODY, [to({"AWS": USER_ID}, condition=who("AIDAOTHER*"))]),
    "a user by the id": (YES, NOBODY, [to({"AWS": USER_ID}, condition=who("AIDA*"))]),
    "a role by another id": (NO, NOBODY, [to({"AWS": ROLE_ID}, condition=who(f"{OTHER_ID}:*"))]),
    "a session of a role by the id": (YES, NOBODY, [to({"AWS": ROLE_ID}, condition=who(f"{ROLE_ID}:alice"))]),
    "a user with a session": (NO, NOBODY, [to({"AWS": USER}, condition=who("*:*"))]),
    "a role without a name": (NO, NOBODY, [to({"AWS": ROLE}, condition=who("*:b"))]),
    "a name of 65 characters": (Answer.UNKNOWN, NOBODY, [to({"AWS": ROLE}, condition=who(f"*:{'x' * 65}"))]),
    "a name of 64": (YES, NOBODY, [to({"AWS": ROLE}, condition=who(f"*:{'x' * 64}"))]),
    "the sessions of an id and those of the role that has it": (NO, [to({"AWS": ROLE_ID})], [to("*", condition=who(f"{ROLE_ID}:*"))]),
    "the id of a user": (NO, [to({"AWS": USER_ID})], [to("*", condition=who(USER_ID))]),
    "the ids of a user and a role": (NO, [to({"AWS": [ROLE_ID, USER_ID]})], [ANYBODY]),
    "one of the two": (YES, [to({"AWS": ROLE_ID})], [ANYBODY]),
    "the root user by the account": (NO, [to({"AWS": OWN})], [to("*", condition=who(OWN))]),
    "the root user of another account": (YES, [to({"AWS": OWN})], [to("*", condition=who("444455556666"))]),
    "a federated user": (NO, [to({"AWS": KIM})], [to("*", condition=who(f"{OWN}:kim") | OF_AWS)]),
    "another federated user": (YES, [to({"AWS": KIM})], [to("*", condition=who(f"{OWN}:k*"))]),
    "federated users by the account": (NO, [to({"AWS": OWN})], [to("*", condition=who(f"{OWN}:*"))]),
    "whoever is denied by the id": (
        NO,
        [to({"AWS": [ROLE_ID, ROOT]})],
        [to({"AWS": [ROLE_ID, ROOT]}), to("*", condition=who("*:bob")), KEPT_OUT],
    ),
    "a NotPrincipal that spares a session": (
        NO,
        [to({"AWS": ROLE})],
        [to({"AWS": ROLE}), {**deny(condition=who("*:alice")), "NotPrincipal": {"AWS": [BOB, ROLE, OWN]}}],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_of_a_resource(name: str) -> None:
    expected, existing, new = CASES[name]
    verdict = new_access(policy(*existing), policy(*new), PolicyType.RESOURCE, milliseconds=20_000)
    assert verdict.answer is expected, verdict
    if verdict.witness is not None:
        assert pairs.oracle_says_more(pairs.Pair(policy(*existing), policy(*new), PolicyType.RESOURCE), verdict.witness)
        said, asks = verdict.witness.context.get("aws:userid"), verdict.witness.principal
        name = asks.arn.rpartition("/")[2]
        own = {"assumed-role": f"{asks.unique_id}:{name}", "root": asks.account, "federated-user": f"{asks.account}:{name}"}
        assert said in (None, own.get(asks.kind, asks.unique_id))


OF_IDENTITY: dict[str, tuple[Answer, list[dict[str, Any]], list[dict[str, Any]]]] = {
    "an account is nobody's id": (NO, [allow("a:b")], [allow("a:b"), allow(condition=who(OWN))]),
    "any session and any user": (NO, [allow(condition=who("*"))], [allow(condition=who("*:*"))]),
    "a home of one's own": (YES, [allow(resource="arn:aws:s3:::x")], [allow(resource="arn:aws:s3:::home/${aws:userid}")]),
    "no type but these": (NO, [allow("a:b")], [allow("a:b"), allow(condition={"StringEquals": {"aws:PrincipalType": "Account"}})]),
}


@pytest.mark.parametrize("name", OF_IDENTITY)
def test_of_an_identity(name: str) -> None:
    expected, existing, new = OF_IDENTITY[name]
    assert new_access(policy(*existing), policy(*new), PolicyType.IDENTITY, milliseconds=20_000).answer is expected


def test_beyond_a_zone() -> None:
    zone = Zone(frozenset((OWN,)))
    theirs = BOB.replace(OWN, "444455556666")
    as_alice, as_bob = (policy(to({"AWS": theirs}, condition=who(f"*:{name}"))) for name in ("alice", "bob"))
    assert external(as_alice, "arn:aws:s3:::bucket", OWN, zone, milliseconds=20_000) == ()
    (grant,) = external(as_bob, "arn:aws:s3:::bucket", OWN, zone, milliseconds=20_000)
    assert grant.witness is not None
    assert grant.witness.principal.arn == theirs


def test_the_verdict_agrees_with_everybody() -> None:
    assert [wrong for seed in range(150) if (wrong := user_ids.difference(seed))] == []


def test_that_an_id_means_no_sessions_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_ids(names: Iterable[str]) -> Formula:
        ids = languages.literals(name for name in names if ":" not in name)
        return every((subjects.of_kinds(("user", "role")), within(subjects.USER_ID, ids)))

    assert user_ids.difference(53) == ""
    monkeypatch.setattr(subjects, "_of_ids", of_ids)
    assert "no more access, it says" in user_ids.difference(53)
