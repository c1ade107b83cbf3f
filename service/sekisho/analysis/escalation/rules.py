"""The published methods by which a principal gets more permissions than it was given, as a table.

A demand is an action and, behind the `@`, on what it must be permitted:

    self, group, policy   the principal itself, a group that it is in, a policy of its account that it has
    target                the principal that is got at
    other                 a group that it is not in
    held                  a policy of the account that the target has
    new                   a user or role that does not exist yet
    profile               an instance profile that does not exist yet
    account               what is between an account and a control policy: the account, a unit, the policy, the root
    all else              something of the action's service, by `FORMS`; nothing there: `*`

All demands of one rule that say the same word are about the same thing. What the permissions lead to is the rule's way (`Way`) and what it
needs besides (`needs`). `published` are the 65 methods of the collections below; the others are variations of them.

Sources: S. Gietzen, "AWS IAM Privilege Escalation – Methods and Mitigation" (Rhino Security Labs); G. Kleijn, "Privilege Escalation in AWS"
(Bishop Fox); E. Steringer, PMapper (NCC Group); https://pathfinding.cloud
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple


class Way(enum.StrEnum):
    """What a method does."""

    OWN = "own"  # changes what the principal itself is permitted
    BECOME = "become"  # gets the credentials of another principal
    RAISE = "raise"  # gives another principal permissions, and becomes it
    NEW = "new"  # makes a principal with permissions, and becomes it
    PASS = "pass"  # noqa: S105  # has a service act as a role that it passes
    HELD = "held"  # uses something that acts as a role already
    FREE = "free"  # takes control policies away from an account of an organization


class Demand(NamedTuple):
    """An action that must be permitted, and on what."""

    action: str
    on: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A method. `gives` says how permissions are given or taken away (OWN, RAISE, NEW) or what holds them back (FREE), `by` how the target
    is become, `kind` whom the method is for (OWN: the principal, else the target): a user, a role, or either. `service` acts as a role
    (PASS, HELD)."""

    way: Way
    demands: tuple[Demand, ...]
    gives: str = ""
    by: str = ""
    kind: str = ""
    service: str = ""
    published: bool = True

    @property
    def name(self) -> str:
        """The actions, in the order in which they are done."""
        return " + ".join(demand.action for demand in self.demands)


def _rule(way: Way, demands: str, **said: object) -> Rule:
    parts = (one.partition("@") for one in demands.split())
    return Rule(way, tuple(Demand(action, on or "anything") for action, _, on in parts), **said)  # type: ignore[arg-type]  # names of fields


