"""The definitions of our own services are made from the protos: nothing that is served lacks, and what they say is what AWS says."""

import pytest

from sekisho import operations
from sekisho.operations import annotations, definitions
from sekisho.policy import definitions as language
from sekisho.policy import keys

OWN = definitions.own()


@pytest.mark.parametrize("package", operations.packages())
def test_every_action_that_is_checked_is_defined(package: str) -> None:
    for method in operations.rpcs(package).values():
        checks = annotations.access(method).check
        for action in [check.action for check in checks if check.action] or [f"{operations.service(package).prefix}:{method.name}"]:
            prefix, _, name = action.partition(":")
            assert OWN[prefix].get_action(name) is not None, action


@pytest.mark.parametrize("prefix", sorted(OWN))
def test_a_definition_is_one_that_could_be_registered(prefix: str) -> None:
    assert language.read(language.write(OWN[prefix])) == OWN[prefix]
    assert OWN[prefix].name == prefix


@pytest.mark.parametrize(
    ("action", "level", "resources"),
    [
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
        ("iam:CreateUser", "Write", ("user",)),
        ("iam:GetUser", "Read", ("user",)),
        ("iam:ListUsers", "List", ()),
        ("iam:TagUser", "Tagging", ("user",)),
        ("iam:AttachRolePolicy", "Permissions management", ("role",)),
        ("iam:PutUserPermissionsBoundary", "Permissions management", ("user",)),
        ("iam:UpdateAccountPasswordPolicy", "Write", ()),
        ("iam:PassRole", "Write", ("role",)),
        ("iam:CreatePolicyVersion", "Permissions management", ("policy",)),
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
        ("sts:AssumeRole", "Write", ("role",)),
        ("sts:TagSession", "Tagging", ("federated-user", "role")),
        ("sts:GetSessionToken", "Read", ()),
        ("cloudtrail:AddTags", "Tagging", ("eventdatastore", "trail")),
        ("organizations:MoveAccount", "Write", ("account", "organizationalunit", "root")),
        ("authorize:Authorize", "Read", ()),
        ("authorize:AssertPrincipal", "Write", ("assumed-role", "role", "root", "user")),
    ],
)
def test_levels_and_resource_types_are_those_of_aws(action: str, level: str, resources: tuple[str, ...]) -> None:
    prefix, _, name = action.partition(":")
    found = OWN[prefix].get_action(name)
    assert found is not None
    assert found.name == name
    assert (found.level, set(found.resources) >= set(resources)) == (level, True), found


def test_an_action_that_is_a_check_of_another_rpc_alone_is_no_action_of_that_rpc() -> None:
    assert OWN["authorize"].get_action("AuthorizeBatch") is None
    assert OWN["mfa"].get_action("CompletePasskeyRegistration") is None
    assert OWN["iam"].get_action("EnableMFADevice") is not None


def test_keys_come_from_fields_tags_and_resources() -> None:
    create = OWN["iam"].get_action("CreateUser")
    assert create is not None
    assert {"iam:PermissionsBoundary", "aws:RequestTag/${TagKey}", "aws:TagKeys"} <= set(create.keys)
    assert OWN["iam"].get_key("iam:resourcetag/team") is not None
    assert OWN["sts"].get_key("sts:ExternalId") is not None
    assert OWN["iam"].get_key("iam:permissionsboundary") == language.KeyDefinition("iam:PermissionsBoundary", ("ARN",))
    assert OWN["iam"].get_key("aws:TagKeys") == language.KeyDefinition("aws:TagKeys", ("ArrayOfString",))


@pytest.mark.parametrize("prefix", sorted(OWN))
def test_keys_are_of_the_service_or_global(prefix: str) -> None:
    for key in OWN[prefix].keys:
        assert key.name.startswith(f"{prefix}:") or keys.find(key.name) is not None, key


@pytest.mark.parametrize(
    ("arn", "type_"),
    [
        ("arn:aws:iam::111122223333:user/staff/ann", "user"),
        ("arn:aws:iam::111122223333:instance-profile/web", "instance-profile"),
        ("arn:aws:organizations::111122223333:ou/o-example1234/ou-ab12-11111111", "organizationalunit"),
    ],
)
def test_arns_have_their_types(arn: str, type_: str) -> None:
    found = OWN[arn.split(":")[2]].type_of(arn)
    assert found is not None
    assert found.name == type_
