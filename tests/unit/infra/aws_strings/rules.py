"""The constraints that AWS documents, service by service, each with the page that states it."""

from __future__ import annotations

from typing import Final

from tests.unit.infra.aws_strings.rule import DOCS, Json, Map, Text, choice

_NAME = r"[A-Za-z0-9_-]+"
_DOTTED_NAME = r"[A-Za-z0-9_.-]+"
_ANY = r"[\s\S]+"

# ------------------------------------------------------------------------- all services

TAGS: Final = Map(
    key=Text(
        source=f"{DOCS}tag-editor/latest/userguide/best-practices-and-strats.html",
        characters=r"(?!aws:)[\w .:/=+\-@]+",
        longest=128,
    ),
    value=Text(
        source=f"{DOCS}tag-editor/latest/userguide/best-practices-and-strats.html",
        characters=r"[\w .:/=+\-@]*",
        longest=256,
        shortest=0,
    ),
)
ARN: Final = Text(
    source=f"{DOCS}IAM/latest/UserGuide/reference-arns.html",
    characters=r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12}|aws)?:[!-~]+",
    longest=2048,
    shortest=20,
)
OPTIONAL_ARN: Final = Text(
    source=ARN.source, characters=ARN.characters, longest=ARN.longest, shortest=20, blank=True
)
KMS_KEY: Final = Text(
    source=f"{DOCS}kms/latest/APIReference/API_DescribeKey.html",
    characters=r"(arn:aws[a-z-]*:kms:[!-~]+|alias/[A-Za-z0-9/_-]+|[0-9a-f-]{36})",
    longest=2048,
    blank=True,
)

# ---------------------------------------------------------------------------------- EC2

_GROUP = f"{DOCS}AWSEC2/latest/APIReference/API_CreateSecurityGroup.html"
_EC2_TEXT = r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]"
SECURITY_GROUP_NAME: Final = Text(source=_GROUP, characters=rf"(?!sg-){_EC2_TEXT}+", longest=255)
SECURITY_GROUP_DESCRIPTION: Final = Text(source=_GROUP, characters=rf"{_EC2_TEXT}+", longest=255)
SECURITY_RULE_DESCRIPTION: Final = Text(
    source=f"{DOCS}AWSEC2/latest/APIReference/API_IpRange.html",
    characters=rf"{_EC2_TEXT}*",
    longest=255,
    shortest=0,
)
CIDR: Final = Text(
    source=f"{DOCS}AWSEC2/latest/APIReference/API_IpRange.html",
    characters=r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}",
    longest=18,
)
IP_PROTOCOL: Final = choice(
    f"{DOCS}AWSEC2/latest/APIReference/API_IpPermission.html", "tcp", "udp", "icmp", "icmpv6", "-1"
)
EC2_ID: Final = Text(
    source=f"{DOCS}AWSEC2/latest/UserGuide/resource-ids.html",
    characters=r"(vpc|subnet|sg)-([0-9a-f]{8}|[0-9a-f]{17})",
    longest=24,
)

# ---------------------------------------------------------------------------------- IAM

_QUOTAS = f"{DOCS}IAM/latest/UserGuide/reference_iam-quotas.html"
_POLICY_TEXT = r"[\u0009\u000A\u000D\u0020-\u00FF]+"
_ELEMENTS = f"{DOCS}IAM/latest/UserGuide/reference_policies_elements"
ROLE_NAME: Final = Text(
    source=f"{DOCS}IAM/latest/APIReference/API_CreateRole.html",
    characters=r"[A-Za-z0-9_+=,.@-]+",
    longest=64,
)
ROLE_PATH: Final = Text(
    source=f"{DOCS}IAM/latest/APIReference/API_CreateRole.html",
    characters=r"/|/[!-~]+/",
    longest=512,
)
ROLE_POLICY_NAME: Final = Text(
    source=f"{DOCS}IAM/latest/APIReference/API_PutRolePolicy.html",
    characters=r"[A-Za-z0-9_+=,.@-]+",
    longest=128,
)
TRUST_POLICY: Final = Json(source=_QUOTAS, longest=2048, characters=_POLICY_TEXT)
ROLE_POLICY: Final = Json(source=_QUOTAS, longest=10_240, characters=_POLICY_TEXT)
STATEMENT_ID: Final = Text(
    source=f"{_ELEMENTS}_sid.html", characters=r"[A-Za-z0-9]+", longest=None, blank=True
)
EFFECT: Final = choice(f"{_ELEMENTS}_effect.html", "Allow", "Deny")
ACTION: Final = Text(
    source=f"{_ELEMENTS}_action.html", characters=r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+", longest=None
)
POLICY_RESOURCE: Final = Text(
    source=f"{_ELEMENTS}_resource.html", characters=r"\*|arn:aws[a-z-]*:[!-~]+", longest=None
)
PRINCIPAL_TYPE: Final = choice(
    f"{_ELEMENTS}_principal.html", "AWS", "Service", "Federated", "CanonicalUser", "*"
)
PRINCIPAL: Final = Text(
    source=f"{_ELEMENTS}_principal.html",
    characters=r"\*|\d{12}|arn:aws[a-z-]*:[!-~]+|[a-z0-9.-]+\.amazonaws\.com",
    longest=None,
)
CONDITION_OPERATOR: Final = Text(
    source=f"{_ELEMENTS}_condition_operators.html", characters=r"[A-Za-z:]+", longest=None
)
CONDITION_KEY: Final = Text(
    source=f"{_ELEMENTS}_condition.html", characters=r"[A-Za-z0-9-]+:[A-Za-z0-9:/-]+", longest=None
)
CONDITION_VALUE: Final = Text(
    source=f"{_ELEMENTS}_condition.html", characters=_POLICY_TEXT, longest=None
)

