"""Tag policies: how the tags of an account's resources are spelled, and which values they have.

What the policies on the way from the root come to together is looked at where it is enforced for a type of resource, such as `iam:role`.
A resource without the tag is never refused. Source:
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_tag-policies-enforcement.html and
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_example-tag-policies.html
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sekisho.errors import Unavailable
from sekisho.world import inheritance
from sekisho.world.placement import units_of
from sekisho.world.records import AccountRecord, Lookup, TagPolicyRecord

TYPE = "TAG_POLICY"
_ALL = ("*", "ALL_SUPPORTED")
"""The words that stand for every type of a service."""


def effective(account: AccountRecord, lookup: Lookup) -> Mapping[str, Any]:
    """The rules for an account by the key that they are about, in lower case; none where tag policies are not in force."""
    if account.unit_id is None:
        return {}
    units = units_of(account.unit_id, lookup)
    if TYPE not in units[-1].types:
        return {}
    levels = [_policies(unit.tag_policy_ids, lookup) for unit in reversed(units)]
    levels.append(_policies(account.tag_policy_ids, lookup))
    if not any(levels):
        return {}
    content, _ = inheritance.effective(levels)
    tags = content.get("tags")
    return {key.lower(): rule for key, rule in tags.items() if isinstance(rule, dict)} if isinstance(tags, dict) else {}


def fault(rules: Mapping[str, Any], type_: str, tags: Iterable[tuple[str, str]]) -> str:
    """The sentence about the first tag that a resource of a type, such as `iam:role`, must not have; empty where there is none."""
    for key, value in tags:
        rule = rules.get(key.lower())
        if rule is None or not _is_enforced(rule.get("enforced_for"), type_):
            continue
        spelled = rule.get("tag_key") or key.lower()
        if key != spelled:
            return f"The tag policy does not allow the specified capitalization for the following tag key: '{key}'."
        values = rule.get("tag_value")
        if values is not None and not any(_fits(str(pattern), value) for pattern in _listed(values)):
            return f"The tag policy does not allow the specified value for the following tag key: '{key}'."
    return ""


def breaches(rules: Mapping[str, Any], tags: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The keys of tags that are spelled otherwise than a rule says, and those that have other values, whether it is enforced or not."""
    spelled, valued = [], []
    for key, value in tags:
        rule = rules.get(key.lower())
        if rule is None:
            continue
        if key != (rule.get("tag_key") or key.lower()):
            spelled.append(key)
        values = rule.get("tag_value")
        if values is not None and not any(_fits(str(pattern), value) for pattern in _listed(values)):
            valued.append(key)
    return spelled, valued


def _policies(ids: Sequence[str], lookup: Lookup) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for id_ in ids:
        record = lookup(id_)
        if not isinstance(record, TagPolicyRecord):
            raise Unavailable(f"The policy {id_} of the organization could not be loaded.")
        found.append((id_, folded(json.loads(record.content))))
    return found


def folded(document: dict[str, Any]) -> dict[str, Any]:
    """A policy with the keys that it is about in lower case: one further down that spells a key otherwise is about the same tag, and bound
    to the operators that those above leave to it.
    """
    tags = document.get("tags")
    if not isinstance(tags, dict):
        return document
    return document | {"tags": {key if key.startswith(inheritance.OPERATOR) else key.lower(): rule for key, rule in tags.items()}}


def _is_enforced(enforced_for: Any, type_: str) -> bool:
    service, _, kind = type_.partition(":")
    return any(one in (f"{service}:{kind}", *(f"{service}:{every}" for every in _ALL)) for one in _listed(enforced_for))


def _fits(pattern: str, value: str) -> bool:
    """True of a value that a pattern means; a `*` in it, of which AWS admits one, stands for whatever."""
    before, star, after = pattern.partition("*")
    if not star:
        return value == pattern
    return len(value) >= len(before) + len(after) and value.startswith(before) and value.endswith(after)


def _listed(value: Any) -> list[Any]:
    """A setting as the list that it is meant to be; what is none is no item."""
    return value if isinstance(value, list) else [] if value is None else [value]
