"""What AWS's services are called, by the name that stands before the colon of their actions.

A service that is not here, such as a company's own, is called by that name.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

_LISTED = """
access-analyzer     AWS IAM Access Analyzer
account             AWS Account Management
acm                 AWS Certificate Manager
acm-pca             AWS Private Certificate Authority
apigateway          Amazon API Gateway Management
appconfig           AWS AppConfig
application-autoscaling  AWS Application Auto Scaling
apprunner           AWS App Runner
appsync             AWS AppSync
athena              Amazon Athena
autoscaling         Amazon EC2 Auto Scaling
backup              AWS Backup
batch               AWS Batch
bedrock             Amazon Bedrock
budgets             AWS Budget Service
ce                  AWS Cost Explorer Service
cloudformation      AWS CloudFormation
cloudfront          Amazon CloudFront
cloudtrail          AWS CloudTrail
cloudwatch          Amazon CloudWatch
codeartifact        AWS CodeArtifact
codebuild           AWS CodeBuild
codecommit          AWS CodeCommit
codedeploy          AWS CodeDeploy
codepipeline        AWS CodePipeline
cognito-identity    Amazon Cognito Identity
cognito-idp         Amazon Cognito User Pools
config              AWS Config
dax                 Amazon DynamoDB Accelerator (DAX)
directconnect       AWS Direct Connect
dms                 AWS Database Migration Service
dynamodb            Amazon DynamoDB
ec2                 Amazon EC2
ecr                 Amazon Elastic Container Registry
ecs                 Amazon Elastic Container Service
eks                 Amazon Elastic Kubernetes Service
elasticache         Amazon ElastiCache
elasticbeanstalk    AWS Elastic Beanstalk
elasticfilesystem   Amazon Elastic File System
elasticloadbalancing  AWS Elastic Load Balancing
elasticmapreduce    Amazon Elastic MapReduce
es                  Amazon OpenSearch Service
events              Amazon EventBridge
firehose            Amazon Kinesis Firehose
glacier             Amazon S3 Glacier
glue                AWS Glue
guardduty           Amazon GuardDuty
health              AWS Health APIs and Notifications
iam                 AWS Identity and Access Management
inspector2          Amazon Inspector
kafka               Amazon Managed Streaming for Apache Kafka
kinesis             Amazon Kinesis
kinesisanalytics    Amazon Kinesis Analytics
kms                 AWS Key Management Service
lakeformation       AWS Lake Formation
lambda              AWS Lambda
logs                Amazon CloudWatch Logs
macie2              Amazon Macie
organizations       AWS Organizations
pricing             AWS Price List
quicksight          Amazon QuickSight
ram                 AWS Resource Access Manager
rds                 Amazon RDS
redshift            Amazon Redshift
resource-groups     AWS Resource Groups
route53             Amazon Route 53
route53domains      Amazon Route53 Domains
s3                  Amazon S3
sagemaker           Amazon SageMaker
secretsmanager      AWS Secrets Manager
securityhub         AWS Security Hub
servicediscovery    AWS Cloud Map
servicequotas       Service Quotas
ses                 Amazon SES
shield              AWS Shield
sns                 Amazon SNS
sqs                 Amazon SQS
ssm                 AWS Systems Manager
sso                 AWS IAM Identity Center
states              AWS Step Functions
storagegateway      AWS Storage Gateway
sts                 AWS Security Token Service
support             AWS Support
tag                 Amazon Resource Group Tagging API
textract            Amazon Textract
transfer            AWS Transfer Family
trustedadvisor      AWS Trusted Advisor
waf                 AWS WAF
wafv2               AWS WAF V2
xray                AWS X-Ray
"""

NAMES = {namespace: name.strip() for namespace, _, name in (line.partition(" ") for line in _LISTED.strip().splitlines())}


def name(namespace: str) -> str:
    """The service's name, or its namespace when it has none."""
    return NAMES.get(namespace, namespace)
