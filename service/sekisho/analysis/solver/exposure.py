"""Who is let in from outside: access for the public, and access from beyond a zone of trust.

The public is everybody whom a policy does not name: a principal of an account that stands nowhere in it, anonymous, or one of AWS's
services, that comes with none of the fixed values that the policy trusts (`TRUSTED`). A value is fixed when it has neither wildcard nor
variable, so that somebody owns it; in an ARN it is enough that the account is fixed, in the path of an organization its id, in a user id
the unique id before the colon. So a policy for everybody with `aws:SourceVpc` = `vpc-1` is not public, one with `vpc-*` is.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html ("The meaning of public"),
https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_CheckNoPublicAccess.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sekisho.analysis import conditions
from sekisho.analysis.conditions import OF_ARNS
from sekisho.analysis.solver import documents, languages, shapes, subjects
from sekisho.analysis.solver.contexts import Context, Key
from sekisho.analysis.solver.effort import Effort
from sekisho.analysis.solver.formulas import TRUE, Formula, Masked, every, no, some, within
from sekisho.analysis.solver.languages import ANYTHING, NO_COLON, Item, Language
from sekisho.analysis.solver.questions import Answer, PolicyType, Question, Verdict, read
from sekisho.analysis.solver.witnesses import Witness
from sekisho.policy import Condition, Program, compiled, operands, operators
from sekisho.policy.principals import account_named
from sekisho.policy.rules import Rule
from sekisho.policy.variables import parse, referred

_OF_PATHS = frozenset(("aws:principalorgpaths", "aws:sourceorgpaths", "aws:vpceorgpaths"))
_OF_ADDRESSES = frozenset(("aws:sourceip", "aws:vpcsourceip"))
OF_ACCOUNTS = frozenset(("aws:sourceaccount", "aws:sourceowner", "aws:vpceaccount", "kms:calleraccount"))
OF_ORGANIZATIONS = frozenset(("aws:principalorgid", "aws:sourceorgid", "aws:vpceorgid"))
"""Keys that say which account or organization is behind a request."""
TRUSTED = (
    OF_ARNS
    | _OF_PATHS
    | _OF_ADDRESSES
    | {
        "aws:principalaccount",
        "aws:principalorgid",
        "aws:sourceaccount",
        "aws:sourceorgid",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "aws:vpceaccount",
        "aws:vpceorgid",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
    }
)
"""Keys whose fixed values somebody owns."""
_OF_OWNER = re.compile(r"\$\{aws:Resource(Account|OrgID)\}", re.IGNORECASE)
_WIDEST = {32: 8, 128: 32}  # bits of the shortest prefix that is still a fixed range of addresses, by the bits of an address
_ARN_OF_ACCOUNT = re.compile(r"arn:[^:*?]*:[^:*?]+:[^:]*:[0-9]{12}:.*", re.DOTALL)
_TEXT_OF_ACCOUNT = re.compile(r"arn:[^:*?]*:[^:*?]+:[^:*?]*:[0-9]{12}:.*", re.DOTALL)  # to StringLike a wildcard may be colons, too
_PATH_OF_ORGANIZATION = re.compile(r"o-[^*?/]+/.*", re.DOTALL)
_LINKED = re.compile(r"arn:[^:]*:iam::[0-9]{12}:role/aws-service-role/")
"""The ARN of a service-linked role, to which control policies do not apply, of whichever account it is:
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
"""
_ID_WITH_SESSION = re.compile(r"[A-Z0-9]{4,}:\*")


NOT_APPLICABLE, APPLIED, FAILED = "NOT_APPLICABLE", "APPLIED", "FAILED_TO_EVALUATE_RCP"
"""What resource control policies do about a grant."""
MOST_ACTIONS = 20
"""Actions of a statement that control policies are asked about one by one; of more all are told."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of trust: accounts, and an organization by its id and by paths within it."""

    accounts: frozenset[str]
    organization_id: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Control:
    """The resource control policies that apply to a resource, and the organization of its owner."""

    documents: tuple[str, ...]
    organization_id: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Access from outside that one statement gives to one principal; without a witness it could not be ruled out.

    `operators` are those of the condition that its values alone do not say, by key; `restriction` is what control policies do about it,
    as the API says it: what they deny is no grant.
    """

    principal: Mapping[str, str]
    actions: tuple[str, ...]
    condition: Mapping[str, str]
    is_public: bool
    statement: int
    witness: Witness | None
    operators: Mapping[str, str] = field(default_factory=dict)
    restriction: str = NOT_APPLICABLE


def public(document: str, *, milliseconds: int) -> Verdict:
    """Whether a resource's policy grants anything to the public."""
    program = read(document, PolicyType.RESOURCE)
    return Question(program, PolicyType.RESOURCE, milliseconds, demands=lambda context: _public(program, context)).asked()


