"""The methods, each in a world in which it leads somewhere."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.analysis.escalation.worlds import EVERYTHING, IAM, Document, One, World, allow, told, trust

Scene = Callable[[Sequence[Document]], World]
ME = "user/mallory"
POWER = {"all": [EVERYTHING]}
ADMIN = One([EVERYTHING])


def alone(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One(statements)}, policies=POWER)


def role_alone(statements: Sequence[Document]) -> World:
    return World(roles={"mallory": One(statements)}, policies=POWER)


def in_a_group(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One(statements, groups=["staff"])}, groups={"staff": ([], [])}, policies=POWER)


def beside_a_group(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One(statements)}, groups={"admins": ([EVERYTHING], [])})


def with_a_policy(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One(statements, ["mine"])}, policies={"mine": [allow("a:B")]})


def with_an_older_version(statements: Sequence[Document]) -> World:
    return replace(with_a_policy(statements), older={"mine": [[EVERYTHING]]})


def all_but(statements: Sequence[Document]) -> Document:
    """A Deny of everything but what statements are about."""
    return {"Effect": "Deny", "NotAction": [action for one in statements for action in one["Action"]] or ["a:B"], "Resource": "*"}


def bounded(statements: Sequence[Document]) -> World:
    """An administrator but for its boundary."""
    bound = list(statements) or [allow("a:B")]
    return World(users={"mallory": One([EVERYTHING], boundary="bound")}, policies={"bound": bound, **POWER})


def bounded_role(statements: Sequence[Document]) -> World:
    bound = list(statements) or [allow("a:B")]
    return World(roles={"mallory": One([EVERYTHING], boundary="bound")}, policies={"bound": bound, **POWER})


def denied_inline(statements: Sequence[Document]) -> World:
    """An administrator but for a Deny."""
    return World(users={"mallory": One([all_but(statements)], ["all"])}, policies=POWER)


def denied_inline_role(statements: Sequence[Document]) -> World:
    return World(roles={"mallory": One([all_but(statements)], ["all"])}, policies=POWER)


def denied_by_a_policy(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One([EVERYTHING], ["no"])}, policies={"no": [all_but(statements)]})


def denied_by_a_policy_role(statements: Sequence[Document]) -> World:
    return World(roles={"mallory": One([EVERYTHING], ["no"])}, policies={"no": [all_but(statements)]})


def denied_by_a_group(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One([EVERYTHING], groups=["staff"])}, groups={"staff": ([all_but(statements)], [])})


def admin_user(statements: Sequence[Document], **fields: object) -> World:
    return World(users={"mallory": One(statements), "admin": replace(ADMIN, **fields)})  # type: ignore[arg-type]  # names of fields


def admin_with_two_keys(statements: Sequence[Document]) -> World:
    return admin_user(statements, keys=2)


def admin_with_a_password(statements: Sequence[Document]) -> World:
    return admin_user(statements, password=True)


def admin_role(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One(statements)}, roles={"admin": ADMIN})


def admin_role_of_the_account(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One(statements)}, roles={"admin": One([EVERYTHING], trust=trust(AWS=f"{IAM}root"))})


def admin_role_of_a_provider(statements: Sequence[Document]) -> World:
    trusted = trust(Federated=f"{IAM}saml-provider/corp")
    return World(users={"mallory": One(statements)}, roles={"admin": One([EVERYTHING], trust=trusted)})


def some_user(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One(statements), "ben": One([allow("a:B")], ["mine"])}, policies={"mine": [allow("a:B")], **POWER})


def some_role(statements: Sequence[Document]) -> World:
    role = One([allow("a:B")], ["mine"], trust=trust(AWS=f"{IAM}root"))
    return World(users={"mallory": One(statements)}, roles={"worker": role}, policies={"mine": [allow("a:B")], **POWER})


def some_role_of_others(statements: Sequence[Document]) -> World:
    return replace(some_role(statements), roles={"worker": One([allow("a:B")], ["mine"])})


def nobody_else(statements: Sequence[Document]) -> World:
    return World(users={"mallory": One(statements)}, groups={"admins": ([EVERYTHING], [])}, policies=POWER)


def nobody_else_for_a_role(statements: Sequence[Document]) -> World:
    return World(roles={"mallory": One(statements)}, groups={"admins": ([EVERYTHING], [])})


def run_by(*services: str) -> Scene:
    """An administrator's role that services may act as."""

    def scene(statements: Sequence[Document]) -> World:
        role = One([EVERYTHING], trust=trust(Service=list(services)))
        return World(users={"mallory": One(statements)}, roles={"admin": role}, profiles=frozenset(("role/admin",)))

    return scene


