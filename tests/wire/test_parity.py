"""Our protos of AWS's services beside AWS's own models: the same members with the same rules, but for the differences listed here.

One generic mapper stands on this (a member is called `botocore.xform_name(member)` here), so it is compared member by member, for
every rpc, down to the last structure. A botocore that knows a member more makes this fail: the proto gets it then, or a reason.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import botocore
import botocore.session
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

import sekisho.api
from sekisho import operations
from sekisho.api.annotations.v1 import annotations_pb2
from sekisho.operations import annotations, patterns

Rules = annotations_pb2.Rules
Difference = tuple[str, str, object, object]
"""A member's path (`AssumeRole.Tags[].Key`), what differs, ours, AWS's."""

OURS = {"annotations", "authorize", "catalog", "insight", "mfa", "resource"}
"""Packages that AWS has no service for."""

STS = "https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"
IAM = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html"
ANY_TEXT = (r"[\s\S]*", r"(?s).*")
ANY_XML = r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+"

_ANALYZED = botocore.session.get_session().get_service_model("accessanalyzer").shape_for("ResourceType").enum

REASONS: dict[Difference, str] = {
    ("UpdateAccessKey.Status", "in", ("Active", "Inactive"), ("Active", "Inactive", "Expired")): f"a key is switched on or off; {IAM}",
    ("UpdateSigningCertificate.Status", "in", ("Active", "Inactive"), ("Active", "Inactive", "Expired")): "as UpdateAccessKey",
    ("UpdateSSHPublicKey.Status", "in", ("Active", "Inactive"), ("Active", "Inactive", "Expired")): "as UpdateAccessKey",
    ("UpdateServiceSpecificCredential.Status", "in", ("Active", "Inactive"), ("Active", "Inactive", "Expired")): "as UpdateAccessKey",
    ("AssumeRole.Policy", "max", 2048, None): f"the documented limit of a session policy, which the model leaves out; {STS}",
    ("AssumeRole.PolicyArns", "max", 10, None): f"ten session policies are documented, the model has no limit; {STS}",
    ("AssumeRole.SourceIdentity", "max", 64, 256): f"documented as 2 to 64 characters; {STS}",
    ("AssumeRole.PolicyArns[].arn", "pattern", r"arn:[\u0021-\u00FF]+", ANY_XML): (
        "a text that is no ARN is refused before anything is looked up"
    ),
    ("AssumeRole.passkey_assertion", "member", "passkey_assertion", None): (
        "ours, over gRPC alone: AWS's wire has six digits and no room for what a passkey signs"
    ),
    ("GetSessionToken.passkey_assertion", "member", "passkey_assertion", None): "as AssumeRole.passkey_assertion",
    ("AssumeRoleWithSAML.PolicyArns", "max", 10, None): "as AssumeRole.PolicyArns",
    ("AssumeRoleWithSAML.PolicyArns[].arn", "pattern", r"arn:[\u0021-\u00FF]+", ANY_XML): "as AssumeRole.PolicyArns",
    ("GetFederationToken.PolicyArns", "max", 10, None): "as AssumeRole.PolicyArns",
    ("GetFederationToken.PolicyArns[].arn", "pattern", r"arn:[\u0021-\u00FF]+", ANY_XML): "as AssumeRole.PolicyArns",
    ("AssumeRoleWithWebIdentity.PolicyArns", "max", 10, None): "as AssumeRole.PolicyArns",
    ("AssumeRoleWithWebIdentity.PolicyArns[].arn", "pattern", r"arn:[\u0021-\u00FF]+", ANY_XML): "as AssumeRole.PolicyArns",
    (
        "PutInsightSelectors.InsightSelectors",
        "required",
        False,
        True,
    ): "an empty list, which no message tells from none, takes all away",
    ("AssumeRoot.TaskPolicyArn.arn", "pattern", r"arn:[\u0021-\u00FF]+", ANY_XML): "as AssumeRole.PolicyArns",
    ("AssumeRole.ProvidedContexts[].ProviderArn", "pattern", r"arn:[\u0021-\u00FF]+", ANY_XML): "as PolicyArns",
    **{
        (f"{operation}.configuration.internalAccess.analysisRule.inclusions[].resourceTypes{of}", *difference): (
            "registered resources have types of their own, such as AWS::Orders::Order"
        )
        for operation in ("CreateAnalyzer", "UpdateAnalyzer", "CreateServiceLinkedAnalyzer")
        for of, *difference in (
            ("[]", "in", (), tuple(_ANALYZED)),
            ("[]", "max", 256, None),
            ("[]", "pattern", "AWS::[A-Za-z0-9]+::[A-Za-z0-9]+", None),
            ("", "max", 100, None),
        )
    },
}

SCALARS = {
    "string": FieldDescriptor.TYPE_STRING,
    "integer": FieldDescriptor.TYPE_INT32,
    "long": FieldDescriptor.TYPE_INT64,
    "boolean": FieldDescriptor.TYPE_BOOL,
    "double": FieldDescriptor.TYPE_DOUBLE,
    "float": FieldDescriptor.TYPE_FLOAT,
    "blob": FieldDescriptor.TYPE_BYTES,
}

PACKAGES = sorted({module.name for module in pkgutil.iter_modules(sekisho.api.__path__) if module.ispkg} - OURS)
RPCS = {f"{package}:{method.name}": method for package in PACKAGES for method in operations.rpcs(package).values()}
MODELS = {package: botocore.session.get_session().get_service_model(operations.service(package).model) for package in PACKAGES}


def differences(method: MethodDescriptor, operation: Any) -> set[Difference]:
    """All that our rpc and AWS's operation disagree about."""
    asked = _structure(method.name, method.input_type, operation.input_shape, asked=True)
    answered = _structure(f"{method.name}:", method.output_type, operation.output_shape, asked=False)
    return {*asked, *answered}


