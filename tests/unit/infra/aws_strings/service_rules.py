"""The constraints of SES, CloudWatch, ECS and Application Auto Scaling, with their sources."""

from __future__ import annotations

from typing import Final

from tests.unit.infra.aws_strings.rule import DOCS, Json, Map, Text, choice

_NAME = r"[A-Za-z0-9_-]+"
_PRINTED = r"[^\x00-\x1f\x7f]"

# ---------------------------------------------------------------------------------- SES

_RULE = f"{DOCS}ses/latest/APIReference/API_ReceiptRule.html"
RULE_SET_NAME: Final = Text(
    source=f"{DOCS}ses/latest/APIReference/API_CreateReceiptRuleSet.html",
    characters=r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?",
    longest=64,
)
RULE_NAME: Final = Text(
    source=_RULE, characters=r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", longest=64
)
RECIPIENT: Final = Text(
    # A domain, .domain for its subdomains, or an address; RFC 5321, 4.5.3.1 limits its length.
    source=_RULE,
    characters=r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@|\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?",
    longest=320,
)
RULE_TLS: Final = choice(_RULE, "Require", "Optional")
CONFIGURATION_SET_NAME: Final = Text(
    source=f"{DOCS}ses/latest/APIReference-V2/API_CreateConfigurationSet.html",
    characters=_NAME,
    longest=64,
)
CONFIGURATION_SET_TLS: Final = choice(
    f"{DOCS}ses/latest/APIReference-V2/API_DeliveryOptions.html", "REQUIRE", "OPTIONAL"
)
EVENT_DESTINATION_NAME: Final = Text(
    source=f"{DOCS}ses/latest/APIReference/API_EventDestination.html", characters=_NAME, longest=64
)
EVENT_TYPE_V1: Final = choice(
    f"{DOCS}ses/latest/APIReference/API_EventDestination.html",
    *("send", "reject", "bounce", "complaint", "delivery", "open", "click", "renderingFailure"),
)
EVENT_TYPE_V2: Final = choice(
    f"{DOCS}ses/latest/APIReference-V2/API_EventDestinationDefinition.html",
    *("SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "OPEN", "CLICK", "RENDERING_FAILURE"),
    *("DELIVERY_DELAY", "SUBSCRIPTION"),
)
DOMAIN: Final = Text(
    # RFC 1035, 2.3.4: labels of 63 octets at most, 255 octets in all (253 as text).
    source=f"{DOCS}ses/latest/DeveloperGuide/creating-identities.html",
    characters=r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}",
    longest=253,
)
DKIM_KEY_LENGTH: Final = choice(
    f"{DOCS}ses/latest/APIReference-V2/API_DkimSigningAttributes.html",
    *("RSA_1024_BIT", "RSA_2048_BIT"),
)
MX_FAILURE_V1: Final = choice(
    f"{DOCS}ses/latest/APIReference/API_SetIdentityMailFromDomain.html",
    *("UseDefaultValue", "RejectMessage"),
)
MX_FAILURE_V2: Final = choice(
    f"{DOCS}ses/latest/APIReference-V2/API_PutEmailIdentityMailFromAttributes.html",
    *("USE_DEFAULT_VALUE", "REJECT_MESSAGE"),
)

# --------------------------------------------------------------------------- CloudWatch

