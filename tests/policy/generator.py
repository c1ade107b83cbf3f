"""Random worlds from a seed: documents that hit, near-miss and overlap, and many requests over them.

`world(seed)` is repeatable: the same seed gives the same world on every machine. Cases have the shape that `oracle.decide` takes, and
share their documents, so that a document is parsed and compiled once a world.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.policy import gen_callers, gen_conditions

Doc = dict[str, Any]
Case = dict[str, Any]

FULL_ACCESS: Doc = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
RCP_FULL_ACCESS: Doc = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}

ACTIONS = {
    "s3": ("s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:ListBucket"),
    "sqs": ("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:GetQueueUrl"),
    "orders": ("orders:GetOrder", "orders:CancelOrder", "orders:GetOrderLines"),
    "kms": ("kms:Decrypt", "kms:Encrypt", "kms:DescribeKey"),
    "iam": ("iam:PassRole", "iam:GetRole"),
    "sts": ("sts:AssumeRole", "sts:TagSession", "sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity"),
}
RESOURCES = {
    "s3": (
        "arn:aws:s3:::data/home/alice/f",
        "arn:aws:s3:::data/home/bob/f",
        "arn:aws:s3:::data",
        "arn:aws:s3:::data/a*b",
        "arn:aws:s3:::Data/x:y",
    ),
    "sqs": ("arn:aws:sqs:us-east-1:{}:q-1", "arn:aws:sqs:eu-west-1:{}:q-2", "arn:aws:sqs:us-east-1:{}:alice"),
    "orders": (
        "arn:aws:orders:us-east-1:{}:order/1/line:2",
        "arn:aws:orders:us-east-1:{}:order/10",
        "arn:aws:orders:us-east-1:{}:shop:red:order:1",
    ),
    "kms": ("arn:aws:kms:us-east-1:{}:key/1234abcd", "arn:aws:kms:us-east-1:{}:alias/data"),
    "iam": ("arn:aws:iam::{}:role/team/app", "arn:aws:iam::{}:role/target"),
    "sts": ("arn:aws:iam::{}:role/target", "arn:aws:iam::{}:role/team/app"),
}
SERVICES = tuple(ACTIONS)


@dataclass(slots=True)
class World:
    """Some cases over shared documents."""

    seed: int
    cases: list[Case] = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    """What a world's documents and requests are about."""

    rng: Random
    actions: list[str]
    resources: dict[str, list[tuple[str, str]]]  # service -> (ARN, owning account)
    keys: tuple[gen_conditions.Key, ...]
    callers: list[int]

    def maybe(self, chance: float) -> bool:
        """True with the given chance."""
        return self.rng.random() < chance

    def spelled(self, values: list[Any]) -> Any:
        """A list, or the bare value of a list of one."""
        return values[0] if len(values) == 1 and self.maybe(0.6) else values

    def action_pattern(self) -> str:
        """An action of the scene, exactly, widened, or narrowly missed."""
        action = self.rng.choice(self.actions)
        service, name = action.split(":")
        choice = self.rng.random()
        if choice < 0.3:
            return action
        if choice < 0.5:
            return f"{service}:*"
        if choice < 0.62:
            return "*"
        cut = self.rng.randrange(1, len(name))
        if choice < 0.75:
            return f"{service}:{name[:cut]}*"
        if choice < 0.82:
            return f"{service}:*{name[cut:]}"
        if choice < 0.87:
            return f"{service}:{name[:cut]}?{name[cut + 1 :]}"
        if choice < 0.92:
            return action.swapcase()
        return self.rng.choice((f"{action}s", f"*:{name}", f"{service}*:{name}", "*:*", f"{service}:{name[:cut]}"))

    def resource_pattern(self) -> str:
        """A resource of the scene, exactly, widened, with variables, or narrowly missed."""
        if self.maybe(0.25):
            return "*"
        arn = self.rng.choice(self.resources[self.rng.choice(self.actions).split(":")[0]])[0]
        choice = self.rng.random()
        if choice < 0.25:
            return arn
        if choice < 0.45:
            return arn[: self.rng.randrange(8, len(arn) + 1)] + "*"
        if choice < 0.55:
            return (
                arn.replace("alice", "${aws:username}")
                .replace("bob", "${aws:PrincipalTag/team, 'bob'}")
                .replace("red", "${aws:ResourceTag/team}")
            )
        if choice < 0.7:
            parts = arn.split(":")
            parts[self.rng.randrange(2, len(parts))] = "*"
            return ":".join(parts)
        cut = self.rng.randrange(8, len(arn))
        if choice < 0.8:
            return arn[:cut] + "?" + arn[cut + 1 :]
        if choice < 0.9:
            return arn[:cut] + "*" + arn[self.rng.randrange(cut, len(arn)) :]
        short = ":".join(arn.split(":")[: self.rng.randrange(2, 6)])
        return self.rng.choice(
            (arn + "*", arn + "?", arn[:-1], short, arn.upper(), arn.replace("a*b", "a${*}b"), "*" + arn[-4:], arn + "${aws:TagKeys}")
        )

    def patterns(self, one: Any) -> Any:
        """One to three patterns in either spelling."""
        return self.spelled([one() for _ in range(self.rng.choice((1, 1, 2, 3)))])

    def statement(self, deny: float, wide: float = 0.0) -> Doc:
        """A statement without a principal; `wide` is the chance that it is about every action and resource."""
        statement: Doc = {"Effect": "Deny" if self.maybe(deny) else "Allow"}
        if self.maybe(wide):
            statement |= {"Action": "*", "Resource": "*"}
        else:
            statement["NotAction" if self.maybe(0.1) else "Action"] = self.patterns(self.action_pattern)
            statement["NotResource" if self.maybe(0.1) else "Resource"] = self.patterns(self.resource_pattern)
        if self.maybe(0.75 if statement["Effect"] == "Deny" else 0.4):
            statement["Condition"] = gen_conditions.block(self.rng, self.keys)
        return statement

    def document(self, statements: list[Doc]) -> Doc:
        """A document of either version, its single statement sometimes bare."""
        document: Doc = {"Statement": self.spelled(statements)}
        if not self.maybe(0.07):
            document["Version"] = "2008-10-17" if self.maybe(0.07) else "2012-10-17"
        return document

    def identity(self) -> Doc:
        """An identity policy, now and then a long one, in which statements are found by an index."""
        count = self.rng.randrange(20, 60) if self.maybe(0.03) else self.rng.choice((1, 2, 3))
        return self.document([self.statement(0.15 if count < 4 else 0.03) for _ in range(count)])

    def limit(self) -> Doc:
        """A boundary, a session policy or an SCP: mostly wide."""
        return self.document([self.statement(0.12, 0.6) for _ in range(self.rng.choice((1, 2)))])

    def resource(self, *, trust: bool) -> Doc:
        """A resource policy, or a role's trust policy, which has no Resource."""
        statements = []
        count = self.rng.randrange(20, 40) if self.maybe(0.02) else self.rng.choice((1, 2, 3))
        for _ in range(count):
            statement = self.statement(0.15 if count < 4 else 0.03, 0.2 if count < 4 else 0.0)
            if trust:
                statement = {key: value for key, value in statement.items() if not key.endswith("Resource")}
            if self.maybe(0.35 if statement["Effect"] == "Deny" else 0.03):
                statement["NotPrincipal"] = gen_callers.exception(self.rng, self.callers)
            else:
                statement["Principal"] = gen_callers.element(self.rng, self.callers)
            statements.append(statement)
        return self.document(statements)

    def rcp(self) -> Doc:
        """A customer's RCP: Deny for everyone, under a condition."""
        statement = self.statement(1.0, 0.5)
        return self.document([statement | {"Principal": "*", "Condition": gen_conditions.block(self.rng, self.keys)}])


