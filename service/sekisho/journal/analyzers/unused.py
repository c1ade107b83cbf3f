"""Unused access: roles, access keys, passwords and permissions that nobody has used for the analyzer's age. Pure.

Who or what is younger than that had no time to be used. A permission is what an Allow names: of a service that was not used at all it is
told as a whole, of one that was used the actions that stand there by name and were not. A use counts whether it was permitted or not.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-concepts.html
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sekisho import policy
from sekisho.errors import MalformedPolicyDocument
from sekisho.journal.analyzers.found import Found
from sekisho.journal.analyzers.principals import Principal

ROLE, KEY, PASSWORD, PERMISSION = "UnusedIAMRole", "UnusedIAMUserAccessKey", "UnusedIAMUserPassword", "UnusedPermission"
"""Types of findings."""

Configuration = Mapping[str, Any]
"""An analyzer's, as JSON of the message."""


def find(principal: Principal, configuration: Configuration, owner: str, now: datetime) -> tuple[Found, ...]:
    """All that is unused of a principal, unless the analyzer leaves it out."""
    held = configuration["unused_access"]
    if is_excluded(principal, owner, held.get("analysis_rule", {})):
        return ()
    begins = now - timedelta(days=held["unused_access_age"])
    if principal.kind == "role" and _is_unused(principal.created_at, _last(principal), begins):
        return (Found(ROLE, details=_details(principal.used_at)),)
    return (*_credentials(principal, begins), *_permissions(principal, begins))


def is_excluded(principal: Principal, owner: str, rule: Mapping[str, Any]) -> bool:
    """Whether an analysis rule leaves a principal out: by its account, or by tags, all of which it has."""
    for exclusion in rule.get("exclusions", ()):
        tags = [one.get("tags", {}) for one in exclusion.get("resource_tags", ())]
        of_account = not exclusion.get("account_ids") or owner in exclusion["account_ids"]
        of_tags = not tags or any(one.items() <= principal.tags.items() for one in tags)
        if of_account and of_tags:
            return True
    return False


def _credentials(principal: Principal, begins: datetime) -> Iterator[Found]:
    for key in principal.keys:
        if _is_unused(key.created_at, key.used_at, begins):
            yield Found(KEY, details={"key": key.id, "access_key_id": key.id, **_details(key.used_at)})
    password = principal.password
    if password is not None and _is_unused(password.created_at, password.used_at, begins):
        yield Found(PASSWORD, details=_details(password.used_at))


def _permissions(principal: Principal, begins: datetime) -> Iterator[Found]:
    if principal.created_at > begins:
        return
    services: list[dict[str, Any]] = []
    for service, actions in sorted(granted(principal).items()):
        uses = {action: at for action, at in principal.uses.items() if action.partition(":")[0] == service}
        last = max(uses.values(), default=None)
        if last is None or last < begins:
            services.append({"service_namespace": service, **_details(last)})
            continue
        unused = [action for action in actions if "*" not in action and "?" not in action and uses.get(action.lower(), begins) <= begins]
        if unused:
            told: list[Any] = [{"action": action.partition(":")[2], **_details(uses.get(action.lower()))} for action in unused]
            services.append({"service_namespace": service, "actions": told, **_details(last)})
    if services:
        yield Found(PERMISSION, details={"services": services})


def granted(principal: Principal) -> dict[str, list[str]]:
    """The action patterns that a principal's policies allow, by service in lower case; what names no service is none's in particular."""
    found: dict[str, dict[str, str]] = {}
    for one in principal.documents:
        try:
            statements = policy.parse(one.text).statements
        except MalformedPolicyDocument:  # one of a release that took it
            continue
        for statement in statements:
            if statement.effect != "Allow" or statement.not_action:
                continue
            for action in statement.actions:
                service, colon, name = action.partition(":")
                if colon and "*" not in service and "?" not in service:
                    found.setdefault(service.lower(), {}).setdefault(action.lower(), f"{service}:{name}")
    return {service: [actions[key] for key in sorted(actions)] for service, actions in found.items()}


def _last(principal: Principal) -> datetime | None:
    times = [at for at in (principal.used_at, *principal.uses.values()) if at is not None]
    return max(times, default=None)


def _is_unused(created_at: datetime, used_at: datetime | None, begins: datetime) -> bool:
    return created_at <= begins and (used_at is None or used_at <= begins)


def _details(at: datetime | None) -> dict[str, str]:
    return {"last_accessed": at.isoformat()} if at is not None else {}
