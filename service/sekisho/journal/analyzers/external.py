"""External access: what a resource's policy grants to whoever is outside of the zone of trust, worked out by the solver.

The same policy is looked at once for many resources and many looks: what it grants depends on nothing but its text, the resource where it
has any, the owner and the zone.
"""

import hashlib
import json
import typing
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from sekisho.journal.analyzers import unused
from sekisho.journal.analyzers.found import EXTERNAL, Found
from sekisho.journal.analyzers.sources import ROLE, Source, is_of_unused
from sekisho.journal.analyzers.zones import Trusted
from sekisho.store.tables import Analyzer

if typing.TYPE_CHECKING:  # a server without the solver does without it
    from sekisho.analysis.solver import Grant

KEPT = 4096
"""Answers that are kept, at some hundred bytes each."""

UNKNOWN = "INTERNAL_ERROR"
"""AWS's error of a finding whose resource could not be analyzed."""

Ask = Callable[[str, str, str, Trusted], "tuple[Grant, ...] | None"]
"""The grants of a document of a resource and its owner to whoever is outside of a zone; None where that is not known."""


class Looking:
    """Looks at resources, and remembers what it has worked out."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._answers: OrderedDict[bytes, tuple[Found, ...]] = OrderedDict()

    def at(self, analyzer: Analyzer, source: Source, trusted: Trusted, now: datetime, *, restricted: bool) -> tuple[Found, ...]:
        """What an analyzer finds in a resource; `restricted`: a resource control policy applies to it."""
        if is_of_unused(analyzer):
            configuration = json.loads(analyzer.configuration)
            return unused.find(source.principal, configuration, source.owner, now) if source.principal is not None else ()
        return under_control_policy(self.external(source, trusted), applies=restricted)

    def external(self, source: Source, trusted: Trusted) -> tuple[Found, ...]:
        """What those outside of the zone can do with a resource; that nothing is known of it is a finding, too."""
        if not source.document:
            return ()
        resource = "" if source.type == ROLE else source.arn  # a trust policy names no resource
        key = hashlib.sha256("\0".join((source.document, resource, source.owner, trusted.hash)).encode()).digest()
        found = self._answers.get(key)
        if found is None:
            grants = self._ask(source.document, source.arn, source.owner, trusted)
            if grants is None:
                return (Found(EXTERNAL, error=UNKNOWN),)
            found = self._answers[key] = together(grants)
            if len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        else:
            self._answers.move_to_end(key)
        return found


def under_control_policy(found: tuple[Found, ...], *, applies: bool) -> tuple[Found, ...]:
    """Findings that say whether a resource control policy applies, which was not looked at."""
    return tuple(replace(one, restriction="APPLICABLE") for one in found) if applies else found


def together(grants: "Iterable[Grant]") -> tuple[Found, ...]:
    """One finding for each principal under each condition, with all that it is granted then, in whatever statements."""
    actions: dict[str, set[str]] = {}
    first: dict[str, Grant] = {}
    public: set[str] = set()
    for grant in grants:
        key = json.dumps([sorted(grant.principal.items()), sorted(grant.condition.items())])
        first.setdefault(key, grant)
        actions.setdefault(key, set()).update(grant.actions)
        if grant.is_public:
            public.add(key)
    return tuple(Found(EXTERNAL, one.principal, tuple(sorted(actions[key])), one.condition, key in public) for key, one in first.items())
