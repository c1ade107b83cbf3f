"""Statements that grant more than their author is likely to have meant."""

from collections.abc import Iterator

from sekisho.policy.checks.coverage import matches
from sekisho.policy.checks.subject import Subject, action_element, at, resource_element
from sekisho.policy.document import Flaw, Statement
from sekisho.policy.kinds import Kind

# Roles whose names nobody writes: a pattern that matches one of them matches any role.
_ANY_ROLE = "arn:aws:iam::000000000000:role/no-such-path/no-such-role"
_ANY_SERVICE_ROLE = "arn:aws:iam::000000000000:role/aws-service-role/no-such-service/no-such-role"
_GRANTING = (Kind.IDENTITY, Kind.MANAGED, Kind.SESSION)


def pass_role(subject: Subject) -> Iterator[Flaw]:
    """Whoever may pass any role to a service has the permissions of the most powerful one."""
    yield from _broad(subject, "iam:passrole", "PASS_ROLE", _ANY_ROLE, "iam:passedtoservice", "iam:PassRole on any role")


def create_service_linked_role(subject: Subject) -> Iterator[Flaw]:
    """Whoever may create a role for any service lets that service into the account."""
    detail = "iam:CreateServiceLinkedRole for any service"
    yield from _broad(subject, "iam:createservicelinkedrole", "CREATE_SLR", _ANY_SERVICE_ROLE, "iam:awsservicename", detail)


def all_but_actions_and_resources(subject: Subject) -> Iterator[Flaw]:
    """`Allow` with both NotAction and NotResource grants all that nobody thought of."""
    for statement in subject.statements:
        if statement.effect == "Allow" and statement.not_action and statement.not_resource:
            yield Flaw(at(statement), "ALLOW_WITH_NOT_ACTION_AND_NOT_RESOURCE", "this grants every action and resource that is not listed")


def _broad(subject: Subject, action: str, name: str, any_resource: str, key: str, detail: str) -> Iterator[Flaw]:
    if subject.kind not in _GRANTING:
        return
    for statement in subject.statements:
        narrowed = any(condition.key.lower() == key for condition in statement.conditions)
        how = _how_action(statement, action)
        where = _how_resource(statement, any_resource)
        if statement.effect == "Allow" and not narrowed and how is not None and where:
            step = resource_element(statement) if how == "" else action_element(statement)
            order = (where, how) if "NOT_ACTION" in how and "STAR" in where else (how, where)
            issue = f"{name}_WITH_" + "_AND_".join(part for part in order if part)
            issue = issue.replace("STAR_IN_ACTION_AND_STAR_IN_RESOURCE", "STAR_IN_ACTION_AND_RESOURCE")
            yield Flaw(at(statement, step), issue, f"{detail}; name the resources, or add the condition key {key}")


def _how_action(statement: Statement, action: str) -> str | None:
    """How the statement comes to grant the action: by name (`""`), by a wildcard, by leaving it out of NotAction; None: it does not."""
    patterns = [pattern.lower() for pattern in statement.actions]
    if statement.not_action:
        return None if any(matches(pattern, action) for pattern in patterns) else "NOT_ACTION"
    if action in patterns:
        return ""
    return "STAR_IN_ACTION" if any(matches(pattern, action) for pattern in patterns) else None


def _how_resource(statement: Statement, any_resource: str) -> str:
    if statement.not_resource:
        return "NOT_RESOURCE"
    return "STAR_IN_RESOURCE" if any(matches(pattern, any_resource) for pattern in statement.resources or ()) else ""
