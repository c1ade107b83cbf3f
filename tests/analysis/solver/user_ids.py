"""Pairs of resources' policies about who asks by id, name and `aws:userid` alone, against everybody who can be told apart by them."""

from collections.abc import Iterator
from random import Random
from typing import Any

from sekisho import policy
from sekisho.analysis.solver import Answer, PolicyType, Witness, new_access
from tests.analysis.solver import callers, documents, pairs

OWN, OTHER = "111122223333", "444455556666"
IDS, NAMES = ("AROAEXAMPLEEXAMPLE234", "AROAOTHEROTHEROTHER23", "AIDAEXAMPLEEXAMPLE234", "AIDAOTHER"), ("bob", "alice", "b1")
_ROLES = ("app", "p/app", "other")
_NAMED = (
    *("*", OWN, f"arn:aws:iam::{OWN}:root", OTHER, *IDS[:3], f"arn:aws:iam::{OWN}:role/app", f"arn:aws:iam::{OWN}:user/ann"),
    *(f"arn:aws:sts::{OWN}:assumed-role/app/{name}" for name in NAMES),
    f"arn:aws:sts::{OWN}:federated-user/bob",
)
_VALUES = (
    *(*IDS, *(f"{id_}:*" for id_ in IDS[:2]), *(f"*:{name}" for name in NAMES), f"{IDS[0]}:bob", f"{IDS[0]}:b*", "*", "*:*", "A*", "AROA*"),
    *(OWN, OTHER, f"{OWN}:*", f"{OWN}:bob", "1*", "*:b", "*234*", "?*:b?b"),
)
_OPERATORS = ("StringEquals", "StringLike", "StringLike", "StringNotEquals", "StringNotLike", "StringEqualsIgnoreCase")
MILLISECONDS = 5_000


def pair(seed: int) -> pairs.Pair:
    """The pair of a seed."""
    rng = Random(f"user ids {seed}")
    existing, new = (documents.policy(*(_statement(rng, deny=i > 0) for i in range(rng.choice((1, 2, 2))))) for _ in range(2))
    return pairs.Pair(existing, new, PolicyType.RESOURCE)


def _statement(rng: Random, *, deny: bool) -> dict[str, Any]:
    deny = deny and rng.random() < 0.6
    element = "NotPrincipal" if deny and rng.random() < 0.3 else "Principal"
    made: dict[str, Any] = {"Effect": "Deny" if deny else "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}
    made[element] = {"AWS": rng.sample(_NAMED[1:] if rng.random() < 0.75 else _NAMED, rng.choice((1, 1, 2, 3)))}
    if rng.random() < 0.6:
        made["Condition"] = {rng.choice(_OPERATORS): {"aws:userid": rng.sample(_VALUES, rng.choice((1, 1, 2)))}}
    return made


def everybody() -> Iterator[Witness]:
    """Requests of all callers whom the policies can tell apart, each with its own `aws:userid`."""
    for account in (OWN, OTHER):
        yield _asks(policy.Principal("root", f"arn:aws:iam::{account}:root", account, unique_id=account))
        for name in ("bob", "kim"):
            yield _asks(policy.Principal("federated-user", f"arn:aws:sts::{account}:federated-user/{name}", account))
        for unique in (*IDS, "AXX"):
            yield from (
                _asks(policy.Principal("user", f"arn:aws:iam::{account}:user/{name}", account, "", unique)) for name in ("ann", "p/x")
            )
            for role in _ROLES:
                arn = f"arn:aws:iam::{account}:role/{role}"
                yield _asks(policy.Principal("role", arn, account, arn, unique))
                for name in (*NAMES, "somebody"):
                    own = f"arn:aws:sts::{account}:assumed-role/{role.rpartition('/')[2]}/{name}"
                    yield _asks(policy.Principal("assumed-role", own, account, arn, unique))


def _asks(principal: policy.Principal) -> Witness:
    context: dict[str, str | tuple[str, ...]] = {"aws:userid": callers.own(principal)}
    if principal.kind == "user":
        context["aws:username"] = principal.arn.rpartition("/")[2]
    return Witness(principal, "s3:GetObject", "arn:aws:s3:::bucket/f", context)


def difference(seed: int) -> str:
    """What is wrong with the answer to the pair of a seed, `""` for nothing."""
    made = pair(seed)
    verdict = new_access(made.existing, made.new, made.kind, milliseconds=MILLISECONDS)
    more = next((one for one in everybody() if pairs.grants_more(made, one)), None)
    if verdict.answer is Answer.NO and more is not None:
        return f"user ids {seed}: no more access, it says, but {more} is granted anew\n{made.existing}\n{made.new}"
    if verdict.witness is not None:
        asks = verdict.witness.principal
        if not pairs.oracle_says_more(made, verdict.witness):
            return f"user ids {seed}: the oracle does not see that {verdict.witness} is granted anew"
        if asks.account and verdict.witness.context.get("aws:userid", callers.own(asks)) != callers.own(asks):
            return f"user ids {seed}: nobody is {verdict.witness}"
    return ""
