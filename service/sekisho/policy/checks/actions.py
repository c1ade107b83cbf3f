"""What an action pattern looks like: `*`, or a service prefix, one colon and a name with wildcards."""

import re
from collections.abc import Iterator

from sekisho.policy.checks.coverage import is_wild, matches
from sekisho.policy.checks.subject import Subject, action_element, actions, principals, short
from sekisho.policy.document import Flaw
from sekisho.policy.kinds import Kind

NO_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
TWO_COLONS = "Actions/Condition can contain only one colon."
NOT_ASSUMING = "AssumeRole policy may only specify STS AssumeRole actions."

_VENDOR = re.compile(r"[A-Za-z0-9.-]+")
_NAME = re.compile(r"[A-Za-z0-9*?_.:/-]+")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-custom.html and the STS guide on session tags and identities
ASSUMING = ("assumerole", "assumerolewithsaml", "assumerolewithwebidentity", "tagsession", "setsourceidentity", "setcontext")
_ASSUMING_BY_PRINCIPAL = {  # the one way in for each kind of principal; the others of ASSUMING accompany it
    "AWS": "assumerole",
    "Service": "assumerole",
    "saml-provider": "assumerolewithsaml",
    "oidc-provider": "assumerolewithwebidentity",
}


def action_format(subject: Subject) -> Iterator[Flaw]:
    """`*`, or a service prefix, one colon and a name."""
    for action, path in actions(subject):
        vendor, colon, name = action.partition(":")
        if action in ("*", "*:*"):
            continue
        if not colon:
            yield Flaw(path, "INVALID_ACTION", f"{short(action)} has no service prefix: `service:Action`", NO_VENDOR)
        elif ":" in name:
            yield Flaw(path, "INVALID_ACTION", f"{short(action)} has more than one colon", TWO_COLONS)
        elif is_wild(vendor):
            detail = f"{short(vendor)}: write the service prefix out; wildcards stand in the action's name"
            yield Flaw(path, "WILDCARD_IN_SERVICE_NAME", detail, f"Vendor {vendor} is not valid")
        elif not _VENDOR.fullmatch(vendor):
            yield Flaw(path, "INVALID_SERVICE_IN_ACTION", f"{short(vendor)} is no service prefix", f"Vendor {vendor} is not valid")
        elif not _NAME.fullmatch(name):
            yield Flaw(path, "INVALID_ACTION", f"{short(action)} can match no action: letters, digits and wildcards follow the colon")


def assuming_actions(subject: Subject) -> Iterator[Flaw]:
    """A trust policy speaks of the ways into a role, and of nothing else."""
    if subject.kind is not Kind.TRUST:
        return
    for action, path in actions(subject):
        vendor, _, name = action.lower().partition(":")
        if vendor != "sts" or not any(matches(name, known) for known in ASSUMING):
            yield Flaw(path, "UNSUPPORTED_ACTION_IN_POLICY", f"{short(action)} is no way to assume a role", NOT_ASSUMING)


def action_for_principal(subject: Subject) -> Iterator[Flaw]:
    """Allowing a SAML provider `sts:AssumeRole`, say, lets nobody in."""
    if subject.kind is not Kind.TRUST:
        return
    for statement in subject.statements:
        if statement.effect == "Deny" or statement.not_action or statement.not_principal:
            continue
        names = [action.lower().partition(":")[2] for action in statement.actions]
        for kind, value, path in principals(statement):
            way_in = _ASSUMING_BY_PRINCIPAL.get(_provider(value) if kind == "Federated" else kind)
            offered = any(matches(name, known) for name in names for known in ASSUMING[:3])
            if way_in and offered and not any(matches(name, way_in) for name in names):
                detail = f"{short(value)} cannot use what {action_element(statement)} lists"
                yield Flaw(path, "MISMATCHED_ACTION_FOR_PRINCIPAL", detail)


def repeated_wildcards(subject: Subject) -> Iterator[Flaw]:
    """`**` says no more than `*`."""
    for action, path in actions(subject):
        if "**" in action:
            yield Flaw(path, "REDUNDANT_WILDCARD", f"{short(action)}: one `*` already matches everything")


def _provider(value: str) -> str:
    if ":saml-provider/" in value:
        return "saml-provider"
    return "oidc-provider"