APPS, AGENTS, STACKS = "tasks.apprunner.amazonaws.com", "bedrock-agentcore.amazonaws.com", "cloudformation.amazonaws.com"
BUILDS, PIPELINES, MACHINES = "codebuild.amazonaws.com", "datapipeline.amazonaws.com", "ec2.amazonaws.com"
TASKS, GLUE, LAMBDA, MODELS = "ecs-tasks.amazonaws.com", "glue.amazonaws.com", "lambda.amazonaws.com", "sagemaker.amazonaws.com"

CASES: dict[str, tuple[Scene, str]] = {
    "iam:CreatePolicyVersion": (with_a_policy, ME),
    "iam:CreateAccessKey": (admin_user, "user/admin"),
    "iam:CreateAccessKey + iam:DeleteAccessKey": (admin_with_two_keys, "user/admin"),
    "iam:CreateLoginProfile": (admin_user, "user/admin"),
    "iam:PutRolePolicy": (role_alone, "role/mallory"),
    "iam:UpdateLoginProfile": (admin_with_a_password, "user/admin"),
    "iam:PutUserPolicy": (alone, ME),
    "iam:AttachUserPolicy": (alone, ME),
    "iam:AttachRolePolicy": (role_alone, "role/mallory"),
    "iam:AttachGroupPolicy": (in_a_group, ME),
    "iam:PutGroupPolicy": (in_a_group, ME),
    "iam:UpdateAssumeRolePolicy": (admin_role, "role/admin"),
    "iam:AddUserToGroup": (beside_a_group, ME),
    "sts:AssumeRole": (admin_role_of_the_account, "role/admin"),
    "iam:AttachRolePolicy + sts:AssumeRole": (some_role, "role/worker"),
    "iam:AttachUserPolicy + iam:CreateAccessKey": (some_user, "user/ben"),
    "iam:CreatePolicyVersion + sts:AssumeRole": (some_role, "role/worker"),
    "iam:PutRolePolicy + sts:AssumeRole": (some_role, "role/worker"),
    "iam:PutUserPolicy + iam:CreateAccessKey": (some_user, "user/ben"),
    "iam:AttachRolePolicy + iam:UpdateAssumeRolePolicy": (some_role_of_others, "role/worker"),
    "iam:CreatePolicyVersion + iam:UpdateAssumeRolePolicy": (some_role_of_others, "role/worker"),
    "iam:PutRolePolicy + iam:UpdateAssumeRolePolicy": (some_role_of_others, "role/worker"),
    "iam:PassRole + apprunner:CreateService": (run_by(APPS), "role/admin"),
    "apprunner:UpdateService": (run_by(APPS), "role/admin"),
    "iam:PassRole + bedrock-agentcore:CreateCodeInterpreter + bedrock-agentcore:StartCodeInterpreterSession"
    " + bedrock-agentcore:InvokeCodeInterpreter": (run_by(AGENTS), "role/admin"),
    "bedrock-agentcore:StartCodeInterpreterSession + bedrock-agentcore:InvokeCodeInterpreter": (run_by(AGENTS), "role/admin"),
    "iam:PassRole + cloudformation:CreateStack": (run_by(STACKS), "role/admin"),
    "cloudformation:UpdateStack": (run_by(STACKS), "role/admin"),
    "iam:PassRole + cloudformation:CreateStackSet + cloudformation:CreateStackInstances": (run_by(STACKS), "role/admin"),
    "iam:PassRole + cloudformation:UpdateStackSet": (run_by(STACKS), "role/admin"),
    "cloudformation:CreateChangeSet + cloudformation:ExecuteChangeSet": (run_by(STACKS), "role/admin"),
    "iam:PassRole + codebuild:CreateProject + codebuild:StartBuild": (run_by(BUILDS), "role/admin"),
    "codebuild:StartBuild": (run_by(BUILDS), "role/admin"),
    "codebuild:StartBuildBatch": (run_by(BUILDS), "role/admin"),
    "iam:PassRole + codebuild:CreateProject + codebuild:StartBuildBatch": (run_by(BUILDS), "role/admin"),
    "iam:PassRole + datapipeline:CreatePipeline + datapipeline:PutPipelineDefinition + datapipeline:ActivatePipeline": (
        run_by(PIPELINES),
        "role/admin",
    ),
    "iam:PassRole + ec2:RunInstances": (run_by(MACHINES), "role/admin"),
    "ec2:ModifyInstanceAttribute + ec2:StopInstances + ec2:StartInstances": (run_by(MACHINES), "role/admin"),
    "iam:PassRole + ec2:RequestSpotInstances": (run_by(MACHINES), "role/admin"),
    "ec2:CreateLaunchTemplateVersion + ec2:ModifyLaunchTemplate": (run_by(MACHINES), "role/admin"),
    "ec2-instance-connect:SendSSHPublicKey": (run_by(MACHINES), "role/admin"),
    "iam:PassRole + ecs:CreateCluster + ecs:RegisterTaskDefinition + ecs:CreateService": (run_by(TASKS), "role/admin"),
    "iam:PassRole + ecs:CreateCluster + ecs:RegisterTaskDefinition + ecs:RunTask": (run_by(TASKS), "role/admin"),
    "iam:PassRole + ecs:RegisterTaskDefinition + ecs:CreateService": (run_by(TASKS), "role/admin"),
    "iam:PassRole + ecs:RegisterTaskDefinition + ecs:RunTask": (run_by(TASKS), "role/admin"),
    "iam:PassRole + ecs:RegisterTaskDefinition + ecs:StartTask": (run_by(TASKS), "role/admin"),
    "iam:PassRole + glue:CreateDevEndpoint": (run_by(GLUE), "role/admin"),
    "glue:UpdateDevEndpoint": (run_by(GLUE), "role/admin"),
    "iam:PassRole + glue:CreateJob + glue:StartJobRun": (run_by(GLUE), "role/admin"),
    "iam:PassRole + glue:CreateJob + glue:CreateTrigger": (run_by(GLUE), "role/admin"),
    "iam:PassRole + glue:UpdateJob + glue:StartJobRun": (run_by(GLUE), "role/admin"),
    "iam:PassRole + glue:UpdateJob + glue:CreateTrigger": (run_by(GLUE), "role/admin"),
    "iam:PassRole + lambda:CreateFunction + lambda:InvokeFunction": (run_by(LAMBDA), "role/admin"),
    "iam:PassRole + lambda:CreateFunction + lambda:CreateEventSourceMapping": (run_by(LAMBDA), "role/admin"),
    "lambda:UpdateFunctionCode": (run_by(LAMBDA), "role/admin"),
    "lambda:UpdateFunctionCode + lambda:InvokeFunction": (run_by(LAMBDA), "role/admin"),
    "lambda:UpdateFunctionCode + lambda:AddPermission": (run_by(LAMBDA), "role/admin"),
    "iam:PassRole + lambda:CreateFunction + lambda:AddPermission": (run_by(LAMBDA), "role/admin"),
    "iam:PassRole + sagemaker:CreateNotebookInstance": (run_by(MODELS), "role/admin"),
    "iam:PassRole + sagemaker:CreateTrainingJob": (run_by(MODELS), "role/admin"),
    "iam:PassRole + sagemaker:CreateProcessingJob": (run_by(MODELS), "role/admin"),
    "sagemaker:CreatePresignedNotebookInstanceUrl": (run_by(MODELS), "role/admin"),
    "sagemaker:CreateNotebookInstanceLifecycleConfig + sagemaker:StopNotebookInstance + sagemaker:UpdateNotebookInstance"
    " + sagemaker:StartNotebookInstance": (run_by(MODELS), "role/admin"),
    "ssm:StartSession": (run_by(MACHINES), "role/admin"),
    "ssm:SendCommand": (run_by(MACHINES), "role/admin"),
}
"""The 65, each by its actions: where it leads somewhere, and whom mallory acts as then."""

