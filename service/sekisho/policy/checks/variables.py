"""Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, `${*}`.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

import re
from collections.abc import Iterator

from sekisho.policy.checks.operators import takes_variables, type_of
from sekisho.policy.checks.subject import (
    Subject,
    actions,
    at,
    conditions,
    principals,
    resources,
    short,
)
from sekisho.policy.document import LEGACY, Flaw
from sekisho.policy.strict_json import Path

_OPENING = "${"
_SIGNS = frozenset("*?$")  # `${*}` is the sign itself
_FORM = re.compile(r"(?P<key>[^,']*)(?:,(?P<default>.*))?", re.DOTALL)
_WITH_DEFAULT = re.compile(r"\$\{[^},']*,\s*'[^']*'\s*\}")
_DEFAULT = re.compile(r"\s*'[^']*'\s*", re.DOTALL)


def variable_form(subject: Subject) -> Iterator[Flaw]:
    """Variables that no reading makes sense of, where variables are read."""
    if not subject.has_variables:
        return
    for text, path in _readable(subject):
        for body in bodies(text):
            if fault := _fault(body):
                yield Flaw(path, *fault, LEGACY)


def variable_spaces(subject: Subject) -> Iterator[Flaw]:
    """A name with a space at its ends, or before the key of a tag, is the name of no key."""
    if not subject.has_variables:
        return
    for text, path in _readable(subject):
        for body in bodies(text):
            key = (body or "").partition(",")[0]
            if key.strip() != key or " " in key.partition("/")[0]:
                yield Flaw(path, "UNSUPPORTED_SPACE_IN_VARIABLE", f"a space stands in the name of `${{{short(key)[1:-1]}}}`")


def variable_version(subject: Subject) -> Iterator[Flaw]:
    """What looks like a variable in a document of the older version."""
    if subject.has_variables:
        return
    for text, path in _readable(subject):
        if any(body and ":" in body for body in bodies(text)):
            detail = f"{short(text)}: in this version of the language `${{` is plain text"
            yield Flaw(path, "VARIABLE_UNSUPPORTED_IN_VERSION", detail)


def variable_element(subject: Subject) -> Iterator[Flaw]:
    """Variables are read in the last field of a resource's ARN and in values of conditions; anywhere else they are plain text."""
    for text, path in _unreadable(subject):
        if _OPENING in text:
            yield Flaw(path, "VARIABLE_UNSUPPORTED_IN_ELEMENT", f"{short(text)}: variables are not read here")
    for resource, path in resources(subject):
        early = resource.find(_OPENING)
        if early >= 0 and resource.count(":", 0, early) < 5 and subject.has_variables:
            detail = f"{short(resource)}: a variable may stand after the fifth colon only"
            yield Flaw(path, "VARIABLE_UNSUPPORTED_IN_ELEMENT", detail)


def variable_operator(subject: Subject) -> Iterator[Flaw]:
    """Only texts and ARNs are compared with variables."""
    if not subject.has_variables:
        return
    for _, condition, path in conditions(subject):
        if type_of(condition) and not takes_variables(condition):
            for i, value in enumerate(condition.values):
                if _OPENING in value:
                    detail = f"{short(condition.operator)} does not take the variable in {short(value)}"
                    yield Flaw((*path, i), "INVALID_VARIABLE_FOR_OPERATOR", detail, LEGACY)


def keys_in_variables(subject: Subject) -> Iterator[tuple[str, Path]]:
    """The condition keys that the variables of a document name."""
    if not subject.has_variables:
        return
    for text, path in _readable(subject):
        for body in bodies(text):
            if body is not None and body not in _SIGNS and not _fault(body):
                yield body.partition(",")[0].strip(), path


def bodies(text: str) -> Iterator[str | None]:
    """What stands between `${` and `}`, for each variable of a text; None where the brace is not closed."""
    opening = text.find(_OPENING)
    while opening >= 0:
        whole = _WITH_DEFAULT.match(text, opening)  # a quoted default may hold a brace
        closing = whole.end() - 1 if whole else text.find("}", opening)
        yield text[opening + 2 : closing] if closing >= 0 else None
        opening = text.find(_OPENING, closing) if closing >= 0 else -1


def _fault(body: str | None) -> tuple[str, str] | None:
    """The issue with a variable and its explanation, or None."""
    if body is None:
        return "MISSING_BRACE_IN_VARIABLE", "a `${` has no `}`"
    if body in _SIGNS:
        return None
    form = _FORM.fullmatch(body)
    if form is None or (form["default"] is not None and not _DEFAULT.fullmatch(form["default"])):
        return "MISSING_QUOTE_IN_VARIABLE", f"the default in `${{{body[:96]}}}` stands in single quotes: `${{key, 'default'}}`"
    if not form["key"].strip():
        return "EMPTY_VARIABLE", "a variable names no key"
    return None


def _readable(subject: Subject) -> Iterator[tuple[str, Path]]:
    """The texts in which variables are read."""
    yield from resources(subject)
    for _, condition, path in conditions(subject):
        if takes_variables(condition):
            yield from ((value, (*path, i)) for i, value in enumerate(condition.values))


def _unreadable(subject: Subject) -> Iterator[tuple[str, Path]]:
    yield from actions(subject)
    for statement in subject.statements:
        yield from ((value, path) for _, value, path in principals(statement))
        if statement.sid:
            yield statement.sid, at(statement, "Sid")
    for _, condition, path in conditions(subject):
        yield condition.key, path
