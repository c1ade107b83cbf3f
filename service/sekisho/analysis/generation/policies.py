"""A policy of exactly what was used: each action on each resource on which it was allowed. Pure.

    an action                          as it was spelled; of several spellings the first in order
    a resource that is an ARN          that ARN, with `${*}`, `${?}` and `${$}` for characters that a pattern would read
    a resource that is none, or an
    action that takes no resource      `*`
    with `generalize`                  several resources of one collection, such as `…:order/17` and `…:order/18`, become `…:order/*`
    with `parameters`                  `${Account}` and `${Region}` stand where the ARN has the account and the region of the use

A statement has the actions that were used on the same resources, so nothing in it was put together that was not used together. A policy
with parameters is a template, as AWS's generated policies are: `filled` makes a policy of it.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_generate-policy.html
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

ACCOUNT, REGION = "${Account}", "${Region}"

NOTHING = {"Sid": "NothingWasUsed", "Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
"""The statement of a policy that permits nothing: a document must have one, and what this allows needs no permission.
Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""

_READ_BY_PATTERNS = re.compile(r"[*?]|\$(?=\{)")


@dataclass(frozen=True, slots=True)
class Used:
    """An action on a resource that was allowed. `account` and `region` are those of the resource or, where it has none, of the use."""

    action: str
    resource: str
    account: str
    region: str
    times: int


def generate(used: Iterable[Used], definitions: Mapping[str, Any], *, generalize: bool = False, parameters: bool = False) -> str:
    """The document of a policy that allows what was used. `definitions` are services' by the prefix of their actions: of an action that is
    known to take no resource, the resource is `*`.
    """
    spelled: dict[str, str] = {}
    places: dict[str, set[str]] = defaultdict(set)
    for one in used:
        key = one.action.lower()
        spelled[key] = min(spelled.get(key, one.action), one.action)
        places[key].add("*" if _takes_no_resource(key, definitions) else _pattern(one, parameters=parameters))
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, patterns in places.items():
        kept = {"*"} if "*" in patterns else _collected(patterns) if generalize else patterns
        alike[tuple(sorted(kept))].append(spelled[key])
    statements = [_statement(sorted(actions), patterns) for patterns, actions in alike.items()]
    statements.sort(key=lambda statement: (statement["Action"], statement["Resource"]))
    for statement in statements:
        statement |= {name: values[0] for name, values in statement.items() if isinstance(values, list) and len(values) == 1}
    return json.dumps({"Version": "2012-10-17", "Statement": statements or [NOTHING]}, indent=2)


def filled(template: str, *, account: str, region: str) -> str:
    """The policy of a template: an account and a region in the place of the parameters."""
    return template.replace(ACCOUNT, account).replace(REGION, region)


def _statement(actions: list[str], patterns: Iterable[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": list(patterns)}


def _takes_no_resource(action: str, definitions: Mapping[str, Any]) -> bool:
    """Whether the definition of an action, which is in lower case, says that it is about no resource in particular."""
    prefix, _, name = action.partition(":")
    service = definitions.get(prefix)
    if service is None:
        return False
    actions = service.actions.values() if isinstance(service.actions, Mapping) else service.actions
    return any(one.name.lower() == name and not one.resources for one in actions)


def _pattern(one: Used, *, parameters: bool) -> str:
    segments = one.resource.split(":", 5)
    if len(segments) != 6 or segments[0] != "arn" or not segments[5]:
        return "*"
    region, account = (_literal(segment) for segment in segments[3:5])
    if parameters and one.region and segments[3] == one.region:
        region = REGION
    if parameters and one.account and segments[4] == one.account:
        account = ACCOUNT
    return ":".join((*map(_literal, segments[:3]), region, account, _literal(segments[5])))


def _literal(text: str) -> str:
    """The text as a pattern that nothing else fits."""
    return _READ_BY_PATTERNS.sub(lambda match: f"${{{match[0]}}}", text)


def _collected(patterns: Iterable[str]) -> set[str]:
    """The patterns, with one for all of a collection that has several: what stands before the first `/` or `:` of an ARN's last part, or,
    where neither does, all of the service in that account and region.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for pattern in patterns:
        head = ":".join(_split(pattern)[:5]) + ":"
        kind = re.match(r"[^/:]*[/:]", pattern[len(head) :])
        members[head + (kind[0] if kind is not None else "")].append(pattern)
    return {found[0] if len(found) == 1 else f"{collection}*" for collection, found in members.items()}


def _split(pattern: str) -> list[str]:
    """The parts of an ARN with parameters and escapes in it, in none of which a colon stands."""
    return pattern.split(":", 5)