# ------------------------------------------------------------- SNS, SQS, Kinesis, DynamoDB

_CREATE_TABLE = f"{DOCS}amazondynamodb/latest/APIReference/API_CreateTable.html"
_CREATE_STREAM = f"{DOCS}kinesis/latest/APIReference/API_CreateStream.html"
TOPIC_NAME: Final = Text(
    source=f"{DOCS}sns/latest/api/API_CreateTopic.html", characters=_NAME, longest=256
)
SUBSCRIPTION_PROTOCOL: Final = choice(
    f"{DOCS}sns/latest/api/API_Subscribe.html",
    *("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose"),
)
QUEUE_NAME: Final = Text(
    source=f"{DOCS}AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html",
    characters=r"[A-Za-z0-9_-]+",
    longest=80,
)
REDRIVE_ALLOW_POLICY: Final = Json(
    source=f"{DOCS}AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"
)
STREAM_NAME: Final = Text(source=_CREATE_STREAM, characters=_DOTTED_NAME, longest=128)
STREAM_ENCRYPTION: Final = choice(
    f"{DOCS}kinesis/latest/APIReference/API_StartStreamEncryption.html", "NONE", "KMS"
)
STREAM_MODE: Final = choice(
    f"{DOCS}kinesis/latest/APIReference/API_StreamModeDetails.html", "PROVISIONED", "ON_DEMAND"
)
SHARD_METRIC: Final = choice(
    f"{DOCS}kinesis/latest/APIReference/API_EnableEnhancedMonitoring.html",
    *("IncomingBytes", "IncomingRecords", "OutgoingBytes", "OutgoingRecords"),
    *("WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded"),
    *("IteratorAgeMilliseconds", "ALL"),
)
TABLE_NAME: Final = Text(source=_CREATE_TABLE, characters=_DOTTED_NAME, longest=255, shortest=3)
INDEX_NAME: Final = Text(
    source=f"{DOCS}amazondynamodb/latest/APIReference/API_GlobalSecondaryIndex.html",
    characters=_DOTTED_NAME,
    longest=255,
    shortest=3,
)
TABLE_ATTRIBUTE: Final = Text(
    source=f"{DOCS}amazondynamodb/latest/APIReference/API_AttributeDefinition.html",
    characters=_ANY,
    longest=255,
    blank=True,
)
TABLE_ATTRIBUTE_TYPE: Final = choice(
    f"{DOCS}amazondynamodb/latest/APIReference/API_AttributeDefinition.html", "S", "N", "B"
)
TTL_ATTRIBUTE: Final = Text(
    source=f"{DOCS}amazondynamodb/latest/APIReference/API_TimeToLiveSpecification.html",
    characters=_ANY,
    longest=255,
    blank=True,
)
BILLING_MODE: Final = choice(_CREATE_TABLE, "PROVISIONED", "PAY_PER_REQUEST")
INDEX_PROJECTION: Final = choice(
    f"{DOCS}amazondynamodb/latest/APIReference/API_Projection.html", "ALL", "KEYS_ONLY", "INCLUDE"
)

# ----------------------------------------------------------------------------------- S3

_LIFECYCLE = f"{DOCS}AmazonS3/latest/API/API_LifecycleRule.html"
BUCKET_NAME: Final = Text(
    source=f"{DOCS}AmazonS3/latest/userguide/bucketnamingrules.html",
    characters=r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3)$)(?!.*\.\.)"
    r"[a-z0-9][a-z0-9.-]*[a-z0-9]",
    longest=63,
    shortest=3,
)
KEY_PREFIX: Final = Text(
    source=f"{DOCS}AmazonS3/latest/userguide/object-keys.html",
    characters=r"[A-Za-z0-9!_.*'()/-]+",  # the safe characters, each of one byte
    longest=1024,
    blank=True,
)
LIFECYCLE_RULE_ID: Final = Text(source=_LIFECYCLE, characters=_ANY, longest=255)
ENABLED: Final = choice(_LIFECYCLE, "Enabled", "Disabled")
STORAGE_CLASS: Final = choice(
    f"{DOCS}AmazonS3/latest/API/API_Transition.html",
    *("GLACIER", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "DEEP_ARCHIVE", "GLACIER_IR"),
)
TRANSITION_SIZE: Final = choice(
    f"{DOCS}AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html",
    *("all_storage_classes_128K", "varies_by_storage_class"),
)
OBJECT_OWNERSHIP: Final = choice(
    f"{DOCS}AmazonS3/latest/API/API_OwnershipControlsRule.html",
    *("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"),
)
SSE_ALGORITHM: Final = choice(
    f"{DOCS}AmazonS3/latest/API/API_ServerSideEncryptionByDefault.html",
    *("AES256", "aws:kms", "aws:kms:dsse"),
)
VERSIONING: Final = choice(
    # "Disabled" is the provider's word for never having asked S3 for versions.
    f"{DOCS}AmazonS3/latest/API/API_PutBucketVersioning.html",
    "Enabled",
    "Suspended",
    "Disabled",
)
