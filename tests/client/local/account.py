"""A seeded account that changes, and questions about it: of its principals, in and out of sessions, with and without context."""

import json
import random
from collections.abc import Callable
from typing import Any

from sekisho.client.decisions import Question
from tests.harness import House
from tests.services.iam.documents import trust

ACTIONS = ("orders:Ship", "orders:Get", "orders:GetOrder", "stock:Count", "iam:GetUser", "s3:GetObject")
RESOURCES = ("arn:aws:orders:::order/1", "arn:aws:orders:eu:111122223333:order/2", "arn:aws:s3:::bucket/key", "*")
TEAMS = ("blue", "red")
USERS = [f"User{number}" for number in range(6)]
ROLES = [f"Role{number}" for number in range(3)]
GROUPS = ["Group0", "Group1"]
CONTEXTS: tuple[dict[str, Any], ...] = ({"orders:Amount": 50}, {"Orders:amount": "500"}, {"orders:Labels": ["a"]}, {"orders:Labels": []})
PASSING = ("NoSuchEntity", "EntityAlreadyExists", "LimitExceeded", "DeleteConflict", "AccessDenied")
"""Errors of changes that cannot be made just now; denied is one where an organization denies it."""
AWS_MANAGED = "arn:aws:iam::aws:policy/ReadOnlyAccess"