_OWN = (
    _rule(Way.OWN, "iam:CreatePolicyVersion@policy", gives="version"),
    _rule(Way.OWN, "iam:PutRolePolicy@self", gives="put", kind="role"),
    _rule(Way.OWN, "iam:PutUserPolicy@self", gives="put", kind="user"),
    _rule(Way.OWN, "iam:PutGroupPolicy@group", gives="put", kind="user"),
    _rule(Way.OWN, "iam:AttachUserPolicy@self", gives="attach", kind="user"),
    _rule(Way.OWN, "iam:AttachRolePolicy@self", gives="attach", kind="role"),
    _rule(Way.OWN, "iam:AttachGroupPolicy@group", gives="attach", kind="user"),
    _rule(Way.OWN, "iam:AddUserToGroup@other", gives="join", kind="user"),
    _rule(Way.OWN, "iam:SetDefaultPolicyVersion@policy", gives="older", published=False),
    _rule(Way.OWN, "iam:DeleteUserPermissionsBoundary@self", gives="unbind", kind="user", published=False),
    _rule(Way.OWN, "iam:DeleteRolePermissionsBoundary@self", gives="unbind", kind="role", published=False),
    _rule(Way.OWN, "iam:PutUserPermissionsBoundary@self", gives="rebind", kind="user", published=False),
    _rule(Way.OWN, "iam:PutRolePermissionsBoundary@self", gives="rebind", kind="role", published=False),
    _rule(Way.OWN, "iam:DeleteUserPolicy@self", gives="delete", kind="user", published=False),
    _rule(Way.OWN, "iam:DeleteRolePolicy@self", gives="delete", kind="role", published=False),
    _rule(Way.OWN, "iam:DetachUserPolicy@self", gives="detach", kind="user", published=False),
    _rule(Way.OWN, "iam:DetachRolePolicy@self", gives="detach", kind="role", published=False),
    _rule(Way.OWN, "iam:RemoveUserFromGroup@group", gives="leave", kind="user", published=False),
)
_OTHERS = (
    _rule(Way.BECOME, "iam:CreateAccessKey@target", by="key", kind="user"),
    _rule(Way.BECOME, "iam:CreateAccessKey@target iam:DeleteAccessKey@target", by="exchanged key", kind="user"),
    _rule(Way.BECOME, "iam:CreateLoginProfile@target", by="first password", kind="user"),
    _rule(Way.BECOME, "iam:UpdateLoginProfile@target", by="other password", kind="user"),
    _rule(Way.BECOME, "iam:UpdateAssumeRolePolicy@target", by="own trust", kind="role"),
    _rule(Way.BECOME, "sts:AssumeRole@target", by="trust", kind="role"),
    _rule(Way.BECOME, "iam:UpdateSAMLProvider@provider", by="provider", kind="role", published=False),
    _rule(Way.RAISE, "iam:AttachRolePolicy@target sts:AssumeRole@target", gives="attach", by="trust", kind="role"),
    _rule(Way.RAISE, "iam:AttachUserPolicy@target iam:CreateAccessKey@target", gives="attach", by="key", kind="user"),
    _rule(Way.RAISE, "iam:CreatePolicyVersion@held sts:AssumeRole@target", gives="version", by="trust", kind="role"),
    _rule(Way.RAISE, "iam:PutRolePolicy@target sts:AssumeRole@target", gives="put", by="trust", kind="role"),
    _rule(Way.RAISE, "iam:PutUserPolicy@target iam:CreateAccessKey@target", gives="put", by="key", kind="user"),
    _rule(Way.RAISE, "iam:AttachRolePolicy@target iam:UpdateAssumeRolePolicy@target", gives="attach", by="own trust", kind="role"),
    _rule(Way.RAISE, "iam:CreatePolicyVersion@held iam:UpdateAssumeRolePolicy@target", gives="version", by="own trust", kind="role"),
    _rule(Way.RAISE, "iam:PutRolePolicy@target iam:UpdateAssumeRolePolicy@target", gives="put", by="own trust", kind="role"),
    _rule(Way.RAISE, "iam:CreatePolicyVersion@held iam:CreateAccessKey@target", gives="version", by="key", kind="user", published=False),
    _rule(Way.NEW, "iam:CreateUser@new iam:AttachUserPolicy@new iam:CreateAccessKey@new", gives="attach", kind="user", published=False),
    _rule(Way.NEW, "iam:CreateUser@new iam:PutUserPolicy@new iam:CreateAccessKey@new", gives="put", kind="user", published=False),
    _rule(Way.NEW, "iam:CreateUser@new iam:AddUserToGroup@other iam:CreateAccessKey@new", gives="join", kind="user", published=False),
    _rule(Way.NEW, "iam:CreateRole@new iam:AttachRolePolicy@new sts:AssumeRole@new", gives="attach", kind="role", published=False),
    _rule(Way.NEW, "iam:CreateRole@new iam:PutRolePolicy@new sts:AssumeRole@new", gives="put", kind="role", published=False),
)

_FREE = (
    _rule(Way.FREE, "organizations:MoveAccount@account", gives="move", published=False),
    _rule(Way.FREE, "organizations:DetachPolicy@account", gives="detach", published=False),
    _rule(Way.FREE, "organizations:UpdatePolicy@account", gives="rewrite", published=False),
    _rule(Way.FREE, "organizations:DisablePolicyType@account", gives="disable", published=False),
    _rule(Way.FREE, "organizations:RemoveAccountFromOrganization@account", gives="remove", published=False),
    _rule(Way.FREE, "organizations:LeaveOrganization", gives="leave", published=False),
)

