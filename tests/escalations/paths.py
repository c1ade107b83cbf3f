"""The published ways: those that are operations of IAM and STS, and those by which a service of another kind acts as a role.

Sources: S. Gietzen, "AWS IAM Privilege Escalation – Methods and Mitigation" (Rhino Security Labs); G. Kushwaha and others, "Privilege
Escalation in AWS" (Bishop Fox); https://pathfinding.cloud
"""

import json
from dataclasses import dataclass
from typing import Any

EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
CODES = {"authentication_code1": "123456", "authentication_code2": "234567"}
PASSWORD = "Correct-horse-7"  # nobody's


def trusting(account: str) -> str:
    """A trust policy for a user who wants to get in."""
    principal = {"AWS": f"arn:aws:iam::{account}:user/mallory"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})


def operations(account: str) -> dict[str, dict[str, Any]]:
    """What mallory calls: each operation with its fields. Everything that they name exists."""
    root = f"arn:aws:iam::{account}"
    user, me, role, group = {"user_name": "admin"}, {"user_name": "mallory"}, {"role_name": "admin"}, {"group_name": "admins"}
    admin, named = {"policy_arn": f"{root}:policy/everything"}, {"policy_name": "everything"}
    inline, phone, url = {**named, "policy_document": EVERYTHING}, f"{root}:mfa/phone", "https://idp.example"
    provider, saml = {"open_id_connect_provider_arn": f"{root}:oidc-provider/idp.example"}, f"{root}:saml-provider/corp"
    return {
        "CreatePolicyVersion": {"policy_arn": f"{root}:policy/mallorys", "policy_document": EVERYTHING, "set_as_default": True},
        "SetDefaultPolicyVersion": {"policy_arn": f"{root}:policy/mallorys", "version_id": "v2"},
        "CreateAccessKey": user,
        "UpdateAccessKey": {**user, "access_key_id": "AKIAIOSFODNN7EXAMPLE", "status": "Active"},
        "CreateLoginProfile": {**user, "password": PASSWORD},
        "UpdateLoginProfile": {**user, "password": PASSWORD},
        "AttachUserPolicy": {**me, **admin},
        "AttachGroupPolicy": {"group_name": "mallorys", **admin},
        "AttachRolePolicy": {"role_name": "mallorys", **admin},
        "PutUserPolicy": {**me, **inline},
        "PutGroupPolicy": {"group_name": "mallorys", **inline},
        "PutRolePolicy": {"role_name": "mallorys", **inline},
        "AddUserToGroup": {**group, **me},
        "RemoveUserFromGroup": {"group_name": "mallorys", **me},
        "UpdateAssumeRolePolicy": {**role, "policy_document": trusting(account)},
        "PutUserPermissionsBoundary": {**me, "permissions_boundary": f"{root}:policy/everything"},
        "PutRolePermissionsBoundary": {"role_name": "mallorys", "permissions_boundary": f"{root}:policy/everything"},
        "DeleteUserPermissionsBoundary": me,
        "DeleteRolePermissionsBoundary": {"role_name": "mallorys"},
        "DeleteUserPolicy": {**me, **named},
        "DeleteRolePolicy": {"role_name": "mallorys", **named},
        "DeleteGroupPolicy": {"group_name": "mallorys", **named},
        "DetachUserPolicy": {**me, **admin},
        "DetachRolePolicy": {"role_name": "mallorys", **admin},
        "DetachGroupPolicy": {"group_name": "mallorys", **admin},
        "CreateUser": {"user_name": "mallory2"},
        "CreateRole": {"role_name": "mallory2", "assume_role_policy_document": trusting(account)},
        "CreatePolicy": {"policy_name": "mallory2", "policy_document": EVERYTHING},
        "UpdateUser": {**user, "new_user_name": "admin2"},
        "UpdateRole": {**role, "max_session_duration": 43_200},
        "TagUser": {**me, "tags": [{"key": "team", "value": "admins"}]},
        "TagRole": {**role, "tags": [{"key": "team", "value": "mallory"}]},
        "UntagUser": {**me, "tag_keys": ["restricted"]},
        "CreateVirtualMFADevice": {"virtual_mfa_device_name": "phone2"},
        "EnableMFADevice": {**user, "serial_number": phone, **CODES},
        "DeactivateMFADevice": {**user, "serial_number": phone},
        "ResyncMFADevice": {**user, "serial_number": phone, **CODES},
        "DeleteVirtualMFADevice": {"serial_number": phone},
        "CreateInstanceProfile": {"instance_profile_name": "mallory2"},
        "AddRoleToInstanceProfile": {"instance_profile_name": "mallorys", **role},
        "RemoveRoleFromInstanceProfile": {"instance_profile_name": "mallorys", "role_name": "mallorys"},
        "CreateServiceLinkedRole": {"aws_service_name": "elasticbeanstalk.amazonaws.com"},
        "UploadSSHPublicKey": {**user, "ssh_public_key_body": "ssh-rsa AAAA"},
        "UploadSigningCertificate": {**user, "certificate_body": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"},
        "CreateServiceSpecificCredential": {**user, "service_name": "codecommit.amazonaws.com"},
        "ResetServiceSpecificCredential": {**user, "service_specific_credential_id": "ACCAAAAAAAAAAAAAAAAA"},
        "CreateOpenIDConnectProvider": {"url": url},
        "UpdateOpenIDConnectProviderThumbprint": {**provider, "thumbprint_list": ["a" * 40]},
        "AddClientIDToOpenIDConnectProvider": {**provider, "client_id": "mallory"},
        "UpdateSAMLProvider": {"saml_provider_arn": saml, "saml_metadata_document": "x" * 1000},
        "UpdateAccountPasswordPolicy": {"minimum_password_length": 6},
        "DeleteAccountPasswordPolicy": {},
        "AssumeRole": {"role_arn": f"{root}:role/admin", "role_session_name": "mallory"},
    }


@dataclass(frozen=True, slots=True)
class Path:
    """A service that is made to act as a role: what that takes, beside passing the role to `service` where it has none yet."""

    actions: tuple[str, ...]
    service: str = ""


SERVICES: dict[str, Path] = {
    "ec2_instance": Path(("ec2:RunInstances",), "ec2.amazonaws.com"),
    "ec2_spot_instance": Path(("ec2:RequestSpotInstances",), "ec2.amazonaws.com"),
    "ec2_launch_template": Path(("ec2:CreateLaunchTemplate", "ec2:RunInstances"), "ec2.amazonaws.com"),
    "ec2_launch_template_of_a_fleet": Path(("ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate")),
    "ec2_another_profile": Path(("ec2:ReplaceIamInstanceProfileAssociation",), "ec2.amazonaws.com"),
    "ec2_first_profile": Path(("ec2:AssociateIamInstanceProfile",), "ec2.amazonaws.com"),
    "ec2_user_data": Path(("ec2:StopInstances", "ec2:ModifyInstanceAttribute", "ec2:StartInstances")),
    "ec2_instance_connect": Path(("ec2-instance-connect:SendSSHPublicKey",)),
    "autoscaling_launch_configuration": Path(
        ("autoscaling:CreateLaunchConfiguration", "autoscaling:CreateAutoScalingGroup"), "ec2.amazonaws.com"
    ),
    "ssm_command": Path(("ssm:SendCommand",)),
    "ssm_session": Path(("ssm:StartSession",)),
    "ssm_automation": Path(("ssm:CreateDocument", "ssm:StartAutomationExecution"), "ssm.amazonaws.com"),
    "lambda_invoked": Path(("lambda:CreateFunction", "lambda:InvokeFunction"), "lambda.amazonaws.com"),
    "lambda_by_events": Path(("lambda:CreateFunction", "lambda:CreateEventSourceMapping"), "lambda.amazonaws.com"),
    "lambda_by_others": Path(("lambda:CreateFunction", "lambda:AddPermission"), "lambda.amazonaws.com"),
    "lambda_by_url": Path(("lambda:CreateFunction", "lambda:CreateFunctionUrlConfig"), "lambda.amazonaws.com"),
    "lambda_other_code": Path(("lambda:UpdateFunctionCode",)),
    "lambda_other_code_invoked": Path(("lambda:UpdateFunctionCode", "lambda:InvokeFunction")),
    "lambda_other_layer": Path(("lambda:UpdateFunctionConfiguration",)),
    "lambda_other_role": Path(("lambda:UpdateFunctionConfiguration", "lambda:InvokeFunction"), "lambda.amazonaws.com"),
    "cloudformation_stack": Path(("cloudformation:CreateStack",), "cloudformation.amazonaws.com"),
    "cloudformation_other_stack": Path(("cloudformation:UpdateStack",), "cloudformation.amazonaws.com"),
    "cloudformation_stack_with_a_role": Path(("cloudformation:UpdateStack",)),
    "cloudformation_change_set": Path(("cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet")),
    "cloudformation_stack_set": Path(
        ("cloudformation:CreateStackSet", "cloudformation:CreateStackInstances"), "cloudformation.amazonaws.com"
    ),
    "cloudformation_other_stack_set": Path(("cloudformation:UpdateStackSet",), "cloudformation.amazonaws.com"),
    "codebuild_project": Path(("codebuild:CreateProject", "codebuild:StartBuild"), "codebuild.amazonaws.com"),
    "codebuild_batch": Path(("codebuild:CreateProject", "codebuild:StartBuildBatch"), "codebuild.amazonaws.com"),
    "codebuild_other_project": Path(("codebuild:UpdateProject", "codebuild:StartBuild"), "codebuild.amazonaws.com"),
    "codebuild_other_buildspec": Path(("codebuild:StartBuild",)),
    "codebuild_other_buildspec_of_a_batch": Path(("codebuild:StartBuildBatch",)),
    "codestar_project": Path(("codestar:CreateProject",), "codestar.amazonaws.com"),
    "codestar_member": Path(("codestar:CreateProject", "codestar:AssociateTeamMember")),
    "codedeploy": Path(("codedeploy:CreateDeployment",)),
    "codepipeline": Path(("codepipeline:CreatePipeline",), "codepipeline.amazonaws.com"),
    "datapipeline": Path(
        ("datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition", "datapipeline:ActivatePipeline"), "datapipeline.amazonaws.com"
    ),
    "glue_endpoint": Path(("glue:CreateDevEndpoint",), "glue.amazonaws.com"),
    "glue_other_endpoint": Path(("glue:UpdateDevEndpoint",)),
    "glue_job": Path(("glue:CreateJob", "glue:StartJobRun"), "glue.amazonaws.com"),
    "glue_job_by_a_trigger": Path(("glue:CreateJob", "glue:CreateTrigger"), "glue.amazonaws.com"),
    "glue_other_job": Path(("glue:UpdateJob", "glue:StartJobRun"), "glue.amazonaws.com"),
    "glue_other_job_by_a_trigger": Path(("glue:UpdateJob", "glue:CreateTrigger"), "glue.amazonaws.com"),
    "glue_session": Path(("glue:CreateSession", "glue:RunStatement"), "glue.amazonaws.com"),
    "sagemaker_notebook": Path(
        ("sagemaker:CreateNotebookInstance", "sagemaker:CreatePresignedNotebookInstanceUrl"), "sagemaker.amazonaws.com"
    ),
    "sagemaker_other_notebook": Path(("sagemaker:CreatePresignedNotebookInstanceUrl",)),
    "sagemaker_life_cycle": Path(("sagemaker:CreateNotebookInstanceLifecycleConfig", "sagemaker:UpdateNotebookInstance")),
    "sagemaker_training": Path(("sagemaker:CreateTrainingJob",), "sagemaker.amazonaws.com"),
    "sagemaker_processing": Path(("sagemaker:CreateProcessingJob",), "sagemaker.amazonaws.com"),
    "ecs_task": Path(("ecs:RegisterTaskDefinition", "ecs:RunTask"), "ecs-tasks.amazonaws.com"),
    "ecs_task_on_an_instance": Path(("ecs:RegisterTaskDefinition", "ecs:StartTask"), "ecs-tasks.amazonaws.com"),
    "ecs_service": Path(("ecs:RegisterTaskDefinition", "ecs:CreateService"), "ecs-tasks.amazonaws.com"),
    "ecs_command": Path(("ecs:ExecuteCommand",)),
    "apprunner": Path(("apprunner:CreateService",), "tasks.apprunner.amazonaws.com"),
    "apprunner_other_service": Path(("apprunner:UpdateService",)),
    "bedrock_interpreter": Path(
        ("bedrock-agentcore:CreateCodeInterpreter", "bedrock-agentcore:InvokeCodeInterpreter"), "bedrock-agentcore.amazonaws.com"
    ),
    "batch_job": Path(("batch:RegisterJobDefinition", "batch:SubmitJob"), "ecs-tasks.amazonaws.com"),
    "emr_cluster": Path(("elasticmapreduce:RunJobFlow",), "elasticmapreduce.amazonaws.com"),
    "states_machine": Path(("states:CreateStateMachine", "states:StartExecution"), "states.amazonaws.com"),
    "scheduler": Path(("scheduler:CreateSchedule",), "scheduler.amazonaws.com"),
    "events_rule": Path(("events:PutRule", "events:PutTargets"), "events.amazonaws.com"),
    "cognito_identity_pool": Path(("cognito-identity:SetIdentityPoolRoles",), "cognito-identity.amazonaws.com"),
    "gamelift_fleet": Path(("gamelift:CreateFleet",), "gamelift.amazonaws.com"),
    "mwaa_environment": Path(("airflow:CreateEnvironment",), "airflow.amazonaws.com"),
    "imagebuilder": Path(("imagebuilder:CreateInfrastructureConfiguration", "imagebuilder:CreateImage"), "ec2.amazonaws.com"),
    "amplify_branch": Path(("amplify:CreateApp", "amplify:StartDeployment"), "amplify.amazonaws.com"),
}
