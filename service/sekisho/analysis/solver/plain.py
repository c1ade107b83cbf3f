"""Policies that say plainly whom they let in: what `exposure.external` tells of them, without a search.

Plain is a document that denies nothing, whose statements name principals, and ask for conditions that a request meets by saying what stands
there. Whom a statement names is in the zone or is not, and nobody whom a policy names is the public. Access is told with a witness that the
evaluator confirms, as elsewhere; what is not confirmed, or not plain, is for the solver.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sekisho import arn, policy
from sekisho.analysis.solver import subjects, witnesses
from sekisho.analysis.solver.exposure import TRUSTED, Grant, Zone, shown
from sekisho.analysis.solver.questions import PolicyType, read
from sekisho.analysis.solver.witnesses import Witness
from sekisho.policy import Program, keys, operators
from sekisho.policy.principals import account_named
from sekisho.policy.rules import Rule

LONGEST = 16_384
"""Characters of a document that is looked at; a longer one takes a while to be read, which is for a process of its own."""
_STRANGERS = ("999988887777", "999988886666", "999988885555")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked about one document: of which resource, and beyond which accounts; a stranger's account stands nowhere in it."""

    program: Program
    resource: str
    accounts: frozenset[str]
    stranger: str


def external(document: str, resource: str, owner: str, zone: Zone) -> tuple[Grant, ...] | None:
    """What `exposure.external` answers; None where that takes the solver. MalformedPolicyDocument as there."""
    if len(document) > LONGEST or not resource:
        return None
    program = read(document, PolicyType.RESOURCE)
    accounts = zone.accounts | {owner}
    stranger = next((one for one in _STRANGERS if one not in document and one not in accounts), "")
    if not stranger or any(rule.deny or rule.statement.not_action for rule in program.rules):
        return None
    asked = _Asked(program, resource, accounts, stranger)
    found: list[Grant] = []
    for rule in program.rules:
        if rule.statement.principals is None:
            continue
        grants = _of_rule(asked, rule)
        if grants is None:
            return None
        found += grants
    return tuple(found)


def _of_rule(asked: _Asked, rule: Rule) -> list[Grant] | None:
    """What one statement grants; None where that does not show."""
    element = rule.statement.principals
    context = _context(rule)
    if element is None or rule.statement.not_principal or context is None:
        return None
    if element.everyone and any(one.tests for one in asked.program.rules):
        return None  # somebody may own what the conditions ask for
    found = []
    for entry, principals in _entries(rule, asked.stranger):
        (name,) = entry.values()
        if _account(name) in asked.accounts and entry.keys() == {"AWS"}:
            continue
        witness = next(filter(None, (_confirmed(asked, rule, principal, context) for principal in principals)), None)
        if witness is None:
            return None
        found.append(Grant(entry, rule.statement.actions, shown(rule), element.everyone, rule.statement.index, witness))
    return found


def _context(rule: Rule) -> dict[str, str] | None:
    """Keys that meet the conditions of a statement by what stands there; None where that does not show, or says who asks."""
    found: dict[str, str] = {}
    for key, condition, _ in rule.tests:
        form = operators.form(condition.operator)
        if form is None or form.row is None or form.row.negated or form.quantifier or form.type not in (operators.STRING, operators.BOOL):
            return None
        if not condition.values or key in found or key in TRUSTED or (keys.find(key) is not None and key not in _ANYBODYS):
            return None
        found[key] = condition.values[0].replace("*", "x").replace("?", "x")
    return found


_ANYBODYS = ("aws:securetransport", "aws:multifactorauthpresent")
"""Global keys that say nothing of who asks."""


def _account(name: str) -> str:
    """The account that a name is of; none of a unique id."""
    return account_named(name) or (name.split(":")[4] if name.count(":") > 4 else "")


def _entries(rule: Rule, stranger: str) -> Iterator[tuple[Mapping[str, str], list[policy.Principal]]]:
    """The principals that a statement names, as findings show them, with somebody who is meant."""
    element = rule.statement.principals
    assert element is not None
    if element.everyone:
        yield {"AWS": "*"}, [_user(f"arn:aws:iam::{stranger}:user/alice")]
        return
    for name in element.aws:
        yield {"AWS": name}, _named(name, stranger)
    for name in element.federated:
        yield {"Federated": name}, [policy.Principal("federated", name, "", provider=name)]
    for name in element.canonical:
        yield {"CanonicalUser": name}, [_user(f"arn:aws:iam::{stranger}:user/alice", canonical=name)]


def _user(name: str, *, unique_id: str = "", canonical: str = "") -> policy.Principal:
    return policy.Principal("user", name, arn.account_of(name), unique_id=unique_id, canonical=canonical)


def _named(name: str, stranger: str) -> list[policy.Principal]:
    """Principals whom a name may mean."""
    account = account_named(name)
    if account:
        partition = name.split(":")[1] if ":" in name else "aws"
        return [_user(f"arn:{partition}:iam::{account}:user/alice")]
    if ":" not in name:
        return [_user(f"arn:aws:iam::{stranger}:user/alice", unique_id=name)]
    partition, account, rest = name.split(":")[1], arn.account_of(name), name.split(":", 5)[5]
    if rest.startswith("user/"):
        return [_user(name)]
    if rest.startswith("federated-user/"):
        return [policy.Principal("federated-user", name, account)]
    role = name if rest.startswith("role/") else f"arn:{partition}:iam::{account}:role/{rest.split('/')[1]}"
    session = name if rest.startswith("assumed-role/") else f"arn:{partition}:sts::{account}:assumed-role/{rest.rpartition('/')[2]}/session"
    return [policy.Principal("assumed-role", session, account, role_arn=role)]


def _confirmed(asked: _Asked, rule: Rule, principal: policy.Principal, context: Mapping[str, str]) -> Witness | None:
    """A request of the principal that the statement grants, as the evaluator has it."""
    if not _is_known(principal):
        return None
    if principal.kind == "user":
        context = {**context, "aws:username": principal.arn.rpartition("/")[2]}
    pattern = rule.statement.actions[0]
    named = "s3:GetObject" if not pattern.strip("*:") else pattern.replace("*", "x").replace("?", "x")
    for resource in (asked.resource, f"{asked.resource}/x"):
        for action in (named, pattern.replace("*", "")):
            if action.count(":") != 1 or action.lower() == "sts:getcalleridentity":
                continue
            witness = Witness(principal, action, resource, context)
            if rule.statement.index in witnesses.granting(asked.program, witness, of_resource=True) and witnesses.is_granted(
                asked.program, witness, of_resource=True
            ):
                return witness
    return None


def _is_known(principal: policy.Principal) -> bool:
    """The principal is one that there can be, as the solver has it."""
    text = principal.entity_arn if principal.kind in ("assumed-role", "role") else principal.arn
    return subjects.SHAPE[principal.kind].has(text)
