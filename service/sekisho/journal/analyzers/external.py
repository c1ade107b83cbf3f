"""External access: what a resource's policy grants to whoever is outside of the zone of trust, worked out by the solver.

The same policy is looked at once for many resources and many looks: what it grants depends on nothing but its text, the resource where it
has any, the owner and the zone.
"""

import hashlib
import json
import typing
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sekisho.journal.analyzers import kinds, unused
from sekisho.journal.analyzers.found import EXTERNAL, INTERNAL, Found
from sekisho.journal.analyzers.kinds import kind_of
from sekisho.journal.analyzers.sources import ROLE, Source
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


Inside = Callable[[Sequence[Source], Trusted, str], Mapping[str, tuple[Found, ...]]]
"""Who within a zone can do what with resources, by the resources' ids; nothing of those of which the analyzer, which comes last, is to ask
again.
"""


def _nothing(_: Collection[str] | None) -> None:
    """Nothing is remembered that a change could make untrue."""


class Looking:
    """Looks at resources, and remembers what it has worked out."""

    def __init__(self, ask: Ask, inside: Inside | None = None, forget: Callable[[Collection[str] | None], None] = _nothing) -> None:
        """`forget` is told which resources have changed, None for all, before any is looked at again."""
        self._ask, self._inside, self.forget = ask, inside, forget
        self._answers: OrderedDict[bytes, tuple[Found, ...]] = OrderedDict()

    def at(self, analyzer: Analyzer, sources: Sequence[Source], trusted: Trusted, now: datetime) -> Mapping[str, tuple[Found, ...]]:
        """What an analyzer finds in resources, by their ids; that nothing is known of one is a finding, too. Of a resource at which it has
        not looked to the end there is nothing yet.
        """
        kind = kind_of(analyzer)
        if kind == kinds.INTERNAL:
            return (
                self._inside(sources, trusted, analyzer.id)
                if self._inside is not None
                else {one.id: (unknown(INTERNAL),) for one in sources}
            )
        if kind == kinds.UNUSED:
            configuration = json.loads(analyzer.configuration)
            found = [(one, one.principal) for one in sources if one.principal is not None]
            return {one.id: unused.find(principal, configuration, one.owner, now) for one, principal in found}
        return {one.id: self.external(one, trusted) for one in sources}

    def external(self, source: Source, trusted: Trusted) -> tuple[Found, ...]:
        """What those outside of the zone can do with a resource; that nothing is known of it is a finding, too."""
        if not source.document:
            return ()
        # A trust policy names no resource, but a control policy may.
        resource = "" if source.type == ROLE and source.owner not in trusted.restricting else source.arn
        key = hashlib.sha256("\0".join((source.document, resource, source.owner, trusted.hash)).encode()).digest()
        found = self._answers.get(key)
        if found is None:
            grants = self._ask(source.document, source.arn, source.owner, trusted)
            if grants is None:
                return (unknown(EXTERNAL),)
            found = self._answers[key] = together(grants)
            if len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        else:
            self._answers.move_to_end(key)
        return found


def unknown(type_: str, principal: Mapping[str, str] | None = None) -> Found:
    """What is found where nothing is known of a resource, or of a principal and a resource."""
    return Found(type_, principal or {}, error=UNKNOWN)


def together(grants: "Iterable[Grant]") -> tuple[Found, ...]:
    """One finding for each principal under each condition, with all that it is granted then, in whatever statements."""
    actions: dict[str, set[str]] = {}
    first: dict[str, Grant] = {}
    public: set[str] = set()
    restrictions: dict[str, set[str]] = {}
    for grant in grants:
        key = json.dumps([sorted(grant.principal.items()), sorted(grant.condition.items()), sorted(grant.operators.items())])
        first.setdefault(key, grant)
        actions.setdefault(key, set()).update(grant.actions)
        restrictions.setdefault(key, set()).add(grant.restriction)
        if grant.is_public:
            public.add(key)
    return tuple(
        Found(
            EXTERNAL,
            one.principal,
            tuple(sorted(actions[key])),
            one.condition,
            key in public,
            one.operators,
            next(name for name in _RESTRICTIONS if name in restrictions[key]),
        )
        for key, one in first.items()
    )


_RESTRICTIONS = ("FAILED_TO_EVALUATE_RCP", "APPLIED", "NOT_APPLICABLE")
"""What control policies do about a finding of several statements: the first of these that they do about any."""