MORE: dict[str, tuple[Scene, str]] = {
    "iam:SetDefaultPolicyVersion": (with_an_older_version, ME),
    "iam:DeleteUserPermissionsBoundary": (bounded, ME),
    "iam:DeleteRolePermissionsBoundary": (bounded_role, "role/mallory"),
    "iam:PutUserPermissionsBoundary": (bounded, ME),
    "iam:PutRolePermissionsBoundary": (bounded_role, "role/mallory"),
    "iam:DeleteUserPolicy": (denied_inline, ME),
    "iam:DeleteRolePolicy": (denied_inline_role, "role/mallory"),
    "iam:DetachUserPolicy": (denied_by_a_policy, ME),
    "iam:DetachRolePolicy": (denied_by_a_policy_role, "role/mallory"),
    "iam:RemoveUserFromGroup": (denied_by_a_group, ME),
    "iam:UpdateSAMLProvider": (admin_role_of_a_provider, "role/admin"),
    "iam:CreatePolicyVersion + iam:CreateAccessKey": (some_user, "user/ben"),
    "iam:CreateUser + iam:AttachUserPolicy + iam:CreateAccessKey": (nobody_else, "user/new-one"),
    "iam:CreateUser + iam:PutUserPolicy + iam:CreateAccessKey": (nobody_else, "user/new-one"),
    "iam:CreateUser + iam:AddUserToGroup + iam:CreateAccessKey": (nobody_else_for_a_role, "user/new-one"),
    "iam:CreateRole + iam:AttachRolePolicy + sts:AssumeRole": (nobody_else, "role/new-one"),
    "iam:CreateRole + iam:PutRolePolicy + sts:AssumeRole": (nobody_else, "role/new-one"),
}


