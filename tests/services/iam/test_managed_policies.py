"""The AWS-managed policies that come with the program, and those that an operator brings."""

import json
from typing import Any

import pytest

from sekisho import policy
from sekisho.policy import validate
from sekisho.services.iam import managed_policies
from sekisho.services.iam.managed_policies import KEPT, ManagedPolicy, files
from sekisho.services.iam.managed_policies.files import InvalidFile
from sekisho.store.tables import AuditRecord, Policy, PolicyVersion
from tests.harness import House
from tests.services.conftest import Refused
from tests.services.iam.documents import TRUST_EC2, allow

BUILT_IN = {one.name: one for one in managed_policies.built_in()}
ALICE = "arn:aws:iam::111122223333:user/alice"


def test_there_are_those_that_auditors_name() -> None:
    """Sources: the IAM checks of Prowler and of ScoutSuite."""
    named = {"AdministratorAccess", "AWSCloudShellFullAccess", "AWSSupportAccess", "ReadOnlyAccess", "SecurityAudit"}
    assert {BUILT_IN[name].arn for name in named} == {f"arn:aws:iam::aws:policy/{name}" for name in named}


def test_there_are_those_that_people_attach_most() -> None:
    assert len(BUILT_IN) >= 60
    assert len(BUILT_IN) == len(managed_policies.built_in())
    arns = {one.arn for one in BUILT_IN.values()}
    assert {
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "arn:aws:iam::aws:policy/SecurityAudit",
        "arn:aws:iam::aws:policy/job-function/Billing",
        "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
    } <= arns


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_is_without_fault(name: str) -> None:
    one = BUILT_IN[name]
    validate.check(one.document, validate.Kind.MANAGED)
    assert [found for found in validate.findings(one.document, validate.Kind.MANAGED) if found.severity is validate.Severity.ERROR] == []
    assert one.description.endswith(".")
    assert len(one.description) <= 1000