_SERVICES = """
pass  tasks.apprunner.amazonaws.com    apprunner:CreateService@app
held  tasks.apprunner.amazonaws.com    apprunner:UpdateService@app
pass  bedrock-agentcore.amazonaws.com  bedrock-agentcore:CreateCodeInterpreter@interpreter
      bedrock-agentcore:StartCodeInterpreterSession@interpreter bedrock-agentcore:InvokeCodeInterpreter@interpreter
held  bedrock-agentcore.amazonaws.com  bedrock-agentcore:StartCodeInterpreterSession@interpreter
      bedrock-agentcore:InvokeCodeInterpreter@interpreter
pass  cloudformation.amazonaws.com     cloudformation:CreateStack@stack
held  cloudformation.amazonaws.com     cloudformation:UpdateStack@stack
pass  cloudformation.amazonaws.com     cloudformation:CreateStackSet@stack-set cloudformation:CreateStackInstances@stack-set
pass  cloudformation.amazonaws.com     cloudformation:UpdateStackSet@stack-set
held  cloudformation.amazonaws.com     cloudformation:CreateChangeSet@stack cloudformation:ExecuteChangeSet@stack
pass  codebuild.amazonaws.com          codebuild:CreateProject@project codebuild:StartBuild@project
held  codebuild.amazonaws.com          codebuild:StartBuild@project
held  codebuild.amazonaws.com          codebuild:StartBuildBatch@project
pass  codebuild.amazonaws.com          codebuild:CreateProject@project codebuild:StartBuildBatch@project
pass  datapipeline.amazonaws.com       datapipeline:CreatePipeline datapipeline:PutPipelineDefinition@pipeline
      datapipeline:ActivatePipeline@pipeline
pass  ec2.amazonaws.com                ec2:RunInstances@instance
held  ec2.amazonaws.com                ec2:ModifyInstanceAttribute@instance ec2:StopInstances@instance ec2:StartInstances@instance
pass  ec2.amazonaws.com                ec2:RequestSpotInstances@spot
held  ec2.amazonaws.com                ec2:CreateLaunchTemplateVersion@template ec2:ModifyLaunchTemplate@template
held  ec2.amazonaws.com                ec2-instance-connect:SendSSHPublicKey@instance
pass  ecs-tasks.amazonaws.com          ecs:CreateCluster@cluster ecs:RegisterTaskDefinition@task ecs:CreateService@ecs-service
pass  ecs-tasks.amazonaws.com          ecs:CreateCluster@cluster ecs:RegisterTaskDefinition@task ecs:RunTask@task
pass  ecs-tasks.amazonaws.com          ecs:RegisterTaskDefinition@task ecs:CreateService@ecs-service
pass  ecs-tasks.amazonaws.com          ecs:RegisterTaskDefinition@task ecs:RunTask@task
pass  ecs-tasks.amazonaws.com          ecs:RegisterTaskDefinition@task ecs:StartTask@task
pass  glue.amazonaws.com               glue:CreateDevEndpoint@endpoint
held  glue.amazonaws.com               glue:UpdateDevEndpoint@endpoint
pass  glue.amazonaws.com               glue:CreateJob@job glue:StartJobRun@job
pass  glue.amazonaws.com               glue:CreateJob@job glue:CreateTrigger@trigger
pass  glue.amazonaws.com               glue:UpdateJob@job glue:StartJobRun@job
pass  glue.amazonaws.com               glue:UpdateJob@job glue:CreateTrigger@trigger
pass  lambda.amazonaws.com             lambda:CreateFunction@function lambda:InvokeFunction@function
pass  lambda.amazonaws.com             lambda:CreateFunction@function lambda:CreateEventSourceMapping
held  lambda.amazonaws.com             lambda:UpdateFunctionCode@function
held  lambda.amazonaws.com             lambda:UpdateFunctionCode@function lambda:InvokeFunction@function
held  lambda.amazonaws.com             lambda:UpdateFunctionCode@function lambda:AddPermission@function
pass  lambda.amazonaws.com             lambda:CreateFunction@function lambda:AddPermission@function
pass  sagemaker.amazonaws.com          sagemaker:CreateNotebookInstance@notebook
pass  sagemaker.amazonaws.com          sagemaker:CreateTrainingJob@training
pass  sagemaker.amazonaws.com          sagemaker:CreateProcessingJob@processing
held  sagemaker.amazonaws.com          sagemaker:CreatePresignedNotebookInstanceUrl@notebook
held  sagemaker.amazonaws.com          sagemaker:CreateNotebookInstanceLifecycleConfig@life-cycle sagemaker:StopNotebookInstance@notebook
      sagemaker:UpdateNotebookInstance@notebook sagemaker:StartNotebookInstance@notebook
held  ec2.amazonaws.com                ssm:StartSession@instance
held  ec2.amazonaws.com                ssm:SendCommand@instance
"""
"""Ways, the service that acts as the role, and the demands beside iam:PassRole on it; all 43 are published."""

