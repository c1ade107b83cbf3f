"""Asks the evaluator about one statement of a case at a time, so that the whole set of matching statements can be compared."""

from typing import Any

from tests.policy import bridge, gen_shrink
from tests.policy.oracle import Place
from tests.policy.oracle_conditions import as_list

Case = dict[str, Any]
ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
EXEMPT = {("root", "boundary"), ("service-linked-role", "scp"), ("service-linked-role", "rcp")}
EXEMPT |= {(kind, "scp") for kind in bridge.ACCOUNTLESS}
STRANGER = "999999999999"
MEMBERS = {"identity_policies": "identity", "permission_boundary": "boundary", "session_policies": "session", "scps": "scp", "rcps": "rcp"}


def matched(case: Case, programs: bridge.Programs) -> frozenset[Place]:
    """Where the evaluator finds a matching statement, among the layers that apply to the caller."""
    kind = case["request"]["principal_type"]
    found = set()
    for holder, key in gen_shrink.documents(case):
        layer, level, number = place(case, holder, key)
        if (kind, layer) in EXEMPT:
            continue
        document = holder[key]
        for index, statement in enumerate(as_list(document["Statement"])):
            if matches(case, document, statement, programs):
                found.add((layer, level, number, index))
    return frozenset(found)


def place(case: Case, holder: Any, key: Any) -> tuple[str, int, int]:
    """Layer, level and number of a document."""
    if key == "resource_policy":
        return "resource", 0, 0
    for member, layer in MEMBERS.items():
        if case.get(member) is holder:
            return layer, 0, key
        if member in ("scps", "rcps"):
            for level, documents in enumerate(case.get(member) or []):
                if documents is holder:
                    return layer, level, key
    raise LookupError(key)


def matches(case: Case, document: Any, statement: Any, programs: bridge.Programs) -> bool:
    """Whether the statement decides when it is all that the owner of the resource, another account, says.

    A statement without a principal is put to everyone; what the request implies of its own owner is kept as it was.
    """
    about_someone = {"Principal", "NotPrincipal"} & statement.keys()
    alone = statement if about_someone else {**statement, "Principal": "*"}
    asked = case["request"]
    context = asked["context"]
    if not any(key.lower() == "aws:resourceaccount" for key in context):
        context = {**context, "aws:ResourceAccount": [asked["resource_account"]]}
    reply = bridge.reply(
        {
            "request": {**asked, "resource_account": STRANGER, "context": context},
            "identity_policies": [ALLOW_ALL],
            "resource_policy": programs.once(statement, {**document, "Statement": [alone]}),
            "permission_boundary": None if case.get("permission_boundary") is None else [ALLOW_ALL],
            "session_policies": [ALLOW_ALL],
        },
        programs,
    )
    return reply.outcome == ("Allowed" if statement["Effect"] == "Allow" else "ExplicitlyDenied")