# What each name promises: (policy, action, allowed), on everything unless a resource or the service that a role is for stands behind.
PROMISES: list[tuple[Any, ...]] = [
    ("AdministratorAccess", "iam:CreateUser", True),
    ("AdministratorAccess", "orders:Ship", True),
    ("PowerUserAccess", "orders:Ship", True),
    ("PowerUserAccess", "ec2:RunInstances", True),
    ("PowerUserAccess", "iam:CreateUser", False),
    ("PowerUserAccess", "organizations:CreateAccount", False),
    ("PowerUserAccess", "organizations:DescribeOrganization", True),
    ("AWSDenyAll", "s3:GetObject", False),
    ("ReadOnlyAccess", "s3:GetObject", True),
    ("ReadOnlyAccess", "dynamodb:Query", True),
    ("ReadOnlyAccess", "iam:ListUsers", True),
    ("ReadOnlyAccess", "s3:PutObject", False),
    ("ReadOnlyAccess", "ec2:RunInstances", False),
    ("ReadOnlyAccess", "secretsmanager:GetSecretValue", False),
    ("ReadOnlyAccess", "kms:Decrypt", False),
    ("ReadOnlyAccess", "iam:PassRole", False),
    ("SecurityAudit", "iam:GetPolicyVersion", True),
    ("SecurityAudit", "s3:GetBucketPolicy", True),
    ("SecurityAudit", "s3:GetObject", False),
    ("SecurityAudit", "dynamodb:GetItem", False),
    ("SecurityAudit", "iam:CreateUser", False),
    ("ViewOnlyAccess", "ec2:DescribeInstances", True),
    ("ViewOnlyAccess", "s3:ListAllMyBuckets", True),
    ("ViewOnlyAccess", "s3:GetObject", False),
    ("ViewOnlyAccess", "lambda:GetFunction", False),
    ("Billing", "ce:GetCostAndUsage", True),
    ("Billing", "budgets:ModifyBudget", True),
    ("Billing", "s3:GetObject", False),
    ("AWSBillingReadOnlyAccess", "ce:GetCostAndUsage", True),
    ("AWSBillingReadOnlyAccess", "budgets:ModifyBudget", False),
    ("SupportUser", "support:CreateCase", True),
    ("SupportUser", "ec2:DescribeInstances", True),
    ("SupportUser", "ec2:StopInstances", False),
    ("AWSSupportAccess", "support:CreateCase", True),
    ("DatabaseAdministrator", "rds:CreateDBInstance", True),
    ("DatabaseAdministrator", "ec2:RunInstances", False),
    ("DatabaseAdministrator", "iam:PassRole", True, "arn:aws:iam::111122223333:role/rds-monitoring-role"),
    ("DatabaseAdministrator", "iam:PassRole", False, "arn:aws:iam::111122223333:role/admin"),
    ("DataScientist", "sagemaker:CreateTrainingJob", True),
    ("DataScientist", "iam:CreateRole", False),
    ("NetworkAdministrator", "ec2:CreateVpc", True),
    ("NetworkAdministrator", "ec2:CreateSubnet", True),
    ("NetworkAdministrator", "ec2:RunInstances", False),
    ("SystemAdministrator", "ec2:RunInstances", True),
    ("SystemAdministrator", "iam:CreateUser", False),
    ("IAMFullAccess", "iam:CreateUser", True),
    ("IAMFullAccess", "organizations:CreateAccount", False),
    ("IAMReadOnlyAccess", "iam:GetUser", True),
    ("IAMReadOnlyAccess", "iam:SimulatePrincipalPolicy", True),
    ("IAMReadOnlyAccess", "iam:CreateUser", False),
    ("IAMUserChangePassword", "iam:ChangePassword", True, ALICE),
    ("IAMUserChangePassword", "iam:ChangePassword", True, "arn:aws:iam::111122223333:user/team/alice"),
    ("IAMUserChangePassword", "iam:ChangePassword", False, "arn:aws:iam::111122223333:user/bob"),
    ("IAMUserChangePassword", "iam:GetAccountPasswordPolicy", True),
    ("IAMUserSSHKeys", "iam:UploadSSHPublicKey", True, ALICE),
    ("IAMUserSSHKeys", "iam:UploadSSHPublicKey", False, "arn:aws:iam::111122223333:user/bob"),
    ("IAMSelfManageServiceSpecificCredentials", "iam:ResetServiceSpecificCredential", True, ALICE),
    ("IAMSelfManageServiceSpecificCredentials", "iam:CreateAccessKey", False, ALICE),
    ("IAMAccessAdvisorReadOnly", "iam:GetServiceLastAccessedDetails", True),
    ("IAMAccessAnalyzerReadOnlyAccess", "access-analyzer:CreateAnalyzer", False),
    ("IAMAccessAnalyzerFullAccess", "access-analyzer:CreateAnalyzer", True),
    ("AmazonS3FullAccess", "s3:DeleteBucket", True),
    ("AmazonS3FullAccess", "ec2:RunInstances", False),
    ("AmazonS3ReadOnlyAccess", "s3:GetObject", True, "arn:aws:s3:::bucket/key"),
    ("AmazonS3ReadOnlyAccess", "s3:ListBucket", True, "arn:aws:s3:::bucket"),
    ("AmazonS3ReadOnlyAccess", "s3:PutObject", False, "arn:aws:s3:::bucket/key"),
    ("AmazonS3ReadOnlyAccess", "s3:DeleteObject", False, "arn:aws:s3:::bucket/key"),
    ("AmazonEC2FullAccess", "ec2:TerminateInstances", True),
    ("AmazonEC2FullAccess", "iam:PassRole", False),
    ("AmazonEC2ReadOnlyAccess", "ec2:DescribeInstances", True),
    ("AmazonEC2ReadOnlyAccess", "ec2:TerminateInstances", False),
    ("AmazonVPCFullAccess", "ec2:CreateVpc", True),
    ("AmazonVPCFullAccess", "ec2:RunInstances", False),
    ("AmazonVPCReadOnlyAccess", "ec2:DescribeVpcs", True),
    ("AmazonVPCReadOnlyAccess", "ec2:DeleteVpc", False),
    ("AmazonRDSFullAccess", "rds:DeleteDBInstance", True),
    ("AmazonRDSReadOnlyAccess", "rds:DescribeDBInstances", True),
    ("AmazonRDSReadOnlyAccess", "rds:DeleteDBInstance", False),
    ("AmazonDynamoDBFullAccess", "dynamodb:PutItem", True),
    ("AmazonDynamoDBReadOnlyAccess", "dynamodb:GetItem", True),
    ("AmazonDynamoDBReadOnlyAccess", "dynamodb:PutItem", False),
    ("AmazonSQSFullAccess", "sqs:SendMessage", True),
    ("AmazonSQSReadOnlyAccess", "sqs:ListQueues", True),
    ("AmazonSQSReadOnlyAccess", "sqs:ReceiveMessage", False),
    ("AmazonSNSFullAccess", "sns:Publish", True),
    ("AmazonSNSReadOnlyAccess", "sns:Publish", False),
    ("AWSLambda_FullAccess", "lambda:CreateFunction", True),
    ("AWSLambda_FullAccess", "iam:PassRole", False),
    ("AWSLambda_ReadOnlyAccess", "lambda:GetFunction", True),
    ("AWSLambda_ReadOnlyAccess", "lambda:InvokeFunction", False),
    ("AWSLambdaBasicExecutionRole", "logs:PutLogEvents", True),
    ("AWSLambdaBasicExecutionRole", "logs:GetLogEvents", False),
    ("AWSLambdaVPCAccessExecutionRole", "ec2:CreateNetworkInterface", True),
    ("AWSLambdaSQSQueueExecutionRole", "sqs:ReceiveMessage", True),
    ("AWSLambdaSQSQueueExecutionRole", "sqs:SendMessage", False),
    ("CloudWatchFullAccess", "cloudwatch:PutMetricAlarm", True),
    ("CloudWatchReadOnlyAccess", "cloudwatch:GetMetricData", True),
    ("CloudWatchReadOnlyAccess", "cloudwatch:PutMetricAlarm", False),
    ("CloudWatchLogsFullAccess", "logs:DeleteLogGroup", True),
    ("CloudWatchLogsReadOnlyAccess", "logs:DeleteLogGroup", False),
    ("CloudWatchAgentServerPolicy", "cloudwatch:PutMetricData", True),
    ("AWSKeyManagementServicePowerUser", "kms:CreateKey", True),
    ("AWSKeyManagementServicePowerUser", "kms:Decrypt", False),
    ("AWSKeyManagementServicePowerUser", "kms:ScheduleKeyDeletion", False),
    ("SecretsManagerReadWrite", "secretsmanager:GetSecretValue", True),
    ("SecretsManagerReadWrite", "lambda:InvokeFunction", False, "arn:aws:lambda:eu-west-1:111122223333:function:other"),
    ("AmazonSSMFullAccess", "ssm:PutParameter", True),
    ("AmazonSSMReadOnlyAccess", "ssm:GetParameter", True),
    ("AmazonSSMReadOnlyAccess", "ssm:PutParameter", False),
    ("AmazonSSMManagedInstanceCore", "ssmmessages:OpenDataChannel", True),
    ("AmazonECS_FullAccess", "ecs:RunTask", True),
    ("AmazonECSTaskExecutionRolePolicy", "ecr:BatchGetImage", True),
    ("AmazonECSTaskExecutionRolePolicy", "ecr:PutImage", False),
    ("AmazonEC2ContainerRegistryFullAccess", "ecr:DeleteRepository", True),
    ("AmazonEC2ContainerRegistryPowerUser", "ecr:PutImage", True),
    ("AmazonEC2ContainerRegistryPowerUser", "ecr:DeleteRepository", False),
    ("AmazonEC2ContainerRegistryReadOnly", "ecr:PutImage", False),
    ("AmazonEKSClusterPolicy", "elasticloadbalancing:CreateLoadBalancer", True),
    ("AmazonEKSWorkerNodePolicy", "eks:DescribeCluster", True),
    ("AmazonEKS_CNI_Policy", "ec2:AttachNetworkInterface", True),
    ("AmazonRoute53FullAccess", "route53:ChangeResourceRecordSets", True),
    ("AmazonRoute53ReadOnlyAccess", "route53:ChangeResourceRecordSets", False),
    ("CloudFrontFullAccess", "cloudfront:CreateInvalidation", True),
    ("CloudFrontReadOnlyAccess", "cloudfront:CreateInvalidation", False),
    ("AmazonKinesisFullAccess", "kinesis:PutRecord", True),
    ("AmazonKinesisReadOnlyAccess", "kinesis:GetRecords", True),
    ("AmazonKinesisReadOnlyAccess", "kinesis:PutRecord", False),
    ("AWSGlueConsoleFullAccess", "glue:CreateJob", True),
    ("AWSGlueServiceRole", "s3:GetObject", True, "arn:aws:s3:::aws-glue-temp/x"),
    ("AWSGlueServiceRole", "s3:GetObject", False, "arn:aws:s3:::private/x"),
    ("AmazonAthenaFullAccess", "athena:StartQueryExecution", True),
    ("AWSCloudShellFullAccess", "cloudshell:CreateSession", True),
    ("AWSCloudShellFullAccess", "s3:GetObject", False),
    ("AWSOrganizationsFullAccess", "organizations:CreateAccount", True),
    ("AWSOrganizationsReadOnlyAccess", "organizations:ListAccounts", True),
    ("AWSOrganizationsReadOnlyAccess", "organizations:CreateAccount", False),
    ("AWSCodeCommitPowerUser", "codecommit:GitPush", True),
    ("AWSCodeCommitPowerUser", "codecommit:DeleteRepository", False),
    ("AWSCodeCommitReadOnly", "codecommit:GitPush", False),
    ("AmazonAPIGatewayInvokeFullAccess", "execute-api:Invoke", True, "arn:aws:execute-api:eu-west-1:111122223333:api/stage/GET/x"),
]


