"""Whose `aws:userid` a text is: told here apart from the product, so that universes hold only requests that somebody could make."""

import re
from dataclasses import replace

from sekisho import policy

_UNIQUE = re.compile(r"[^:0-9][^:]*", re.DOTALL)
_SESSION = re.compile(r"([^:0-9][^:]*):([\w+=,.@-]{2,64})", re.ASCII | re.DOTALL)


def called(principal: policy.Principal, user_id: str) -> policy.Principal | None:
    """The principal with the unique id, and the session's name, by which its `aws:userid` is this text; None where it is nobody's."""
    kind, name = principal.kind, principal.arn.rpartition("/")[2]
    if kind == "root":
        return principal if user_id == principal.account else None
    if kind == "federated-user":
        return principal if user_id == f"{principal.account}:{name}" else None
    if kind == "assumed-role":
        found = _SESSION.fullmatch(user_id)
        return replace(principal, unique_id=found[1], arn=f"{principal.arn.rpartition('/')[0]}/{found[2]}") if found else None
    return replace(principal, unique_id=user_id) if kind in ("user", "role") and _UNIQUE.fullmatch(user_id) else None


def own(principal: policy.Principal) -> str:
    """The `aws:userid` of a principal of an account, who has a unique id."""
    name = principal.arn.rpartition("/")[2]
    unique = principal.unique_id or "AIDANOBODY"
    found = {"root": principal.account, "federated-user": f"{principal.account}:{name}", "assumed-role": f"{unique}:{name}"}
    return found.get(principal.kind, unique)


def with_user_id(principal: policy.Principal, user_id: str) -> tuple[policy.Principal, str]:
    """A principal that may have this `aws:userid`, and what it has: its own where it cannot have that."""
    made = called(principal, user_id)
    if made is not None:
        return made, user_id
    said = own(principal)
    made = called(principal, said)
    return made or principal, said
