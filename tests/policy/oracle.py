"""A second, naive evaluator, to hold the first against: decoded JSON in, an answer out.

Written from the AWS documentation and from this project's list of IAM's rules alone; it shares no code with `sekisho.policy`, has no
index, no compilation and no cleverness. The input is one case of the policy-cases format::

    {"request": {"principal": ARN | service name | null, "principal_type", "action", "resource", "resource_account",
                 "context": {key: [values]}, "multivalued_keys": [keys], "role_arn"?, "unique_id"?, "provider"?, "canonical"?},
     "identity_policies": [doc], "resource_policy": doc | null, "permission_boundary": [doc] | null, "session_policies": [doc] | null,
     "scps": [[doc] per level] | null, "rcps": [[doc] per level] | null}

Where AWS's documentation is silent the reading that allows less was taken. The readings, each with its reason where it stands in the code:

- what cannot be told, because a value cannot be read as its type, an operator does not exist or a plain operator meets a multivalued
  key, is neither true nor false (the logic is Kleene's): an Allow needs its conditions true, a Deny only that they are not false;
- a multivalued key with no values counts as absent, for every operator;
- numbers are decimals (no NaN, no underscores), addresses have a prefix length in digits and no scope, dates without a zone are UTC;
- a default in a variable stands in for an absent key only, and is as literal as a value;
- `NotPrincipal` with Deny spares a caller only when every form of it is listed: account and user; account, role and session;
- `NotPrincipal` with Allow excludes a caller when any form of it is listed, and never frees it from boundary or session policies;
- `"*"` as a grantee is limited by boundary and session policies, unless a positive condition on `aws:PrincipalArn` pins the caller;
- a federated user without a session policy gets nothing through `"*"` either, for only a statement that names the session is direct.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and the pages
reference_policies_elements_*, reference_policies_condition-*, reference_policies_variables of the same guide.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.policy import oracle_conditions
from tests.policy.oracle_conditions import as_list
from tests.policy.oracle_patterns import Context, action_matches, resource_matches, role_of

Place = tuple[str, int, int, int]  # layer, level, index of the policy in it, index of the statement in the policy
Doc = dict[str, Any]

ACCOUNTLESS = {"service", "anonymous", "federated"}  # callers with no identity policies: the resource policy alone decides


ORDER = ("rcp", "scp", "resource", "identity", "boundary", "session")  # in which layers are blamed


@dataclass(frozen=True)
class Answer:
    """The outcome, the layer that denied or granted (`""` when none had a say), every statement that matched in a layer that applies, and
    the Denies among those.
    """

    outcome: str
    layer: str
    matched: frozenset[Place]
    denies: frozenset[Place]


@dataclass(frozen=True)
class Hit:
    """A matching statement; `grant` says how a resource policy reaches the caller (`direct`, `limited`, `account`), `""` elsewhere."""

    place: Place
    effect: str
    grant: str


def decide(case: Doc) -> Answer:
    """What AWS would answer."""
    hits = list(matching(case))
    matched = frozenset(hit.place for hit in hits)
    denies = frozenset(hit.place for hit in hits if hit.effect == "Deny")
    request = case["request"]
    # No permission is needed and none can be taken away: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    if request["action"].lower() == "sts:getcalleridentity" and request["principal_type"] != "anonymous":
        return Answer("Allowed", "", matched, denies)
    if denies:
        return Answer("ExplicitlyDenied", next(layer for layer in ORDER if layer in {place[0] for place in denies}), matched, denies)
    outcome, layer = weighed(case, hits)
    return Answer(outcome, layer, matched, denies)


def weighed(case: Doc, hits: list[Hit]) -> tuple[str, str]:
    """Whether the Allows suffice, no Deny having matched, and the layer that granted or was the first to withhold."""
    request = case["request"]
    kind = request["principal_type"]
    allowed = {(hit.place[0], hit.place[1]) for hit in hits}
    if any(("scp", level) not in allowed for level in range(len(levels(case, "scp")))):
        return "ImplicitlyDenied", "scp"
    # An RCP only denies: "RCPFullAWSAccess is automatically attached to every entity" and "can't be detached", so every level allows.
    grants = {hit.grant for hit in hits if hit.place[0] == "resource"}
    if kind in ACCOUNTLESS:
        return "Allowed" if grants else "ImplicitlyDenied", "resource"
    if kind == "root" and request["action"].lower() == "sts:assumerole":
        return "ImplicitlyDenied", "resource"
    cross = account_of(request["principal"]) != request["resource_account"]
    boundary = boundary_of(case) is None or ("boundary", 0) in allowed
    # "If you do not pass a session policy, the resulting federated user session has no permissions": API_GetFederationToken
    session = ("session", 0) in allowed if case.get("session_policies") is not None else kind != "federated-user"
    limit = "boundary" if not boundary else "session" if not session else ""
    if not grants and (cross or must_be_explicit(request)):
        return "ImplicitlyDenied", "resource"
    if not cross and ("direct" in grants or ("limited" in grants and not limit)):
        return "Allowed", "resource"
    if ("identity", 0) not in allowed and (cross or "limited" not in grants):
        return "ImplicitlyDenied", "identity"
    return ("ImplicitlyDenied", limit) if limit else ("Allowed", "identity")


def must_be_explicit(request: Doc) -> bool:
    """Role trust and KMS keys: without a word of theirs, an identity policy allows nothing, in their own account either."""
    action, resource = request["action"].lower(), request["resource"]
    parts = resource.split(":", 5)
    is_role = len(parts) == 6 and parts[2] == "iam" and parts[5].startswith("role/")
    is_key = len(parts) == 6 and parts[2] == "kms" and parts[5].startswith("key/")
    return action.startswith("sts:assumerole") or (action.startswith("sts:") and is_role) or (action.startswith("kms:") and is_key)


def boundary_of(case: Doc) -> list[Doc] | None:
    """The boundary's documents; the root user has none whatever is given."""
    return None if case["request"]["principal_type"] == "root" else case.get("permission_boundary")