def scene(rng: Random) -> Scene:
    """Two services, a handful of actions, resources, keys and callers."""
    services = rng.sample(SERVICES, 2)
    actions = [rng.choice(ACTIONS[service]) for service in services for _ in range(2)]
    resources = {}
    for service in services:
        owners = [rng.choice(gen_callers.ACCOUNTS[: 1 + (rng.random() < 0.3)]) for _ in range(2)]
        resources[service] = [(rng.choice(RESOURCES[service]).replace("{}", owner), owner) for owner in owners]
    keys = tuple(rng.sample(gen_conditions.KEYS, 5))
    return Scene(rng, actions, resources, keys, rng.sample(range(len(gen_callers.CALLERS)), 4))


def world(seed: int, size: int = 50) -> World:
    """The world of a seed, with `size` cases."""
    made = scene(Random(seed))
    made_identity = [made.identity() for _ in range(4)]
    made_limits = [made.limit() for _ in range(4)]
    made_resource = [made.resource(trust=False) for _ in range(3)]
    made_trust = [made.resource(trust=True) for _ in range(2)]
    made_rcps = [made.rcp() for _ in range(2)]
    pools = (made_identity, made_limits, made_resource, made_trust, made_rcps)
    return World(seed, [case(made, pools) for _ in range(size)])


def case(made: Scene, pools: tuple[list[Doc], ...]) -> Case:
    """One request of the scene, with some of its documents in each layer."""
    rng = made.rng
    identity, limits, resource, trust, rcps = pools
    caller = gen_callers.CALLERS[rng.choice(made.callers)]
    kind = caller["principal_type"]
    action = rng.choice(made.actions)
    arn, owner = rng.choice(made.resources[action.split(":")[0]])
    if rng.random() < 0.04:
        arn = "*"
        owner = caller["principal"].split(":")[4] if kind not in ("service", "anonymous", "federated") else owner
    if rng.random() < 0.01:
        action, arn = "sts:GetCallerIdentity", "*"
    elif rng.random() < 0.03:
        action = action.swapcase()
    context, many = gen_conditions.context(rng, made.keys)
    request = {**caller, "action": action, "resource": arn, "resource_account": owner, "context": context, "multivalued_keys": many}
    found: Case = {
        "request": request,
        "identity_policies": rng.sample(identity, rng.choice((0, 1, 1, 2, 3))),
        "resource_policy": None,
        "permission_boundary": [rng.choice(limits)] if rng.random() < 0.2 else None,
        "session_policies": None,
        "scps": None,
        "rcps": None,
    }
    if rng.random() < (0.9 if kind in ("service", "anonymous", "federated") else 0.6):
        found["resource_policy"] = rng.choice(trust if action.lower().startswith("sts:") else resource)
    if kind in ("assumed-role", "federated-user", "service-linked-role") and rng.random() < 0.4:
        found["session_policies"] = rng.sample(limits, rng.choice((1, 1, 2)))
    if rng.random() < 0.2:
        full = [RCP_FULL_ACCESS] if rng.random() < 0.8 else []  # it cannot be detached, so it need not be spelled out
        found["rcps"] = [[*full, *rng.sample(rcps, rng.choice((0, 1)))] for _ in range(rng.choice((1, 2)))]
    if kind in ("service", "anonymous", "federated"):
        found |= {"identity_policies": [], "permission_boundary": None}
    if rng.random() < 0.25:
        found["scps"] = [rng.sample((FULL_ACCESS, *limits), rng.choice((1, 1, 2))) for _ in range(rng.choice((1, 2, 3)))]
    if kind == "root":
        found["identity_policies"] = [FULL_ACCESS]
    return found
