"""The oracle's patterns and variables: each pattern becomes a list of literal texts and wildcards, then a regular expression.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html and reference_policies_variables.html.
"""

import functools
import re
from typing import Any

ANY, ONE = object(), object()  # `*` and `?`
Pieces = tuple[object, ...]  # literal texts and the two wildcards
VARIABLE = re.compile(r"\$\{([^}]*)\}")
TYPES = {"user": "User", "root": "Account", "federated-user": "FederatedUser"}
NAME_AND_DEFAULT = re.compile(r" *([^,']+?) *(?:, *'([^']*)')? *")


class Context:
    """The request's keys, lower-cased; an empty list of values is an absent key; what the request implies stands in for absent keys.

    Every request tells the owner of its resource, and every principal its ARN (for a session, the ARN of the role), account and type:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        many = {key.lower() for key in request.get("multivalued_keys") or ()}
        self.values: dict[str, list[str]] = {key: [value] for key, value in implied(request).items() if value}
        self.values |= {key.lower(): values for key, values in request["context"].items() if values}
        self.many = {key for key, values in self.values.items() if key in many or len(values) > 1}

    def substitute(self, variable: str) -> str | None:
        """The text for what stands between `${` and `}`; None when there is none."""
        if variable in ("*", "?", "$"):
            return variable
        found = NAME_AND_DEFAULT.fullmatch(variable)
        if found is None:
            return None
        key = found[1].lower()
        if key in self.many:  # "You cannot use a multivalued context key as a policy variable"
            return None
        return self.values[key][0] if key in self.values else found[2]


def implied(request: dict[str, Any]) -> dict[str, str]:
    """The keys that principal and resource imply."""
    kind, arn = request["principal_type"], request["principal"]
    found = {"aws:resourceaccount": request["resource_account"]}
    if kind == "anonymous":
        found |= {"aws:principalaccount": "anonymous", "aws:principaltype": "Anonymous"}
    if kind in ("service", "anonymous", "federated"):
        return found
    found["aws:principalaccount"] = arn.split(":")[4]
    found["aws:principaltype"] = TYPES.get(kind, "AssumedRole")
    found["aws:principalarn"] = role_of(request) if TYPES.get(kind) is None else arn
    return found


def role_of(request: dict[str, Any]) -> str:
    """The ARN of the role of a session, from the session's ARN where it is not given; a role is its own."""
    arn = str(request["principal"])
    if request["principal_type"] == "role":
        return arn
    return request.get("role_arn") or f"arn:aws:iam::{arn.split(':')[4]}:role/{arn.split('/')[1]}"


@functools.lru_cache(maxsize=65536)
def wildcards(plain: str) -> Pieces:
    """A text without variables as literals and wildcards."""
    return tuple(ANY if part == "*" else ONE if part == "?" else part for part in re.split(r"([*?])", plain) if part)


def read(pattern: str, context: Context, variables: bool) -> Pieces | None:
    """The pattern with its variables replaced by literal text; None when one of them has no value."""
    if not variables or "${" not in pattern:
        return wildcards(pattern)
    pieces: list[object] = []
    for index, part in enumerate(VARIABLE.split(pattern)):
        if index % 2:
            value = context.substitute(part)
            if value is None:
                return None
            pieces += [value] if value else []  # what is replaced by nothing is gone: a star before it ends its segment
        else:
            pieces.extend(wildcards(part))
    return tuple(pieces)


@functools.lru_cache(maxsize=65536)
def regex(pieces: Pieces, star: str = ".*", one: str = ".") -> re.Pattern[str]:
    """The pieces as a regular expression."""
    return re.compile("".join(star if p is ANY else one if p is ONE else re.escape(str(p)) for p in pieces), re.DOTALL)


def action_matches(pattern: str, action: str) -> bool:
    """`*` alone is everything; otherwise service and name are compared apart and without case, so that no star crosses the colon."""
    if pattern == "*":
        return True
    service, colon, name = pattern.lower().partition(":")
    wanted_service, _, wanted_name = action.lower().partition(":")
    if not colon:
        return False
    return bool(regex(wildcards(service)).fullmatch(wanted_service) and regex(wildcards(name)).fullmatch(wanted_name))


def resource_matches(pattern: str, resource: str, context: Context, variables: bool) -> bool | None:
    """Whether the resource matches; None when a variable has no value.

    "If the * wildcard is the last character of a resource ARN segment, it can expand to match beyond the colon boundaries"; so a star
    that ends its segment crosses colons, and no other wildcard does.
    """
    pieces = read(completed(pattern), context, variables)
    if pieces is None:
        return None
    expression = resource_regex(pieces)
    return expression.fullmatch(resource) is not None


@functools.lru_cache(maxsize=65536)
def completed(pattern: str) -> str:
    """An ARN of fewer than six fields, with a star for each that is missing.

    AWS "completes the ARN by adding wildcard characters (*) to all missing fields": `arn:aws:sqs` is `arn:aws:sqs:*:*:*`. A star that ends
    it stands for them already.
    """
    fields = len(VARIABLE.sub("", pattern).split(":"))
    return pattern + ":*" * (6 - fields) if pattern.startswith("arn:") and not pattern.endswith("*") else pattern


@functools.lru_cache(maxsize=65536)
def resource_regex(pieces: Pieces) -> re.Pattern[str]:
    """A resource pattern, where a star is free only at the end of a segment."""
    out = []
    for piece, after in zip(pieces, [*pieces[1:], ":"], strict=True):
        if piece is ANY:
            out.append(".*" if isinstance(after, str) and after.startswith(":") else "[^:]*")
        else:
            out.append("[^:]" if piece is ONE else re.escape(str(piece)))
    return re.compile("".join(out), re.DOTALL)