def levels(case: Doc, layer: str) -> list[list[Doc]]:
    """The levels of a control policy that are over the caller, none when nothing is attached.

    An SCP is over "IAM users and roles that are managed by accounts that are part of the organization" and over root users, an RCP over
    everybody; neither is over a service-linked role.
    """
    kind = case["request"]["principal_type"]
    if kind == "service-linked-role" or (layer == "scp" and kind in ACCOUNTLESS):
        return []
    return case.get(layer + "s") or []


def matching(case: Doc) -> Iterator[Hit]:
    """Every statement of every applicable layer that matches the request."""
    context = Context(case["request"])
    single = [
        ("resource", [case["resource_policy"]] if case.get("resource_policy") else []),
        ("identity", case.get("identity_policies") or []),
        ("boundary", boundary_of(case) or []),
        ("session", case.get("session_policies") or []),
    ]
    every = [(layer, 0, docs) for layer, docs in single]
    every += [(layer, level, docs) for layer in ("scp", "rcp") for level, docs in enumerate(levels(case, layer))]
    for layer, level, docs in every:
        for number, doc in enumerate(docs):
            for index, statement in enumerate(as_list(doc["Statement"])):
                grant = ""
                if layer in ("resource", "rcp"):
                    found = grantee(statement, case)
                    if found is None:
                        continue
                    grant = found
                if statement_matches(statement, doc.get("Version") == "2012-10-17", case["request"], context):
                    yield Hit((layer, level, number, index), statement["Effect"], grant)


