"""The worlds of tests/corpus as cases that any evaluator can take.

A file is one topic::

    source: URL                      where AWS states it, unless a case has its own
    callers: {name: {principal, principal_type, role_arn?, unique_id?, provider?, canonical?}}
    request: {...}                   what the cases have in common
    policies: {name: document}
    cases:
      - name, rule (the number in the list of rules), reason, expected, source?
        request: {caller, action, resource, account, context: {key: value | [values]}}   over the common one, member by member; null removes
        identity, boundary, session: [names]; scps, rcps: [[names] per level]; resource: name    absent or null: none attached
        allow, deny: {...}           one more identity policy: the statement over `{Action: "*", Resource: "*"}`
        condition: {...}             the same as `allow: {Condition: ...}`

A context value in a list makes its key a multivalued one.
"""

from pathlib import Path
from typing import Any

import yaml

Case = dict[str, Any]
FOLDER = Path(__file__).parent.parent / "corpus"
EXPECTED = ("Allowed", "ImplicitlyDenied", "ExplicitlyDenied")
CASE_MEMBERS = {"name", "rule", "reason", "expected", "source", "request", "allow", "deny", "condition"}
LAYERS = {"identity", "boundary", "session", "scps", "rcps", "resource"}


def load() -> dict[str, Case]:
    """Every case by `file/name`, in the shape that `oracle.decide` takes, with its `expected`, `reason`, `source` and `rule`."""
    found: dict[str, Case] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        world = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for case in world["cases"]:
            name = f"{path.stem}/{case['name']}"
            unknown = case.keys() - CASE_MEMBERS - LAYERS
            if unknown or name in found or case["expected"] not in EXPECTED:
                raise ValueError(f"{name}: unknown members {sorted(unknown)}, a name twice or a wrong expectation")
            found[name] = built(world, case)
    return found


def built(world: dict[str, Any], case: dict[str, Any]) -> Case:
    """One case with its names replaced by what they stand for."""
    documents = world.get("policies", {})
    request = {**world["request"], **case.get("request", {})}
    context = request.get("context") or {}
    identity = [documents[name] for name in case.get("identity") or ()]
    if "condition" in case:
        identity.append(document("Allow", {"Condition": case["condition"]}))
    identity += [document(effect, case[effect.lower()]) for effect in ("Allow", "Deny") if effect.lower() in case]
    return {
        "request": {
            **world["callers"][request["caller"]],
            "action": request["action"],
            "resource": request["resource"],
            "resource_account": request["account"],
            "context": {key: value if isinstance(value, list) else [value] for key, value in context.items()},
            "multivalued_keys": [key for key, value in context.items() if isinstance(value, list)],
        },
        "identity_policies": identity,
        "resource_policy": documents[case["resource"]] if case.get("resource") else None,
        "permission_boundary": flat(documents, case.get("boundary")),
        "session_policies": flat(documents, case.get("session")),
        "scps": levels(documents, case.get("scps")),
        "rcps": levels(documents, case.get("rcps")),
        "expected": case["expected"],
        "reason": case["reason"],
        "source": case.get("source", world["source"]),
        "rule": case["rule"],
    }


def document(effect: str, given: dict[str, Any]) -> dict[str, Any]:
    """An identity policy of one statement, about everything that `given` does not narrow."""
    statement = {"Effect": effect, **given}
    for element in ("Action", "Resource"):
        if "Not" + element not in given:
            statement.setdefault(element, "*")
    return {"Version": "2012-10-17", "Statement": [statement]}


def flat(documents: dict[str, Any], names: list[str] | None) -> list[Any] | None:
    """The named documents."""
    return None if names is None else [documents[name] for name in names]


def levels(documents: dict[str, Any], names: list[list[str]] | None) -> list[list[Any]] | None:
    """The named documents, level by level."""
    return None if names is None else [[documents[name] for name in level] for level in names]