def allows(name: str, action: str, resource: str = "*", **context: str) -> bool:
    """Whether the policy allows alice an action."""
    attached = policy.Attached(policy.compiled(BUILT_IN[name].document))
    keys = policy.context({"aws:username": "alice", **context})
    request = policy.Request(policy.Principal("user", ALICE, "111122223333"), action, resource, "111122223333", keys)
    return policy.decide(request, policy.Layers(identity=(attached,))).allowed


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: "-".join(map(str, promise)))
def test_each_allows_what_its_name_says(promise: tuple[Any, ...]) -> None:
    name, action, expected, *resource = promise
    assert allows(name, action, *resource) is expected


@pytest.mark.parametrize(
    ("name", "service", "expected"),
    [
        ("AWSLambda_FullAccess", "lambda.amazonaws.com", True),
        ("AWSLambda_FullAccess", "ec2.amazonaws.com", False),
        ("AmazonECS_FullAccess", "ecs-tasks.amazonaws.com", True),
        ("AmazonECS_FullAccess", "lambda.amazonaws.com", False),
        ("DataScientist", "sagemaker.amazonaws.com", True),
    ],
)
def test_roles_are_passed_to_the_service_alone(name: str, service: str, expected: bool) -> None:
    passed = allows(name, "iam:PassRole", "arn:aws:iam::111122223333:role/any", **{"iam:PassedToService": service})
    assert passed is expected


