"""What a document names of services that have a definition, and these do not have: remarks for people, since a definition may be old.

Of a service without a definition nothing is said.
"""

import difflib
from collections.abc import Iterable, Iterator

from sekisho.policy import definitions
from sekisho.policy.checks.coverage import is_wild
from sekisho.policy.checks.subject import Subject, actions, conditions, resources, short
from sekisho.policy.checks.variables import keys_in_variables
from sekisho.policy.document import Flaw

_ENDS = str.maketrans(":", "/")
_LONGEST = 64  # characters of a name for which a better one is sought
_MOST_SOUGHT = 16  # names of a document for which a better one is sought: each is compared with all that the service has
_MOST_MATCHED = 1_000_000  # names of actions that the patterns of a document are matched against, all together


def unknown_actions(subject: Subject) -> Iterator[Flaw]:
    """An action that its service does not have, or a pattern that matches none of its actions."""
    meant, left = _Meant(), _MOST_MATCHED
    for action, path in actions(subject):
        prefix, _, name = action.partition(":")
        service = subject.definitions.get(prefix.lower())
        if service is None or not name:
            continue
        if is_wild(name):
            left -= len(service.actions)
            if left >= 0 and not definitions.expand(action, subject.definitions):
                yield Flaw(path, "UNKNOWN_ACTION", f"{short(action)} matches no action of `{service.name}`")
        elif service.get_action(name) is None:
            better = meant.sought(name, (known.name for known in service.actions))
            yield Flaw(path, "UNKNOWN_ACTION", f"`{service.name}` has no action {short(name)}{better}")


def unknown_resource_types(subject: Subject) -> Iterator[Flaw]:
    """An ARN of a type that its service does not have, as far as the type is written out."""
    known: dict[str, frozenset[str]] = {}
    for resource, path in resources(subject):
        segments = resource.split(":", 5)
        service = subject.definitions.get(segments[2]) if len(segments) == 6 else None
        if service is None:
            continue
        if service.name not in known:
            heads = frozenset(_head(form.split(":", 5)[5]) for one in service.resources for form in one.arn_formats)
            known[service.name] = frozenset() if any(_is_open(head) for head in heads) else heads
        head = _head(segments[5])
        if known[service.name] and not _is_open(head) and head not in known[service.name]:
            yield Flaw(path, "UNKNOWN_RESOURCE_TYPE", f"`{service.name}` has no resources whose ARNs end like {short(segments[5])}")


def unknown_condition_keys(subject: Subject) -> Iterator[Flaw]:
    """A condition key that its service does not have, in a condition or in a variable."""
    meant = _Meant()
    for _, condition, path in conditions(subject):
        if said := _unknown_key(subject, condition.key, meant):
            yield Flaw(path, "UNKNOWN_CONDITION_KEY", said, at_key=True)
    for name, path in keys_in_variables(subject):
        if said := _unknown_key(subject, name, meant):
            yield Flaw(path, "UNKNOWN_CONDITION_KEY", said)


class _Meant:
    """Seeks the names that may be meant, for the first unknown ones of a document."""

    def __init__(self) -> None:
        self._left = _MOST_SOUGHT

    def sought(self, name: str, known: Iterable[str]) -> str:
        """A question for a name that is close; empty where there is none, or none is sought."""
        self._left -= 1
        if self._left < 0 or len(name) > _LONGEST:
            return ""
        spelled = {one.lower(): one for one in known}
        close = difflib.get_close_matches(name.lower(), spelled, n=1, cutoff=0.8)
        return f"; is `{spelled[close[0]]}` meant?" if close else ""


def _unknown_key(subject: Subject, name: str, meant: _Meant) -> str:
    service = subject.definitions.get(name.partition(":")[0].lower())
    if service is None or service.get_key(name) is not None:
        return ""
    return f"`{service.name}` has no condition key {short(name)}{meant.sought(name, (key.name for key in service.keys))}"


def _head(text: str) -> str:
    """What stands before the first slash or colon."""
    return text.translate(_ENDS).partition("/")[0]


def _is_open(head: str) -> bool:
    """True of a head that is not written out."""
    return is_wild(head) or "$" in head