def external(
    document: str, resource: str, owner: str, zone: Zone, control: Control | None = None, *, milliseconds: int
) -> tuple[Grant, ...]:
    """What a resource's policy grants to principals beyond a zone, to which the owner belongs; by statement and principal.

    Of what control policies deny nothing is told; where the time does not suffice for them, they deny nothing, and that is said.
    """
    program = read(document, PolicyType.RESOURCE)
    asking = _Asking(
        program,
        resource,
        owner,
        Zone(zone.accounts | {owner}, zone.organization_id, zone.paths),
        tuple(compiled(_owned(one, owner, control)) for one in control.documents) if control is not None else (),
        control.organization_id if control is not None else "",
        Effort(milliseconds),
    )
    return tuple(
        grant
        for rule in program.rules
        if not rule.deny and documents.is_of_kind(rule.statement, of_resource=True)
        for grant in asking.of_rule(rule)
    )


@dataclass(frozen=True, slots=True)
class _Asking:
    """One resource, and what is asked about it."""

    program: Program
    resource: str
    owner: str
    zone: Zone
    restricting: tuple[Program, ...]
    organization_id: str
    effort: Effort

    def of_rule(self, rule: Rule) -> Iterator[Grant]:
        """What a statement grants to each principal that it names."""
        actions = ("*",) if rule.statement.not_action else rule.statement.actions
        concerning = tuple(one for one in self.restricting if _concerns(one, rule))
        for principal, means in _entries(rule):
            restricting = concerning if not _LINKED.match(principal.get("AWS", "")) else ()
            found = self._asked(rule, means)
            if found.answer is Answer.NO:
                continue
            restriction, told = NOT_APPLICABLE, actions
            if restricting:
                left = self._asked(rule, means, restricting)
                if left.answer is Answer.NO:
                    continue
                restriction = APPLIED if left.answer is Answer.YES else FAILED
                if left.answer is Answer.YES:
                    found, told = left, self._undenied(rule, means, restricting, actions)
            public = self._asked(rule, means, restricting if restriction is APPLIED else (), public=True)
            yield Grant(
                principal,
                told,
                conditions.shown(rule.statement.conditions),
                public.answer is not Answer.NO,
                rule.statement.index,
                found.witness,
                conditions.operators(rule.statement.conditions),
                restriction,
            )

    def _undenied(self, rule: Rule, means: Formula, restricting: tuple[Program, ...], actions: tuple[str, ...]) -> tuple[str, ...]:
        """The actions of which control policies do not deny all."""
        if not 1 < len(actions) <= MOST_ACTIONS:
            return actions
        return tuple(one for one in actions if self._asked(rule, means, restricting, action=one).answer is not Answer.NO)

    def _asked(
        self, rule: Rule, means: Formula, restricting: tuple[Program, ...] = (), *, public: bool = False, action: str = ""
    ) -> Verdict:
        def demands(context: Context) -> Iterator[Formula]:
            yield from (documents.of_statement(rule, context), means, _at(self.resource))
            yield from _public(self.program, context) if public else _beyond(self.zone, context)
            if action:
                yield documents.of_actions((action,))
            if restricting:
                yield from self._owned(context)

        question = Question(self.program, PolicyType.RESOURCE, self.effort.milliseconds, demands=demands, restricting=restricting)
        return question.asked(self.effort)

    def _owned(self, context: Context) -> Iterator[Formula]:
        """What keys say of the owner of the resource."""
        for name, value in (("aws:resourceaccount", self.owner), ("aws:resourceorgid", self.organization_id)):
            if name in context.keys and value:
                key = context.key(name)
                yield every((no(key.absent), key.text(0, languages.literals([value]))))


