"""A case of the policy-cases format put before the evaluator under test, and its answer in the oracle's terms."""

import functools
from dataclasses import dataclass
from typing import Any

from sekisho import policy
from sekisho.policy import keys
from tests.policy.oracle import Place

Case = dict[str, Any]
ACCOUNTLESS = ("service", "anonymous", "federated")


@dataclass(frozen=True, slots=True)
class Reply:
    """The evaluator's outcome and deciding layer, the places of the statements that it says determined it, and its error if any."""

    outcome: str
    layer: str
    determining: frozenset[Place]
    allows: bool  # whether every determining statement is an Allow
    error: str


class Programs:
    """Compiled documents by identity, for cases that share their documents; `indexed=False` is the evaluator's plain reading."""

    def __init__(self, *, indexed: bool = True) -> None:
        self._indexed = indexed
        self._made: dict[int, tuple[Any, Any]] = {}
        self._attached: dict[tuple[int, int], tuple[policy.Attached, Any]] = {}

    def attach(self, document: Any, index: int = 0) -> policy.Attached:
        """The document compiled, named by its index within its layer; the document is kept, so that its id stays its own."""
        key = (id(document), index)
        if key not in self._attached:
            program = policy.compile_policy(policy.from_json(document), indexed=self._indexed)
            self._attached[key] = (policy.Attached(program=program, name=str(index)), document)
        return self._attached[key][0]

    def once(self, origin: Any, document: Any) -> Any:
        """The document that was first made from the origin, so that it is compiled once."""
        return self._made.setdefault(id(origin), (document, origin))[0]

    def flat(self, documents: list[Any]) -> tuple[policy.Attached, ...]:
        """The documents of a layer."""
        return tuple(self.attach(document, index) for index, document in enumerate(documents))

    def levels(self, documents: list[list[Any]] | None) -> tuple[tuple[policy.Attached, ...], ...] | None:
        """The documents of a control policy, root level first."""
        return None if documents is None else tuple(self.flat(level) for level in documents)

    def layers(self, case: Case) -> policy.Layers:
        """What is attached in a case."""
        boundary, session = case.get("permission_boundary"), case.get("session_policies")
        return policy.Layers(
            identity=self.flat(case.get("identity_policies") or []),
            resource=self.attach(case["resource_policy"]) if case.get("resource_policy") else None,
            boundary=None if boundary is None else self.flat(boundary),
            session=None if session is None else self.flat(session),
            scps=self.levels(case.get("scps")),
            rcps=self.levels(case.get("rcps")),
        )


def request(case: Case) -> policy.Request:
    """The request of a case."""
    asked = case["request"]
    kind, arn = asked["principal_type"], asked["principal"] or ""
    return policy.Request(
        principal=policy.Principal(
            kind=kind,
            arn=arn,
            account="" if kind in ACCOUNTLESS else arn.split(":")[4],
            role_arn=asked.get("role_arn", ""),
            unique_id=asked.get("unique_id", ""),
            provider=asked.get("provider", ""),
            canonical=asked.get("canonical", ""),
        ),
        action=asked["action"],
        resource=asked["resource"],
        resource_account=asked["resource_account"],
        context=keys.context(asked["context"], multivalued=asked.get("multivalued_keys") or ()),
    )


def decide(case: Case, programs: Programs | None = None) -> policy.Decision:
    """The evaluator's own decision."""
    return policy.decide(request(case), (programs or Programs()).layers(case))


def reply(case: Case, programs: Programs | None = None) -> Reply:
    """The evaluator's decision in the oracle's terms."""
    return read(decide(case, programs))


def read(decision: policy.Decision) -> Reply:
    """A decision in the oracle's terms."""
    return Reply(
        decision.outcome.value,
        str(decision.layer.value) if decision.layer else "",
        frozenset(place(match) for match in decision.matched),
        all(match.statement.effect == "Allow" for match in decision.matched),
        decision.error,
    )


@functools.lru_cache(maxsize=64)
def layer_name(layer: policy.Layer) -> str:
    """A role's trust policy is its resource policy."""
    return "resource" if layer is policy.Layer.TRUST else str(layer.value).lower()


def place(match: policy.Match) -> Place:
    """Where a matched statement stands."""
    return (layer_name(match.layer), match.level, int(match.attached.name), match.statement.index)
