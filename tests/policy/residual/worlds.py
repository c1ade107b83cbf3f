"""Worlds from seeds whose policies ask for the tags of resources in every way, and the resources to ask them about."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from sekisho import policy
from sekisho.policy import residual
from tests.policy import bridge, gen_conditions, generator

Doc = dict[str, Any]
KEYS = ("aws:ResourceTag/team", "aws:resourcetag/TEAM", "aws:ResourceTag/Env", "AWS:ResourceTag/site", "orders:ResourceTag/team")
PREFIXES = (("aws",), ("aws", "orders"))
VALUES = (
    *("alice", "bob", "Alice", "red", "blue", "a*b", "axb", "al?ce", "dev", "Dev", "DEV", "prod", "", "x:y", "été", "ÉTÉ", "a_b", "a%b"),
    *("true", "False", "no", "5", "10.00", "203.0.113.7", "2024-01-01", "aGVsbG8=", "\u212aen", "ken", "Ken", "[a]", "a\\b", "a'b", "^x"),
    *("arn:aws:sns:us-east-1:111122223333:topic-1", "arn:aws:sns:us-east-1:111122223333", "arn:aws:lambda:us-east-1:1:function:f:live"),
)
WANTED = (
    *(*VALUES, "a*", "*b", "al?ce", "*:*", "d*v", "[a*", "${aws:PrincipalTag/team}", "${aws:username}", "${aws:PrincipalTag/team, 'red'}"),
    *("a${*}b", "arn:aws:sns:*:*:topic-?", "arn:*:lambda:*:*:*:live", "arn:aws:sns:*", "${aws:PrincipalTag/none}", "team-*-x", "KEN"),
)
OF_TAG = ("${aws:ResourceTag/team}", "${aws:resourcetag/team, 'red'}", "a${aws:ResourceTag/Env}", "${aws:ResourceTag/site}*")
PATTERNS = (
    *(
        "arn:aws:s3:::data/home/${aws:ResourceTag/team}/f",
        "arn:aws:s3:::data/home/${aws:ResourceTag/team, 'bob'}/*",
        "arn:aws:s3:::data/*/f",
    ),
    *("arn:aws:s3:::data/*/*ice/f*", "arn:aws:orders:*:*:shop:*:order:?", "arn:aws:orders:*:*:order/*", "arn:aws:s?s:*:*:q-?", "arn:*:*:*"),
    *("arn:aws:orders:us-east-1:111122223333:shop:${aws:ResourceTag/team}:order:1", "arn:aws:*:*:*:*1", "arn:aws:s3:::data/*[b"),
)
ARNS = (
    *(arn.replace("{}", account) for arns in generator.RESOURCES.values() for arn in arns for account in ("111122223333", "444455556666")),
    *("arn:aws:orders:us-east-1:111122223333:shop:alice:order:1", "arn:aws:orders:us-east-1:111122223333:shop:x:y:order:1"),
    *("arn:aws:s3:::data/home/red/f", "arn:aws:s3:::DATA/home/alice/f", "arn:aws:s3:::data/home/al/ice/f", "arn:aws:s3:::data/a[b"),
    *("arn:aws:s3:::data/home/alice/f:1", "arn:aws:s3:::data/axb", "arn:aws:sqs:us:east:1:q-1", "arn:aws:kms:us-east-1:1:key/1234abcd"),
    *("arn:aws:iam::111122223333:role/red", "arn::::::role/x", "arn:a:b:c:d:e:f:g", "arn:aws:s3:::data/a_b", "arn:aws:s3:::data/a%b"),
)
SCOPES: tuple[tuple[residual.Shape, ...], ...] = (
    (residual.ARN,),
    (residual.ARN,),
    (("arn:aws:s3:::", residual.ANY),),
    (("arn:aws:orders:", residual.RUN, ":111122223333:", residual.ANY), ("arn:aws:s3:::data/", residual.ANY)),
    (("arn:aws:", residual.RUN, ":", residual.RUN, ":111122223333:", residual.ANY),),
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource to ask about."""

    arn: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose resource is open, of a world; `context` has no tags of the resource."""

    request: policy.Request
    layers: policy.Layers
    resources: residual.Resources

    def plan(self) -> residual.Plan:
        """Its plan; Inexpressible where there is none."""
        return residual.plan(self.request, self.layers, self.resources)

    def decide(self, resource: Resource) -> policy.Decision:
        """The decision about one resource."""
        tags = {f"{prefix}:resourcetag/{key.lower()}": value for prefix in self.resources.prefixes for key, value in resource.tags.items()}
        context = policy.Context({**self.request.context, **tags})
        return policy.decide(replace(self.request, resource=resource.arn, context=context), self.layers)

    def allowed(self, resource: Resource) -> bool:
        """By brute force: whether it is within the scope and allowed."""
        return residual.allows(residual.Plan(self.resources.scopes, True), resource.arn, {}) and self.decide(resource).allowed


def questions(seed: int, count: int = 1) -> Iterator[Question]:
    """The questions of a seed."""
    made = generator.world(seed, count)
    rng = Random(-seed - 1)
    programs = bridge.Programs()
    seen: dict[int, Doc] = {}
    for case in made.cases:
        for document in documents(case):
            if id(document) not in seen and document not in (generator.FULL_ACCESS, generator.RCP_FULL_ACCESS):
                seen[id(document)] = document
                tagged(document, rng)
        asked = case["request"]
        asked["context"] = {key: value for key, value in asked["context"].items() if "resourcetag/" not in key.lower()}
        request = bridge.request(case)
        scope, prefixes = rng.choice(SCOPES), rng.choice(PREFIXES)
        yield Question(replace(request, resource=""), programs.layers(case), residual.Resources(scope, prefixes))


def resources(seed: int, count: int = 40) -> list[Resource]:
    """Resources of a seed."""
    rng = Random(seed)
    return [Resource(rng.choice(ARNS), _tags(rng)) for _ in range(count)]


def _tags(rng: Random) -> dict[str, str]:
    names = {key: rng.choice((key, key.upper(), key.title())) for key in ("team", "env", "site", "other") if rng.random() < 0.6}
    return {name: rng.choice(VALUES) for name in names.values()}


def documents(case: Doc) -> Iterator[Doc]:
    for name in ("identity_policies", "permission_boundary", "session_policies"):
        yield from case[name] or ()
    for name in ("scps", "rcps"):
        for level in case[name] or ():
            yield from level
    if case["resource_policy"]:
        yield case["resource_policy"]


def tagged(document: Doc, rng: Random) -> None:
    """Have statements ask for tags: of the keys that they ask for, in the values, and in the resources."""
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    for statement in statements:
        if "Resource" in statement and rng.random() < 0.3:
            statement["Resource"] = rng.choice(("*", "*", rng.choice(PATTERNS), [rng.choice(PATTERNS), rng.choice(PATTERNS)]))
        if "Action" in statement and statement["Effect"] == "Allow" and rng.random() < 0.5:
            statement["Action"] = "*"
        if "Condition" in statement and rng.random() < 0.6:
            statement["Condition"] = {
                operator: {(rng.choice(KEYS) if rng.random() < 0.7 else key): _wanted(values, rng) for key, values in keys.items()}
                for operator, keys in statement["Condition"].items()
            }
        elif rng.random() < 0.25:
            statement.setdefault("Condition", {}).setdefault(_operator(rng), {})[rng.choice(KEYS)] = _wanted([], rng)


def _operator(rng: Random) -> str:
    if rng.random() < 0.15:
        return "Null"
    name = rng.choice((*gen_conditions.STRING, "ArnLike", "ArnNotLike", "Bool"))
    name += "IfExists" if rng.random() < 0.3 else ""
    return rng.choice(("", "", "", "ForAllValues:", "ForAnyValue:")) + name


def _wanted(values: Any, rng: Random) -> Any:
    if rng.random() < 0.5 and values != []:
        return values if rng.random() < 0.8 else rng.choice(OF_TAG)
    pool = OF_TAG if rng.random() < 0.15 else WANTED
    return [rng.choice(pool) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]