def _owned(document: str, owner: str, control: Control) -> str:
    """A control policy with the owner of the resource in the place of the variables that say it, which neither have signs of patterns."""
    said = {"account": owner, "orgid": control.organization_id}
    return _OF_OWNER.sub(lambda found: said[found[1].lower()] or found[0], document)


def _concerns(restricting: Program, rule: Rule) -> bool:
    """Whether a control policy denies anything of the services whose actions a statement names."""
    services = {pattern.partition(":")[0].lower() for pattern in rule.statement.actions}
    for other in restricting.rules:
        told = {pattern.partition(":")[0].lower() for pattern in other.statement.actions}
        wide = any("*" in one or "?" in one for one in (*services, *told))
        if other.deny and (rule.statement.not_action or other.statement.not_action or wide or services & told):
            return True
    return False


def _entries(rule: Rule) -> Iterator[tuple[Mapping[str, str], Formula]]:
    """The principals that a statement names, as findings show them, and what it is to be one; services are let in on their own ground."""
    element = rule.statement.principals
    assert element is not None
    if element.everyone or rule.statement.not_principal:
        yield {"AWS": "*"}, TRUE
        return
    for name in element.aws:
        account = account_named(name)
        yield {"AWS": name}, subjects.account(languages.literals([account])) if account else subjects.named([name])
    for name in element.federated:
        yield {"Federated": name}, every((subjects.kind("federated"), within(subjects.PRINCIPAL, languages.literals([name]))))
    for name in element.canonical:
        yield {"CanonicalUser": name}, within(subjects.CANONICAL, languages.literals([name]))


def _at(resource: str) -> Formula:
    """The resource, or something in it."""
    start = languages.text(resource)
    inside = [(*start, languages.of("/:"), ANYTHING)]
    return within(subjects.RESOURCE, Language([start, *inside])) if resource else TRUE


def _public(program: Program, context: Context) -> Iterator[Formula]:
    """The principal is one that the policy does not name, with no fixed value that it trusts."""
    elements = [rule.statement.principals for rule in program.rules if rule.statement.principals is not None]
    names = [name for element in elements for name in element.aws if name != "*"]
    accounts = {account for name in names if (account := account_named(name))} | {
        name.split(":")[4] for name in names if name.count(":") > 4
    }
    listed = [name for element in elements for name in (*element.service, *element.federated)]
    yield no(subjects.account(languages.literals(accounts)))
    yield no(subjects.named(names))
    yield no(every((subjects.of_kinds(("service", "federated")), within(subjects.PRINCIPAL, languages.literals(listed)))))
    yield no(within(subjects.CANONICAL, languages.literals(name for element in elements for name in element.canonical)))
    for key in sorted(TRUSTED & context.keys.keys()):
        yield _without(context.key(key), _fixed(program, key), _ranges(program, key))


def _without(key: Key, trusted: Language, ranges: Iterable[tuple[int, int]]) -> Formula:
    """The request lacks the key, or has none of these values."""
    found = []
    for place in range(key.places):
        variable = f"{key.variable(place)} address"
        trusts = [key.text(place, trusted), *(Masked(variable, *one) for one in ranges)]
        found.append(some((no(key.has(place)), no(some(trusts)))))
    return some((key.absent, every(found)))