@pytest.fixture(scope="module")
def loaded(shared: House) -> int:
    """The program's policies are in the database; how many that changed."""
    return managed_policies.load(shared.node.database)


def test_they_are_loaded_once(house: House, loaded: int) -> None:
    assert loaded == len(BUILT_IN)
    before = house.call("ListPolicies", scope="AWS", max_items=1000).policies
    assert managed_policies.load(house.node.database) == 0
    after = house.call("ListPolicies", scope="AWS", max_items=1000).policies
    assert list(after) == list(before)
    assert {one.arn for one in managed_policies.built_in()} <= {one.arn for one in after}
    with house.node.database.read() as session:
        records = session.query(AuditRecord).where(AuditRecord.event_name == "ImportManagedPolicies", AuditRecord.account_id == "aws")
        assert "arn:aws:iam::aws:policy/AdministratorAccess" in next(iter(records)).request


@pytest.mark.usefixtures("loaded")
def test_every_account_sees_attaches_and_may_not_change_them(house: House, refused: Refused) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
    assert arn not in [one.arn for one in house.call("ListPolicies", scope="Local").policies]
    under = house.call("ListPolicies", scope="AWS", path_prefix="/job-function/").policies
    assert {"Billing", "ViewOnlyAccess", "SupportUser"} <= {one.policy_name for one in under}
    got = house.call("GetPolicy", policy_arn=arn).policy
    assert (got.description, got.default_version_id, got.is_attachable) == ("Buckets and objects, to read.", "v3", True)
    document = house.call("GetPolicyVersion", policy_arn=arn, version_id="v3").policy_version.document
    assert json.loads(document)["Statement"][0]["Effect"] == "Allow"
    reader = house.user("reader")
    house.call("AttachUserPolicy", user_name="reader", policy_arn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
    assert len(house.call("ListUsers", _as=reader).users) == 1
    assert refused("CreateUser", _as=reader, user_name="x")[0] == "AccessDenied"
    house.call("CreateGroup", group_name="g")
    house.call("AttachGroupPolicy", group_name="g", policy_arn=arn)
    house.call("CreateRole", role_name="r", assume_role_policy_document=TRUST_EC2, permissions_boundary=arn)
    house.call("AttachRolePolicy", role_name="r", policy_arn=arn)
    assert refused("DeletePolicy", policy_arn=arn)[0] == "AccessDenied"
    assert refused("CreatePolicyVersion", policy_arn=arn, policy_document=allow("s3:*"))[0] == "AccessDenied"
    assert refused("TagPolicy", policy_arn=arn, tags=[{"key": "k", "value": "v"}])[0] == "AccessDenied"


def made(number: int, name: str = "Changing", path: str = "/") -> ManagedPolicy:
    return ManagedPolicy(name, path, f"number {number}.", allow(f"s3:Action{number}"))


def versions(house: House, name: str) -> tuple[str, list[str]]:
    """The version in force, and those that there are."""
    with house.node.database.read() as session:
        (row,) = session.query(Policy).where(Policy.account_id == "aws", Policy.name == name)
        numbers = session.query(PolicyVersion.number).where(PolicyVersion.policy_id == row.id).order_by(PolicyVersion.number)
        return f"v{row.default_version}", [f"v{number}" for (number,) in numbers]


def test_another_text_is_a_new_version_and_the_oldest_go(shared: House) -> None:
    for number in range(KEPT + 2):
        assert managed_policies.put(shared.node.database, [made(number)], imported=False) == 1
    assert versions(shared, "Changing") == ("v7", ["v3", "v4", "v5", "v6", "v7"])


def test_an_older_release_does_not_undo_a_newer(shared: House) -> None:
    managed_policies.put(shared.node.database, [made(1, "Rolling")], imported=False)
    managed_policies.put(shared.node.database, [made(2, "Rolling")], imported=False)
    assert managed_policies.put(shared.node.database, [made(1, "Rolling")], imported=False) == 0
    assert versions(shared, "Rolling") == ("v2", ["v1", "v2"])


def test_what_an_operator_imported_stays(shared: House) -> None:
    managed_policies.put(shared.node.database, [made(1, "Imported")], imported=False)
    assert managed_policies.put(shared.node.database, [made(2, "Imported", "/moved/")], imported=True) == 1
    assert managed_policies.put(shared.node.database, [made(2, "Imported", "/moved/")], imported=True) == 0
    assert managed_policies.put(shared.node.database, [made(3, "Imported")], imported=False) == 0
    assert versions(shared, "Imported") == ("v2", ["v1", "v2"])
    assert shared.call("GetPolicy", policy_arn="arn:aws:iam::aws:policy/moved/Imported").policy.description == "number 2."


def test_an_attached_policy_that_is_imported_anew_decides_at_once(house: House, refused: Refused) -> None:
    managed_policies.put(house.node.database, [ManagedPolicy("Live", "/", "", allow("iam:ListGroups"))], imported=True)
    alice = house.user("alice")
    house.call("AttachUserPolicy", user_name="alice", policy_arn="arn:aws:iam::aws:policy/Live")
    assert refused("ListUsers", _as=alice)[0] == "AccessDenied"
    managed_policies.put(house.node.database, [ManagedPolicy("Live", "/", "", allow("iam:ListUsers"))], imported=True)
    assert len(house.call("ListUsers", _as=alice).users) == 1


DOCUMENT = json.loads(allow("s3:GetObject"))


def test_a_file_is_an_array_or_has_an_object_a_line() -> None:
    entries = [
        {"arn": "arn:aws:iam::aws:policy/job-function/One", "description": "one", "document": DOCUMENT},
        {"name": "Two", "path": "/x/", "document": json.dumps(DOCUMENT)},
        {"arn": "arn:aws:iam::aws:policy/Three", "document": DOCUMENT},
    ]
    found = files.read(json.dumps(entries))
    assert [one.arn for one in found] == [
        "arn:aws:iam::aws:policy/job-function/One",
        "arn:aws:iam::aws:policy/x/Two",
        "arn:aws:iam::aws:policy/Three",
    ]
    assert [one.description for one in found] == ["one", "", ""]
    assert all(json.loads(one.document) == DOCUMENT for one in found)
    assert files.read("\n\n".join(json.dumps(entry) for entry in entries)) == found


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("none", "the file is neither a JSON array nor one JSON object a line: "),
        ("[1]", "entry 1 is no object of"),
        ({"name": "A", "documents": DOCUMENT}, "entry 1 is no object of"),
        ({"document": DOCUMENT}, "entry 1 has either an `arn`, or a `name` with or without a `path`"),
        ({"arn": "arn:aws:iam::aws:policy/A", "name": "A", "document": DOCUMENT}, "entry 1 has either an `arn`"),
        ({"arn": "arn:aws:iam::aws:policy/A", "path": "/", "document": DOCUMENT}, "entry 1 has either an `arn`"),
        ({"arn": "arn:aws:iam::111122223333:policy/A", "document": DOCUMENT}, "entry 1: `arn:aws:iam::111122223333:policy/A` does not"),
        ({"arn": "arn:aws:iam::aws:policy/", "document": DOCUMENT}, "entry 1: `/` and `` are no path and name of a policy"),
        ({"name": "A B", "document": DOCUMENT}, "entry 1: `/` and `A B` are no path and name of a policy"),
        ({"name": "A", "path": "x", "document": DOCUMENT}, "entry 1: `x` and `A` are no path and name of a policy"),
        ({"name": "A", "description": 1, "document": DOCUMENT}, "entry 1: a description is text of at most 1,000 characters"),
        ({"name": "A", "document": "{}"}, "entry 1, `A`: Syntax errors in policy."),
        ({"name": "A", "document": {**DOCUMENT, "Version": "2008-10-17"}}, "entry 1, `A`: Policy document must be version 2012-10-17"),
    ],
    ids=[
        "no_json", "no_object", "unknown_key", "no_name", "two_names", "path_beside_arn", "arn_of_an_account", "arn_without_a_name",
        "name", "path", "description", "document", "old_document",
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(entry: Any, said: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        files.read(entry if isinstance(entry, str) else json.dumps(entry))
    assert caught.value.message[: len(said)] == said


def test_a_name_stands_in_a_file_once() -> None:
    with pytest.raises(InvalidFile) as caught:
        files.read(json.dumps([{"name": name, "document": DOCUMENT} for name in ("Same", "same")]))
    assert caught.value.message == "the policy `Same` stands in the file twice"