def statement_matches(statement: Doc, variables: bool, request: Doc, context: Context) -> bool:
    """Whether action, resource and conditions match; the principal is `grantee`'s.

    A pattern with a variable that has no value "will not match any resource", and "inverted condition operators do match". Of NotResource
    nothing is said: such a pattern excepts nothing from a Deny, and an Allow that has one is taken not to match.
    """
    denies = statement["Effect"] == "Deny"
    if "Action" in statement:
        if not any(action_matches(pattern, request["action"]) for pattern in as_list(statement["Action"])):
            return False
    elif any(action_matches(pattern, request["action"]) for pattern in as_list(statement["NotAction"])):
        return False
    for element in ("Resource", "NotResource"):
        if element in statement:
            found = [resource_matches(pattern, request["resource"], context, variables) for pattern in as_list(statement[element])]
            if any(found) != (element == "Resource") or (element == "NotResource" and None in found and not denies):
                return False
    met = oracle_conditions.met(statement.get("Condition", {}), context, variables)
    return met is True or (met is None and denies)


def grantee(statement: Doc, case: Doc) -> str | None:
    """How the statement reaches the caller (`direct`, `limited`, `account`), or None when it is not about the caller."""
    request = case["request"]
    if "NotPrincipal" in statement:
        listed = {f"{kind}:{value}" for kind, value in named(statement["NotPrincipal"])}
        forms = caller_forms(request)
        if statement["Effect"] == "Allow":
            return None if "AWS:*" in listed or any(form & listed for form in forms) else "limited"
        # It "will always deny any IAM principal that has a permissions boundary policy attached to it, regardless of the values specified".
        if boundary_of(case) is not None:
            return "limited"
        return None if "AWS:*" in listed or (forms and all(form & listed for form in forms)) else "limited"
    listed = {f"{kind}:{value}" for kind, value in named(statement["Principal"])}
    grants = set()
    if "AWS:*" in listed:
        grants.add("direct" if oracle_conditions.pins_the_caller(statement.get("Condition", {})) else "limited")
    kind = request["principal_type"]
    for form, grant in zip(caller_forms(request), form_grants(kind), strict=True):
        if form & listed:
            grants.add(grant)
    return next((grant for grant in ("direct", "limited", "account") if grant in grants), None)


def caller_forms(request: Doc) -> list[set[str]]:
    """The ways to name the caller, widest first; each is a set of spellings of one thing."""
    kind, arn = request["principal_type"], request["principal"]
    if kind == "service":
        return [{f"Service:{arn}"}]
    if kind == "federated":
        return [{f"Federated:{request.get('provider') or arn}"}]
    if kind == "anonymous":
        return []
    account = account_of(arn)
    # "some services support additional options for specifying an account principal": the canonical user id is the account
    canonical = {f"CanonicalUser:{request['canonical']}"} if request.get("canonical") else set()
    forms = [{f"AWS:{account}", f"AWS:arn:aws:iam::{account}:root"} | canonical]
    ids = {f"AWS:{request['unique_id']}"} if request.get("unique_id") else set()
    if kind == "root":
        return forms
    if kind == "user":
        return [*forms, {f"AWS:{arn}"} | ids]
    if kind == "federated-user":
        return [*forms, {f"AWS:{arn}"}]
    forms.append({f"AWS:{role_of(request)}"} | ids)
    return forms if kind == "role" else [*forms, {f"AWS:{arn}"}]


def form_grants(kind: str) -> list[str]:
    """What each of `caller_forms` grants within the account."""
    if kind in ACCOUNTLESS:
        return [] if kind == "anonymous" else ["direct"]
    return {
        "root": ["account"],
        "user": ["account", "direct"],
        "federated-user": ["account", "direct"],
        "role": ["account", "limited"],
    }.get(kind, ["account", "limited", "direct"])


def named(element: Any) -> Iterator[tuple[str, str]]:
    """The (kind, value) pairs of a Principal element; the bare star is the star among AWS principals."""
    if element == "*":
        yield "AWS", "*"
        return
    for kind, values in element.items():
        for value in as_list(values):
            yield kind, value


def account_of(arn: str) -> str:
    """The account of an ARN."""
    return arn.split(":")[4]
