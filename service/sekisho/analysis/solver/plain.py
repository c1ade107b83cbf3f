"""Policies that say plainly whom they let in: what `exposure.external` tells of them, without a search.

Plain is a document that denies nothing, whose statements name principals or let everybody in, under conditions that a request meets by
saying what stands there. Whom a statement names is in the zone or is not, and nobody whom a policy names is the public; nor is who has to
come with a fixed value that somebody owns. Access is told with a witness that the evaluator confirms, as elsewhere; what is not confirmed,
or not plain, is for the solver.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sekisho import arn, policy
from sekisho.analysis import conditions
from sekisho.analysis.solver import subjects, witnesses
from sekisho.analysis.solver.exposure import OF_ACCOUNTS, OF_ORGANIZATIONS, TRUSTED, Control, Grant, Zone, is_owned
from sekisho.analysis.solver.questions import PolicyType, read
from sekisho.analysis.solver.witnesses import Witness
from sekisho.policy import Condition, Program, keys, operators
from sekisho.policy.principals import account_named
from sekisho.policy.rules import Rule

LONGEST = 16_384
"""Characters of a document that is looked at; a longer one takes a while to be read, which is for a process of its own."""
_STRANGERS = ("999988887777", "999988886666", "999988885555")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked about one document: of which resource, and beyond which zone; a stranger's account stands nowhere in it."""

    program: Program
    resource: str
    zone: Zone
    stranger: str


def external(document: str, resource: str, owner: str, zone: Zone, control: Control | None = None) -> tuple[Grant, ...] | None:
    """What `exposure.external` answers; None where that takes the solver. MalformedPolicyDocument as there."""
    if len(document) > LONGEST or "${" in document or not resource or (control is not None and control.documents):
        return None
    program = read(document, PolicyType.RESOURCE)
    accounts = zone.accounts | {owner}
    stranger = next((one for one in _STRANGERS if one not in document and one not in accounts), "")
    if not stranger or any(rule.deny or rule.statement.not_action for rule in program.rules):
        return None
    asked = _Asked(program, resource, Zone(accounts, zone.organization_id, zone.paths), stranger)
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
    if element is None or rule.statement.not_principal:
        return None
    if any(_asks_for_insiders(condition, asked.zone) for condition in rule.statement.conditions):
        return []
    context, is_public = _context(rule, asked.zone), _is_public(asked.program, rule) if element.everyone else False
    if context is None or is_public is None:
        return None
    found = []
    for entry, principals in _entries(rule, asked.stranger):
        (name,) = entry.values()
        if _account(name) in asked.zone.accounts and entry.keys() == {"AWS"}:
            continue
        witness = next(filter(None, (_confirmed(asked, rule, principal, context) for principal in principals)), None)
        if witness is None:
            return None
        written = rule.statement.conditions
        found.append(
            Grant(
                entry,
                rule.statement.actions,
                conditions.shown(written),
                is_public,
                rule.statement.index,
                witness,
                conditions.operators(written),
            )
        )
    return found


def _asks_for_insiders(condition: Condition, zone: Zone) -> bool:
    """Whether only requests from the zone meet the condition, by what they say of the account or organization behind them."""
    form, key = operators.form(condition.operator), condition.key.lower()
    exact = form is not None and form.is_plain and form.name == "StringEquals" and bool(condition.values)
    return exact and (
        (key in OF_ACCOUNTS and all(value in zone.accounts for value in condition.values))
        or (key in OF_ORGANIZATIONS and zone.organization_id != "" and set(condition.values) == {zone.organization_id})
    )


def _is_public(program: Program, rule: Rule) -> bool | None:
    """Whether a statement for everybody is for the public; None where that does not show."""
    if any(is_owned(key, condition) for key, condition, _ in rule.tests):
        return False
    return None if any(keys.find(key) is not None or key in TRUSTED for one in program.rules for key in one.keys) else True


def _context(rule: Rule, zone: Zone) -> dict[str, str] | None:
    """Keys that meet the conditions of a statement by what stands there; None where that does not show, or says who asks."""
    found: dict[str, str] = {}
    for key, condition, _ in rule.tests:
        form = operators.form(condition.operator)
        if form is None or not form.is_plain or form.type not in (operators.STRING, operators.BOOL, operators.IP) or key in found:
            return None
        if not condition.values or (key not in _ANYBODYS and (keys.find(key) is not None or key in TRUSTED)):
            return None
        value = condition.values[0].replace("*", "x").replace("?", "x")
        found[key] = value.partition("/")[0] if form.type is operators.IP else value
        if key in OF_ACCOUNTS | OF_ORGANIZATIONS and (value in zone.accounts or value == zone.organization_id):
            return None
    return found


_ANYBODYS = OF_ACCOUNTS | OF_ORGANIZATIONS | {"aws:securetransport", "aws:multifactorauthpresent", "aws:sourceip", "aws:vpcsourceip"}
"""Keys of one value that do not follow from the principal."""


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
    if not _is_known(principal) or (principal.kind == "federated" and "aws:principalorgid" in context):
        return None  # nobody is so, or none of an organization
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
    if principal.unique_id and not subjects.USER_IDS["user"].has(principal.unique_id):
        return False
    if principal.kind != "assumed-role":
        return subjects.SHAPE[principal.kind].has(principal.arn)
    parts = principal.arn.split("/")
    return len(parts) == 3 and arn.is_session_name(parts[2]) and subjects.SHAPE[principal.kind].has(principal.entity_arn)
