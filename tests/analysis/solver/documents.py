"""Documents of a few statements, written short."""

import json
from typing import Any


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    """A document."""
    return json.dumps({"Version": version, "Statement": statements})


def allow(action: Any = "*", resource: Any = "*", **elements: Any) -> dict[str, Any]:
    """An Allow of an identity-based policy; `condition` is the Condition element."""
    return _statement("Allow", {"Action": action, "Resource": resource}, elements)


def deny(action: Any = "*", resource: Any = "*", **elements: Any) -> dict[str, Any]:
    """The same as a Deny."""
    return _statement("Deny", {"Action": action, "Resource": resource}, elements)


def to(principal: Any, action: Any = "s3:GetObject", resource: Any = "arn:aws:s3:::bucket/*", **elements: Any) -> dict[str, Any]:
    """An Allow of a resource's policy."""
    return _statement("Allow", {"Principal": principal, "Action": action, "Resource": resource}, elements)


def assumed(principal: Any, action: Any = "sts:AssumeRole", **elements: Any) -> dict[str, Any]:
    """A statement of a role's trust policy."""
    return _statement("Allow", {"Principal": principal, "Action": action}, elements)


def _statement(effect: str, base: dict[str, Any], elements: dict[str, Any]) -> dict[str, Any]:
    made = {"Effect": effect, **base}
    for name, value in elements.items():
        made["Condition" if name == "condition" else name] = value
    return {name: value for name, value in made.items() if value is not None}