def _structure(where: str, message: Descriptor, shape: Any, *, asked: bool, around: frozenset[str] = frozenset()) -> Iterator[Difference]:
    members: Mapping[str, Any] = shape.members if shape is not None else {}
    names = {botocore.xform_name(member): member for member in members}
    fields = message.fields_by_name
    for name in set(fields) - set(names):
        yield (f"{where}.{name}", "member", name, None)
    for name, member in names.items():
        path = f"{where}.{member}"
        if name not in fields:
            yield (path, "member", None, name)
            continue
        yield from _member(path, fields[name], members[member])
        yield from _rules(path, fields[name], members[member], asked=asked, required=member in shape.required_members)
        yield from _inside(path, fields[name], members[member], asked=asked, around=around | {shape.name})


def _inside(path: str, field: FieldDescriptor, shape: Any, *, asked: bool, around: frozenset[str]) -> Iterator[Difference]:
    item = shape.member if shape.type_name == "list" else shape.value if shape.type_name == "map" else shape
    message = field.message_type
    if shape.type_name == "map" and message is not None and message.GetOptions().map_entry:
        message = message.fields_by_name["value"].message_type
    if item.type_name == "structure" and message is not None and item.name not in around:  # a structure may hold itself
        where = path + {"list": "[]", "map": "{}"}.get(shape.type_name, "")
        yield from _structure(where, message, item, asked=asked, around=around)


def _member(path: str, field: FieldDescriptor, shape: Any) -> Iterator[Difference]:
    """The kind of one member: list, type, presence, and whether it is a secret."""
    if shape.type_name == "map":
        yield from _map(path, field, shape)
        return
    repeated = shape.type_name == "list"
    item = shape.member if repeated else shape
    package = field.full_name.rsplit(".", 2)[0]
    ours = field.message_type.full_name if field.message_type is not None else field.type
    messages = {"structure": f"{package}.{item.name}", "timestamp": "google.protobuf.Timestamp"}
    if item.type_name in ("list", "map"):  # a message of one field stands for what is in a list
        assert field.message_type is not None
        (only,) = field.message_type.fields
        yield from _member(f"{path}[]", only, item)
        if not field.is_repeated:
            yield (path, "list", False, True)
        return
    theirs = messages.get(item.type_name) or SCALARS[item.type_name]
    if ours != theirs:
        yield (path, "type", ours, theirs)
    if field.is_repeated != repeated:
        yield (path, "list", field.is_repeated, repeated)
    if field.has_presence == repeated:
        yield (path, "presence", field.has_presence, not repeated)
    if item.metadata.get("sensitive") and not field.GetOptions().debug_redact:
        yield (path, "secret", False, True)