class Account:
    """The account of a house, filled at random and changed at random."""

    def __init__(self, house: House, seed: int) -> None:
        self.house, self.dice = house, random.Random(seed)
        self._policies: list[str] = []
        self._principals: list[str] = []
        root = f"arn:aws:iam::{house.account_id}:root"
        for name in USERS:
            house.call("CreateUser", user_name=name, path=self.dice.choice(("/", "/staff/")), tags=[{"key": "Team", "value": self.team()}])
        for name in ROLES:
            house.call("CreateRole", role_name=name, path=self.dice.choice(("/", "/svc/")), assume_role_policy_document=trust(root))
        for name in GROUPS:
            house.call("CreateGroup", group_name=name)
        for number in range(5):
            made = house.call("CreatePolicy", policy_name=f"Policy{number}", policy_document=self.document()).policy
            self._policies.append(made.arn)
        for _ in range(40):
            self.change()

    def team(self) -> str:
        """A value of a tag."""
        return self.dice.choice(TEAMS)

    def document(self) -> str:
        """A policy of one to three statements."""
        return json.dumps({"Version": "2012-10-17", "Statement": [self._statement() for _ in range(self.dice.randint(1, 3))]})

    def _statement(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "Effect": self.dice.choice(("Allow", "Allow", "Allow", "Deny")),
            "Action": self.dice.choice((*ACTIONS, "orders:*", "*", "orders:Get*", "stock:*")),
            "Resource": self.dice.choice((*RESOURCES, "*", "*", "arn:aws:orders:*:*:order/${aws:username}", "arn:aws:s3:::bucket/*")),
        }
        conditions: list[dict[str, Any]] = [
            {"StringEquals": {"aws:PrincipalTag/team": self.team()}},
            {"StringEquals": {"aws:ResourceTag/Team": "${aws:PrincipalTag/Team}"}},
            {"NumericLessThan": {"orders:Amount": "100"}},
            {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
            {"ForAllValues:StringEquals": {"orders:Labels": ["a", "b"]}},
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/staff/*"}},
            {"Null": {"aws:TokenIssueTime": "true"}},
            {"StringNotEquals": {"aws:ResourceAccount": "111122223333"}},
        ]
        if self.dice.random() < 0.5:
            made["Condition"] = self.dice.choice(conditions)
        return made

    def change(self) -> None:
        """Change something, or find that it was so already; then see who there is."""
        try:
            self.dice.choice(self._changes())()
            call = self.house.call
            self._principals = [user.arn for user in call("ListUsers").users] + [role.arn for role in call("ListRoles").roles]
        except Exception as error:
            if getattr(error, "code", "") not in PASSING:
                raise

    @property
    def told(self) -> str:
        """The newest revision that the account's watchers hear of at once."""
        return str(self.house.node.world.point.token)

    def _changes(self) -> list[Callable[[], Any]]:
        call, dice = self.house.call, self.dice
        user, role, group = dice.choice(USERS), dice.choice(ROLES), dice.choice(GROUPS)
        managed = dice.choice((*self._policies, AWS_MANAGED))
        name = dice.choice("ab")
        return [
            lambda: call("PutUserPolicy", user_name=user, policy_name=name, policy_document=self.document()),
            lambda: call("DeleteUserPolicy", user_name=user, policy_name=name),
            lambda: call("PutGroupPolicy", group_name=group, policy_name=name, policy_document=self.document()),
            lambda: call("PutRolePolicy", role_name=role, policy_name=name, policy_document=self.document()),
            lambda: call("AttachUserPolicy", user_name=user, policy_arn=managed),
            lambda: call("DetachUserPolicy", user_name=user, policy_arn=managed),
            lambda: call("AttachRolePolicy", role_name=role, policy_arn=managed),
            lambda: call("AttachGroupPolicy", group_name=group, policy_arn=managed),
            lambda: call("AddUserToGroup", user_name=user, group_name=group),
            lambda: call("RemoveUserFromGroup", user_name=user, group_name=group),
            lambda: call("TagUser", user_name=user, tags=[{"key": "Team", "value": self.team()}]),
            lambda: call("UntagUser", user_name=user, tag_keys=["Team"]),
            lambda: call("PutUserPermissionsBoundary", user_name=user, permissions_boundary=managed),
            lambda: call("DeleteUserPermissionsBoundary", user_name=user),
            lambda: call("UpdateUser", user_name=user, new_path=dice.choice(("/", "/staff/"))),
            lambda: call("UpdateUser", user_name=user, new_user_name=user.swapcase()),
            lambda: call("UpdateUser", user_name=user.swapcase(), new_user_name=user),
            lambda: self._version(dice.choice(self._policies)),
        ]

    def _version(self, arn: str) -> None:
        versions = self.house.call("ListPolicyVersions", policy_arn=arn).versions
        for version in versions[3:]:
            if not version.is_default_version:
                self.house.call("DeletePolicyVersion", policy_arn=arn, version_id=version.version_id)
        self.house.call("CreatePolicyVersion", policy_arn=arn, policy_document=self.document(), set_as_default=True)

    def question(self) -> Question:
        """A question that can be answered or not."""
        dice, account = self.dice, self.house.account_id
        made: Question = {"action": dice.choice(ACTIONS), "resource": dice.choice(RESOURCES)}
        role = dice.choice(ROLES)
        guessed = [f"arn:aws:iam::{account}:user{path}{name}" for name in USERS for path in ("/", "/staff/")]
        guessed += [f"arn:aws:iam::{account}:role{path}{role}" for path in ("/", "/svc/")]
        sessions = [f"arn:aws:sts::{account}:assumed-role/{role}/session", f"arn:aws:iam::{account}:root"]
        if dice.random() < 0.9:
            made["principal"] = dice.choice((dice.choice(self._principals), dice.choice(self._principals), dice.choice(guessed), *sessions))
        if dice.random() < 0.5:
            made["context"] = dice.choice(CONTEXTS)
        if dice.random() < 0.3:
            made["resource_tags"] = {"team": self.team()}
        if dice.random() < 0.2:
            made["resource_account"] = dice.choice((account, "111122223333"))
        if dice.random() < 0.2:
            made["resource_policy"] = self._resource_policy()
        return made

    def _resource_policy(self) -> str:
        statement = self._statement()
        who = self.dice.choice(("*", {"AWS": self.house.account_id}, {"AWS": f"arn:aws:iam::{self.house.account_id}:user/{USERS[0]}"}))
        return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Principal": who}]})
