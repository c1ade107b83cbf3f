"""Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, and `${*}`, `${?}`, `${$}` for the characters themselves.

Only documents of version 2012-10-17 have them, in Resource and NotResource and in the values of string and ARN operators. What is put in is
literal text: a star in a tag is no wildcard.

What names a variable without a value (no such key, no default, or a key with several values) fits nothing: no resource, and no value of
the request, so that `StringNotEquals` holds, in an Allow as in a Deny ("Policy variables with no value" on AWS's page). Only what names the
variable drops out: the other resources and values of the list still count. Of NotResource AWS says nothing, and what allows less is taken:
the pattern spares nothing in a Deny, and an Allow that has one does not match.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sekisho.policy import patterns
from sekisho.policy.keys import Values

_DEFAULT = re.compile(r"\s{0,16}'([^']{0,512})'\s{0,16}\}")


@dataclass(frozen=True, slots=True)
class Variable:
    """A reference to a condition key, in lower case; `default` stands in when the request lacks the key."""

    key: str
    default: str | None = None


Part = patterns.Token | Variable


def parse(text: str, *, variables: bool, wildcards: bool) -> tuple[Part, ...]:
    """Split text into literals, wildcards and variables; `${` that is never closed is literal, as is all where `variables` is false."""
    parts: list[Part] = []

    def plain(chunk: str) -> None:
        parts.extend(patterns.tokens(chunk) if wildcards else (chunk,) if chunk else ())

    at = 0
    while variables and (start := text.find("${", at)) >= 0:
        end = text.find("}", start)
        if end < 0:
            break
        plain(text[at:start])
        name, comma, _ = text[start + 2 : end].partition(",")
        default = _DEFAULT.match(text, start + 2 + len(name) + 1) if comma else None
        if default:
            parts.append(Variable(name.strip().lower(), default[1]))
            at = default.end()
            continue
        if name in ("*", "?", "$") and not comma:
            parts.append(name)
        else:  # a comma without a quoted default makes a name that no key has
            parts.append(Variable(text[start + 2 : end].strip().lower()))
        at = end + 1
    plain(text[at:])
    return tuple(parts)


def referred(parts: Iterable[Part]) -> tuple[Variable, ...]:
    """The variables among the parts."""
    return tuple(part for part in parts if isinstance(part, Variable))


def resolve(parts: Iterable[Part], context: Values) -> tuple[patterns.Token, ...] | None:
    """Put the values in; None when a variable has none."""
    resolved: list[patterns.Token] = []
    for part in parts:
        if isinstance(part, Variable):
            value = context.get(part.key, part.default)
            if not isinstance(value, str):
                return None
            resolved.append(value)
        else:
            resolved.append(part)
    return tuple(resolved)


def join(parts: Iterable[Part], context: Values) -> str | None:
    """The same for parts without wildcards, as one text."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
        elif isinstance(part, Variable):
            value = context.get(part.key, part.default)
            if not isinstance(value, str):
                return None
            text += value
    return text


def guard(variables: Iterable[Variable]) -> Callable[[Values], bool] | None:
    """What tells whether all of the variables have values; None when there are none."""
    wanted = tuple(dict.fromkeys((variable.key, variable.default) for variable in variables))
    if not wanted:
        return None
    if len(wanted) == 1:
        ((only, otherwise),) = wanted
        return lambda context: isinstance(context.get(only, otherwise), str)

    def resolvable(context: Values) -> bool:
        for key, default in wanted:
            if not isinstance(context.get(key, default), str):
                return False
        return True

    return resolvable