def _map(path: str, field: FieldDescriptor, shape: Any) -> Iterator[Difference]:
    """A map from strings to scalars, or to structures."""
    package = field.full_name.rsplit(".", 2)[0]
    structure = f"{package}.{shape.value.name}" if shape.value.type_name == "structure" else ""
    theirs = ("map", SCALARS[shape.key.type_name], structure or SCALARS[shape.value.type_name])
    entry = field.message_type
    ours = None
    if entry is not None and entry.GetOptions().map_entry:
        value = entry.fields_by_name["value"]
        ours = ("map", entry.fields_by_name["key"].type, value.message_type.full_name if structure and value.message_type else value.type)
    if ours != theirs:
        yield (path, "type", ours, theirs)


def _rules(path: str, field: FieldDescriptor, shape: Any, *, asked: bool, required: bool) -> Iterator[Difference]:
    """What a request's member must be; what we answer has no rules of its own, and shares only the structures of requests."""
    if not asked:
        return
    extensions: Any = field.GetOptions().Extensions
    rules: Rules = extensions[annotations_pb2.rules]
    if rules.required != required:
        yield (path, "required", rules.required, required)
    yield from _constraints(path, rules, shape)
    if shape.type_name == "list":
        yield from _constraints(f"{path}[]", rules.items, shape.member)


def _constraints(path: str, rules: Rules, shape: Any) -> Iterator[Difference]:
    if shape.type_name == "structure":
        return
    least = shape.metadata.get("min")
    theirs = {
        # A length of at least nothing is no rule; a number of at least nothing is one.
        "min": None if least == 0 and shape.type_name in {"string", "list"} else least,
        "max": shape.metadata.get("max"),
        "pattern": shape.metadata.get("pattern"),
        "in": tuple(shape.metadata.get("enum", ())),
    }
    ours = {
        "min": rules.min if rules.HasField("min") else None,
        "max": rules.max if rules.HasField("max") else None,
        "pattern": patterns.PATTERNS[rules.pattern][1] if rules.pattern else None,
        "in": tuple(getattr(rules, "in")),
    }
    for what, value in ours.items():
        if value != theirs[what] and not (what == "pattern" and _same_but_for_empty(value, theirs[what])):
            yield (path, what, value, theirs[what])


def _same_but_for_empty(ours: object, theirs: object) -> bool:
    """Whether two expressions differ at most in their anchors, which every text is held to, and in taking the empty text, which `min`
    decides: `[\\w]+` and `^([\\w]*)$`.
    """
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return ours is None and theirs in ANY_TEXT
    ours, theirs = _bare(ours), _bare(theirs)
    return ours == theirs or (ours[:-1] == theirs[:-1] and {ours[-1], theirs[-1]} <= {"+", "*"})


def _bare(expression: str) -> str:
    found = expression.removeprefix("^").removesuffix("$")
    return found[1:-1] if found.startswith("([") and found.endswith("*)") else found


def _reasoned(rpc: str) -> set[Difference]:
    name = rpc.partition(":")[2]
    return {difference for difference in REASONS if difference[0].split(".")[0].rstrip(":") == name}


def test_iam_and_sts_are_compared() -> None:
    assert {"iam:CreateUser", "iam:ListPolicyTags", "sts:AssumeRole", "sts:GetCallerIdentity"} <= RPCS.keys()


@pytest.mark.parametrize("rpc", RPCS)
def test_rpc_is_aws_operation_but_for_reasoned_differences(rpc: str) -> None:
    method = RPCS[rpc]
    model = MODELS[rpc.partition(":")[0]]
    assert differences(method, model.operation_model(method.name)) == _reasoned(rpc)


def test_every_reason_is_of_an_rpc() -> None:
    assert {reason[0].split(".")[0].rstrip(":") for reason in REASONS} <= {method.name for method in RPCS.values()}


@pytest.mark.parametrize("rpc", RPCS)
def test_request_and_response_are_the_rpcs_own(rpc: str) -> None:
    name = RPCS[rpc].name
    assert (RPCS[rpc].input_type.name, RPCS[rpc].output_type.name) == (f"{name}Request", f"{name}Response")


OF_CALLER = "self"
"""The kind of resource that no field names, for it is the caller."""


@pytest.mark.parametrize("rpc", RPCS)
def test_access_names_fields_of_the_request(rpc: str) -> None:
    access = annotations.access(RPCS[rpc])
    fields = set(RPCS[rpc].input_type.fields_by_name)
    assert {name for check in access.check for name in (check.field, check.when_field) if name} <= fields
    assert all(bool(check.kind) == bool(check.field) or check.kind == OF_CALLER for check in access.check)
