"""What is found, and by what it is the same when it is found again."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sekisho.journal.analyzers.sources import Source

EXTERNAL, INTERNAL = "ExternalAccess", "InternalAccess"
ACTIVE, ARCHIVED, RESOLVED = "ACTIVE", "ARCHIVED", "RESOLVED"
_NAMESPACE = uuid.UUID("8e1f8f0a-52a4-4d6e-9a57-0f6f35b7a1c4")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is so now. `error` is why a resource could not be looked at: that is a finding, too, and never silence."""

    type: str
    principal: Mapping[str, str] = field(default_factory=dict)
    actions: tuple[str, ...] = ()
    condition: Mapping[str, str] = field(default_factory=dict)
    is_public: bool = False
    operators: Mapping[str, str] = field(default_factory=dict)
    """Of the condition, by key, where its values alone do not say them: no finding shows them, and they tell findings apart."""
    restriction: str = "NOT_APPLICABLE"
    error: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def id(self, analyzer_id: str, source_id: str) -> str:
        """The same for the same thing, whoever looks how often: resource, principal, set of actions, condition."""
        key: list[object] = [self.type, source_id, sorted(self.principal.items()), sorted(self.actions), sorted(self.condition.items())]
        key += [self.error is not None, self.details.get("key", "")]
        if self.operators:
            key.append(sorted(self.operators.items()))
        return str(uuid.uuid5(_NAMESPACE, f"{analyzer_id} {json.dumps(key)}"))


def columns(found: Found, source: Source) -> dict[str, Any]:
    """The columns of a finding but for its id, its status and its times."""
    return {
        "source_id": source.id,
        "type": found.type,
        "resource": source.arn,
        "resource_type": source.type,
        "owner": source.owner,
        "principal": json.dumps(dict(sorted(found.principal.items()))),
        "actions": json.dumps(sorted(found.actions)),
        "condition": json.dumps(dict(sorted(found.condition.items()))),
        "is_public": found.is_public,
        "restriction": found.restriction,
        "error": found.error,
        "details": json.dumps(found.details),
    }