_MORE_SERVICES = """
pass  airflow-env.amazonaws.com        airflow:CreateEnvironment@environment
pass  ecs-tasks.amazonaws.com          batch:RegisterJobDefinition@definition batch:SubmitJob@definition
pass  codedeploy.amazonaws.com         codedeploy:CreateDeploymentGroup@deployment codedeploy:CreateDeployment@deployment
pass  codepipeline.amazonaws.com       codepipeline:CreatePipeline@release
pass  codestar.amazonaws.com           codestar:CreateProject
held  ecs-tasks.amazonaws.com          ecs:ExecuteCommand@running
pass  ec2.amazonaws.com                ec2:AssociateIamInstanceProfile@instance
pass  ec2.amazonaws.com                ec2:ReplaceIamInstanceProfileAssociation@instance
pass  ec2.amazonaws.com                autoscaling:CreateLaunchConfiguration@launch autoscaling:CreateAutoScalingGroup@scaling
pass  elasticmapreduce.amazonaws.com   elasticmapreduce:RunJobFlow
pass  gamelift.amazonaws.com           gamelift:CreateFleet
pass  glue.amazonaws.com               glue:CreateSession@session glue:RunStatement@session
pass  ec2.amazonaws.com                imagebuilder:CreateInfrastructureConfiguration@infrastructure imagebuilder:CreateImage@image
held  lambda.amazonaws.com             lambda:UpdateFunctionConfiguration@function
pass  lambda.amazonaws.com             lambda:CreateFunction@function lambda:CreateFunctionUrlConfig@function
pass  scheduler.amazonaws.com          scheduler:CreateSchedule@schedule
pass  ssm.amazonaws.com                ssm:CreateDocument@document ssm:StartAutomationExecution@automation
pass  states.amazonaws.com             states:CreateStateMachine@machine states:StartExecution@machine
"""
"""Likewise; variations of the published ones."""

FORMS = {
    "app": "apprunner:service/x/x",
    "automation": "ssm:automation-definition/x",
    "cluster": "ecs:cluster/x",
    "definition": "batch:job-definition/x",
    "deployment": "codedeploy:deploymentgroup:x/x",
    "document": "ssm:document/x",
    "ecs-service": "ecs:service/x/x",
    "endpoint": "glue:devEndpoint/x",
    "environment": "airflow:environment/x",
    "function": "lambda:function:x",
    "image": "imagebuilder:image/x/1.0.0/1",
    "infrastructure": "imagebuilder:infrastructure-configuration/x",
    "instance": "ec2:instance/i-x",
    "interpreter": "bedrock-agentcore:code-interpreter-custom/x",
    "job": "glue:job/x",
    "launch": "autoscaling:launchConfiguration:x:launchConfigurationName/x",
    "life-cycle": "sagemaker:notebook-instance-lifecycle-config/x",
    "machine": "states:stateMachine:x",
    "notebook": "sagemaker:notebook-instance/x",
    "pipeline": "datapipeline:pipeline/x",
    "processing": "sagemaker:processing-job/x",
    "project": "codebuild:project/x",
    "release": "codepipeline:x",
    "running": "ecs:task/x/x",
    "scaling": "autoscaling:autoScalingGroup:x:autoScalingGroupName/x",
    "schedule": "scheduler:schedule/default/x",
    "session": "glue:session/x",
    "spot": "ec2:spot-instances-request/x",
    "stack": "cloudformation:stack/x/x",
    "stack-set": "cloudformation:stackset/x:x",
    "task": "ecs:task-definition/x:1",
    "template": "ec2:launch-template/x",
    "training": "sagemaker:training-job/x",
    "trigger": "glue:trigger/x",
}
"""What a service's own things are called: the service of the ARN, and its last part.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""


def _of_services(table: str, *, published: bool) -> tuple[Rule, ...]:
    lines = table.replace("\n      ", " ").strip().splitlines()
    found = []
    for line in lines:
        way, service, demands = line.split(maxsplit=2)
        passing = "iam:PassRole@target " if way == Way.PASS else ""
        found.append(_rule(Way(way), passing + demands, kind="role", service=service, published=published))
    return tuple(found)


RULES = (*_OWN, *_OTHERS, *_FREE, *_of_services(_SERVICES, published=True), *_of_services(_MORE_SERVICES, published=False))

PUBLISHED = tuple(rule for rule in RULES if rule.published)

INSTANCES = frozenset(("ec2.amazonaws.com",))
"""Services that act as the role of an instance profile."""