def _fixed(program: Program, key: str) -> Language:
    """The values of a key that a policy names and that somebody owns."""
    runs = []
    for rule in program.rules:
        for name, condition, _ in rule.tests:
            form = operators.form(condition.operator)
            if name != key or form is None or form.type not in (operators.STRING, operators.ARN):
                continue
            assert form.row is not None  # a type of values has one
            for value in condition.values:
                if _is_fixed(key, value, form, dynamic=rule.dynamic):
                    tokens = tuple(parse(value, variables=False, wildcards=form.row.wildcards))
                    runs.append(shapes.SHAPES["like" if form.type is operators.STRING else "arn"](tokens))  # type: ignore[arg-type]
    return shapes.united(runs)


def _is_fixed(key: str, value: str, form: operators.Form, *, dynamic: bool) -> bool:
    assert form.row is not None
    wild = form.row.wildcards
    if key == "aws:principalaccount" and value.lower() == "anonymous":
        return False  # what callers have who are of no account
    if dynamic and referred(parse(value, variables=True, wildcards=wild)):
        return False
    if not wild or not ("*" in value or "?" in value):
        return True
    if key in OF_ARNS:
        return (_ARN_OF_ACCOUNT if form.type is operators.ARN else _TEXT_OF_ACCOUNT).fullmatch(value) is not None
    if key in _OF_PATHS:
        return _PATH_OF_ORGANIZATION.fullmatch(value) is not None
    return key == "aws:userid" and _ID_WITH_SESSION.fullmatch(value) is not None


def is_owned(key: str, condition: Condition) -> bool:
    """Whether a request meets a condition, whose key is given in lower case, only with a fixed value that somebody owns."""
    form = operators.form(condition.operator)
    if key not in TRUSTED or form is None or not form.is_plain or not condition.values:
        return False
    if form.type is operators.IP:
        return all((network := operands.network(value)) is not None and _is_narrow(*network) for value in condition.values)
    # In another case nobody owns a value. That a `${` may be a variable is enough for it not to be fixed.
    exact = form.type in (operators.STRING, operators.ARN) and form.name != "StringEqualsIgnoreCase"
    return exact and all(_is_fixed(key, value, form, dynamic=True) for value in condition.values)


def _ranges(program: Program, key: str) -> list[tuple[int, int]]:
    """The ranges of addresses of a key that are narrow enough to be somebody's."""
    found = []
    for rule in program.rules:
        for name, condition, _ in rule.tests:
            form = operators.form(condition.operator)
            if name != key or form is None or form.type is not operators.IP:
                continue
            for value in condition.values:
                network = operands.network(value)
                if network is not None and _is_narrow(*network):
                    found.append(network)
    return found


def _is_narrow(first: int, mask: int) -> bool:
    """Whether a range of addresses is somebody's; `::ffff:0:0/96` is all of IPv4, however it is written."""
    width = 32 if first >> 128 else 128
    return mask.bit_count() - (129 - width) >= _WIDEST[width]


def _beyond(zone: Zone, context: Context) -> Iterator[Formula]:
    """The request comes from beyond a zone: so its principal, and what its keys say of the account or organization behind it."""
    accounts = languages.literals(zone.accounts)
    yield no(subjects.kind("service"))
    yield no(subjects.account(accounts))
    arns = Language(
        (*languages.text("arn:"), *(Item(NO_COLON, True), languages.one(":")) * 3, *languages.text(f"{one}:"), ANYTHING)
        for one in zone.accounts
    )
    organization = languages.literals([zone.organization_id] if zone.organization_id else [])
    starts = [*zone.paths, *([f"{zone.organization_id}/"] if zone.organization_id else [])]
    paths = Language((*languages.text(start), ANYTHING) for start in starts)
    inside = {
        **dict.fromkeys(OF_ACCOUNTS, accounts),
        **dict.fromkeys(OF_ORGANIZATIONS, organization),
        **dict.fromkeys(_OF_PATHS, paths),
        "aws:sourcearn": arns,
        "aws:sourcevpcarn": arns,
    }
    for name, language in inside.items():
        if name in context.keys:
            yield _without(context.key(name), language, ())
