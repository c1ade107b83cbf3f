"""Documents as formulas: what each statement says, and what a whole policy grants.

A policy grants what an Allow of its kind matches and no Deny does. In an identity-based policy that is the whole decision; in a resource's
policy it is that the policy names the principal in some way: what the name is worth within one account (`policy.principals`) is not asked.
"""

from collections.abc import Iterable

from sekisho.analysis.solver import conditions, shapes, subjects
from sekisho.analysis.solver.contexts import Context
from sekisho.analysis.solver.formulas import FALSE, TRUE, Formula, constant, every, no, some, within
from sekisho.analysis.solver.languages import literals
from sekisho.policy import Program, Statement, variables
from sekisho.policy.patterns import ANY
from sekisho.policy.principals import account_named
from sekisho.policy.rules import Rule
from sekisho.policy.variables import Variable


def grants(program: Program, context: Context, *, of_resource: bool) -> Formula:
    """The policy grants the request."""
    allows = [rule for rule in program.rules if not rule.deny and is_of_kind(rule.statement, of_resource=of_resource)]
    return every((some(of_statement(rule, context) for rule in allows), no(denies(program, context))))


def denies(program: Program, context: Context) -> Formula:
    """Some Deny of the policy matches."""
    return some(of_statement(rule, context) for rule in program.rules if rule.deny)


def is_of_kind(statement: Statement, *, of_resource: bool) -> bool:
    """Whether an Allow can grant anything in a policy of this kind."""
    return statement.principals is not None if of_resource else statement.principals is None and statement.resources is not None


def of_statement(rule: Rule, context: Context) -> Formula:
    """The statement matches: its action, resource, principal and conditions."""
    statement = rule.statement
    found = [of_actions(statement.actions, negated=statement.not_action), of_resources(rule, context)]
    if FALSE in found:
        return FALSE
    if statement.principals is not None:
        found.append(of_principals(statement))
    found += [conditions.of(condition, context, deny=rule.deny, dynamic=rule.dynamic) for condition in statement.conditions]
    return every(found)


def of_actions(patterns: Iterable[str], *, negated: bool = False) -> Formula:
    """The action is one of these, or none of them."""
    covered = within(subjects.ACTION, shapes.united(map(shapes.of_action, patterns)))
    return no(covered) if negated else covered


def of_resources(rule: Rule, context: Context) -> Formula:
    """The resource is one that the statement is about; without a Resource element it is about all."""
    statement = rule.statement
    if statement.resources is None:
        return TRUE
    parsed = rule.resources
    if statement.not_resource and (ANY,) in parsed:
        return FALSE
    static = [parts for parts in parsed if not variables.referred(parts)]
    found = [
        within(
            subjects.RESOURCE,
            shapes.united(shapes.of_resource(part for part in parts if not isinstance(part, Variable)) for parts in static),
        )
    ]
    linked = [parts for parts in parsed if variables.referred(parts)]
    found += [conditions.linked(subjects.RESOURCE, "resource", parts, context) for parts in linked]
    if not statement.not_resource:
        return some(found)
    # What a NotResource spares cannot be told without its variables: a Deny spares nothing, an Allow does not match.
    told = TRUE if statement.effect == "Deny" else every(conditions.has_values(parts, context) for parts in linked)
    return every((no(some(found)), told))


def of_principals(statement: Statement) -> Formula:
    """The Principal or NotPrincipal element means the principal: `policy.principals.Grantees`, for requests without a boundary."""
    element = statement.principals
    assert element is not None
    deny = statement.effect == "Deny"
    everyone = element.everyone or (deny and not statement.not_principal and "*" in {*element.service, *element.federated})
    service = every((subjects.kind("service"), within(subjects.PRINCIPAL, literals(element.service))))
    accounts = subjects.account(literals(filter(None, map(account_named, element.aws))))
    canonical = within(subjects.CANONICAL, literals(element.canonical))
    provider = every((subjects.kind("federated"), within(subjects.PRINCIPAL, literals(element.federated))))
    people = no(subjects.kind("service"))
    names = [name for name in element.aws if not account_named(name)]
    known = every((people, some((subjects.named(names), accounts, provider, canonical))))
    if not statement.not_principal:
        return some((constant(everyone), service, known))
    if not deny:
        return no(some((constant(everyone), service, known)))
    session = every((subjects.kind("assumed-role"), subjects.session_named(names), subjects.role_named(names)))
    alone = every((subjects.of_kinds(("user", "federated-user", "role")), subjects.named(names)))
    inside = every((no(subjects.is_outside()), some((accounts, canonical)), some((session, alone, subjects.kind("root")))))
    return no(some((constant(everyone), service, provider, inside)))