_ALARM = f"{DOCS}AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"
_METRIC = f"{DOCS}AmazonCloudWatch/latest/APIReference/API_Metric.html"
_QUERY = f"{DOCS}AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html"
ALARM_NAME: Final = Text(source=_ALARM, characters=rf"{_PRINTED}+", longest=255)
ALARM_DESCRIPTION: Final = Text(source=_ALARM, characters=rf"{_PRINTED}*", longest=1024, shortest=0)
ALARM_ACTION: Final = Text(source=_ALARM, characters=r"arn:aws[a-z-]*:[!-~]+", longest=1024)
COMPARISON: Final = choice(
    _ALARM,
    *("GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold"),
    *("LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold"),
    *("LessThanLowerThreshold", "GreaterThanUpperThreshold"),
)
MISSING_DATA: Final = choice(_ALARM, "breaching", "notBreaching", "ignore", "missing")
STATISTIC: Final = choice(_ALARM, "SampleCount", "Average", "Sum", "Minimum", "Maximum")
METRIC_NAME: Final = Text(source=_METRIC, characters=r"[ -~]+", longest=255)
METRIC_NAMESPACE: Final = Text(
    source=f"{DOCS}AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html",
    characters=r"[A-Za-z0-9.\-_/#:]+(?<!:)",
    longest=255,
)
METRIC_UNIT: Final = Text(source=_ALARM, characters=r"[A-Za-z/]+", longest=32, blank=True)
DIMENSIONS: Final = Map(
    key=Text(
        source=f"{DOCS}AmazonCloudWatch/latest/APIReference/API_Dimension.html",
        characters=r"(?!:)[!-~][ -~]*",
        longest=255,
    ),
    value=Text(
        source=f"{DOCS}AmazonCloudWatch/latest/APIReference/API_Dimension.html",
        characters=r"[ -~]*[!-~][ -~]*",
        longest=1024,
    ),
)
QUERY_ID: Final = Text(source=_QUERY, characters=r"[a-z][A-Za-z0-9_]*", longest=255)
QUERY_EXPRESSION: Final = Text(source=_QUERY, characters=rf"{_PRINTED}+", longest=2048, blank=True)
QUERY_LABEL: Final = Text(source=_QUERY, characters=rf"{_PRINTED}+", longest=None, blank=True)
QUERY_ACCOUNT: Final = Text(source=_QUERY, characters=r"\d{12}", longest=255, blank=True)
DASHBOARD_NAME: Final = Text(
    source=f"{DOCS}AmazonCloudWatch/latest/APIReference/API_PutDashboard.html",
    characters=_NAME,
    longest=255,
)
DASHBOARD_BODY: Final = Json(
    source=f"{DOCS}AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"
)
LOG_GROUP_NAME: Final = Text(
    source=f"{DOCS}AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
    characters=r"(?!aws/)[A-Za-z0-9_/.#-]+",
    longest=512,
)

# ------------------------------------------------------------ ECS, Application Auto Scaling

_SERVICE = f"{DOCS}AmazonECS/latest/APIReference/API_CreateService.html"
_TASK = f"{DOCS}AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html"
_PLATFORM = f"{DOCS}AmazonECS/latest/APIReference/API_RuntimePlatform.html"
_TARGET = f"{DOCS}autoscaling/application/APIReference/API_RegisterScalableTarget.html"
_POLICY = f"{DOCS}autoscaling/application/APIReference/API_PutScalingPolicy.html"
_STEPS = f"{DOCS}autoscaling/application/APIReference/API_StepScalingPolicyConfiguration.html"
CLUSTER_NAME: Final = Text(
    source=f"{DOCS}AmazonECS/latest/APIReference/API_CreateCluster.html",
    characters=_NAME,
    longest=255,
)
CLUSTER_SETTING: Final = choice(
    f"{DOCS}AmazonECS/latest/APIReference/API_ClusterSetting.html", "containerInsights"
)
CLUSTER_SETTING_VALUE: Final = choice(
    f"{DOCS}AmazonECS/latest/APIReference/API_ClusterSetting.html",
    *("enhanced", "enabled", "disabled"),
)
SERVICE_NAME: Final = Text(source=_SERVICE, characters=_NAME, longest=255)
LAUNCH_TYPE: Final = choice(_SERVICE, "EC2", "FARGATE", "EXTERNAL")
PROPAGATE_TAGS: Final = choice(_SERVICE, "TASK_DEFINITION", "SERVICE", "NONE")
SCHEDULING: Final = choice(_SERVICE, "REPLICA", "DAEMON")
REBALANCING: Final = choice(_SERVICE, "ENABLED", "DISABLED")
TASK_FAMILY: Final = Text(source=_TASK, characters=_NAME, longest=255)
TASK_SIZE: Final = Text(source=_TASK, characters=r"\d+", longest=7)
NETWORK_MODE: Final = choice(_TASK, "bridge", "host", "awsvpc", "none")
COMPATIBILITY: Final = choice(_TASK, "EC2", "FARGATE", "EXTERNAL")
CPU_ARCHITECTURE: Final = choice(_PLATFORM, "X86_64", "ARM64")
OPERATING_SYSTEM: Final = choice(_PLATFORM, "LINUX")
SCALING_RESOURCE: Final = Text(
    source=_TARGET, characters=r"service/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+", longest=1600
)
SCALING_NAMESPACE: Final = choice(_TARGET, "ecs")
SCALING_DIMENSION: Final = choice(_TARGET, "ecs:service:DesiredCount")
SCALING_POLICY_NAME: Final = Text(source=_POLICY, characters=r"[ -~]+", longest=256)
SCALING_POLICY_TYPE: Final = choice(_POLICY, "StepScaling", "TargetTrackingScaling")
ADJUSTMENT: Final = choice(_STEPS, "ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")
AGGREGATION: Final = choice(_STEPS, "Average", "Minimum", "Maximum")
STEP_BOUND: Final = Text(
    source=f"{DOCS}autoscaling/application/APIReference/API_StepAdjustment.html",
    characters=r"-?\d+(\.\d+)?",
    longest=None,
    blank=True,
)