SCOPES: dict[Scene, list[str]] = {
    some_user: [f"{IAM}user/ben", f"{IAM}policy/mine"],
    nobody_else: [f"{IAM}user/new-*", f"{IAM}role/new-*", f"{IAM}group/admins"],
    nobody_else_for_a_role: [f"{IAM}user/new-*", f"{IAM}group/admins"],
}
"""On what mallory is permitted, where on everything a shorter way would be open."""


def statements_of(name: str, without: str = "") -> list[Document]:
    """What a method takes, but for one action."""
    scope = SCOPES.get((CASES | MORE)[name][0], ["*"])
    return [allow(action, on=scope) for action in name.split(" + ") if action != without]


def outcomes(world: World) -> Iterator[tuple[str, str]]:
    """The rule and the new self of each path that mallory has."""
    for source, hops in told(world.find()).items():
        if source.endswith("/mallory"):
            assert len(hops) == 1, hops
            rule, _, becomes = hops[0].partition(" -> ")
            yield rule, becomes


SHORTER = {
    "lambda:UpdateFunctionCode + lambda:InvokeFunction": "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionCode + lambda:AddPermission": "lambda:UpdateFunctionCode",
    "iam:PassRole + codebuild:CreateProject + codebuild:StartBuild": "codebuild:StartBuild",
    "iam:PassRole + codebuild:CreateProject + codebuild:StartBuildBatch": "codebuild:StartBuildBatch",
    "iam:PassRole + bedrock-agentcore:CreateCodeInterpreter + bedrock-agentcore:StartCodeInterpreterSession"
    " + bedrock-agentcore:InvokeCodeInterpreter": (
        "bedrock-agentcore:StartCodeInterpreterSession + bedrock-agentcore:InvokeCodeInterpreter"
    ),
    "iam:PassRole + ecs:CreateCluster + ecs:RegisterTaskDefinition + ecs:CreateService": (
        "iam:PassRole + ecs:RegisterTaskDefinition + ecs:CreateService"
    ),
    "iam:PassRole + ecs:CreateCluster + ecs:RegisterTaskDefinition + ecs:RunTask": (
        "iam:PassRole + ecs:RegisterTaskDefinition + ecs:RunTask"
    ),
}
"""Methods of which a part is a method, too, where something is there already: without the rest of it they still lead somewhere."""

IMPLIED = {name: "sts:AssumeRole" for name in MORE if "sts:AssumeRole" in name}
"""What need not be permitted: mallory names itself in the trust policy of its own role, which is enough within an account."""


def left_of(name: str, action: str) -> list[tuple[str, str]]:
    """What is still open to mallory without one of the actions."""
    shorter = SHORTER.get(name, "")
    is_part = bool(shorter) and action not in shorter.split(" + ")
    return [(shorter, (CASES | MORE)[name][1])] if is_part else []
