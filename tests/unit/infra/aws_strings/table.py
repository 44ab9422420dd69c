"""Which rule applies to which attribute, by Terraform's resource types.

A path names nested blocks with dots; ``[]`` stands for any index of a list or set. An attribute
that a plan has and this table lacks fails the test over the plans: look its constraint up in AWS's
API reference, add the rule, and name it here.
"""

from __future__ import annotations

from typing import Final

from tests.unit.infra.aws_strings import rules as r
from tests.unit.infra.aws_strings import service_rules as s
from tests.unit.infra.aws_strings.rule import Attributes

_STATEMENT = "statement[]."
_QUERY_METRIC = "metric_query[].metric[]."
_SCALED: Attributes = {
    "resource_id": s.SCALING_RESOURCE,
    "scalable_dimension": s.SCALING_DIMENSION,
    "service_namespace": s.SCALING_NAMESPACE,
}

TABLE: Final[dict[str, Attributes]] = {
    "aws_appautoscaling_policy": {
        **_SCALED,
        "name": s.SCALING_POLICY_NAME,
        "policy_type": s.SCALING_POLICY_TYPE,
        "step_scaling_policy_configuration[].adjustment_type": s.ADJUSTMENT,
        "step_scaling_policy_configuration[].metric_aggregation_type": s.AGGREGATION,
        "step_scaling_policy_configuration[].step_adjustment[].metric_interval_lower_bound": (
            s.STEP_BOUND
        ),
        "step_scaling_policy_configuration[].step_adjustment[].metric_interval_upper_bound": (
            s.STEP_BOUND
        ),
    },
    "aws_appautoscaling_target": {**_SCALED, "tags_all": r.TAGS},
    "aws_cloudwatch_dashboard": {
        "dashboard_body": s.DASHBOARD_BODY,
        "dashboard_name": s.DASHBOARD_NAME,
    },
    "aws_cloudwatch_log_group": {"name": s.LOG_GROUP_NAME, "tags_all": r.TAGS},
    "aws_cloudwatch_metric_alarm": {
        "alarm_actions[]": s.ALARM_ACTION,
        "alarm_description": s.ALARM_DESCRIPTION,
        "alarm_name": s.ALARM_NAME,
        "comparison_operator": s.COMPARISON,
        "dimensions": s.DIMENSIONS,
        "metric_name": s.METRIC_NAME,
        "metric_query[].account_id": s.QUERY_ACCOUNT,
        "metric_query[].expression": s.QUERY_EXPRESSION,
        "metric_query[].id": s.QUERY_ID,
        "metric_query[].label": s.QUERY_LABEL,
        f"{_QUERY_METRIC}dimensions": s.DIMENSIONS,
        f"{_QUERY_METRIC}metric_name": s.METRIC_NAME,
        f"{_QUERY_METRIC}namespace": s.METRIC_NAMESPACE,
        f"{_QUERY_METRIC}stat": s.STATISTIC,
        f"{_QUERY_METRIC}unit": s.METRIC_UNIT,
        "namespace": s.METRIC_NAMESPACE,
        "ok_actions[]": s.ALARM_ACTION,
        "statistic": s.STATISTIC,
        "tags_all": r.TAGS,
        "treat_missing_data": s.MISSING_DATA,
    },
    "aws_dynamodb_table": {
        "attribute[].name": r.TABLE_ATTRIBUTE,
        "attribute[].type": r.TABLE_ATTRIBUTE_TYPE,
        "billing_mode": r.BILLING_MODE,
        "global_secondary_index[].hash_key": r.TABLE_ATTRIBUTE,
        "global_secondary_index[].name": r.INDEX_NAME,
        "global_secondary_index[].projection_type": r.INDEX_PROJECTION,
        "global_secondary_index[].range_key": r.TABLE_ATTRIBUTE,
        "hash_key": r.TABLE_ATTRIBUTE,
        "name": r.TABLE_NAME,
        "range_key": r.TABLE_ATTRIBUTE,
        "tags_all": r.TAGS,
        "ttl[].attribute_name": r.TTL_ATTRIBUTE,
    },
    "aws_ecs_cluster": {
        "name": s.CLUSTER_NAME,
        "setting[].name": s.CLUSTER_SETTING,
        "setting[].value": s.CLUSTER_SETTING_VALUE,
        "tags_all": r.TAGS,
    },
    "aws_ecs_service": {
        "availability_zone_rebalancing": s.REBALANCING,
        "launch_type": s.LAUNCH_TYPE,
        "name": s.SERVICE_NAME,
        "network_configuration[].subnets[]": r.EC2_ID,
        "propagate_tags": s.PROPAGATE_TAGS,
        "scheduling_strategy": s.SCHEDULING,
        "tags_all": r.TAGS,
    },
    "aws_ecs_task_definition": {
        "cpu": s.TASK_SIZE,
        "family": s.TASK_FAMILY,
        "memory": s.TASK_SIZE,
        "network_mode": s.NETWORK_MODE,
        "requires_compatibilities[]": s.COMPATIBILITY,
        "runtime_platform[].cpu_architecture": s.CPU_ARCHITECTURE,
        "runtime_platform[].operating_system_family": s.OPERATING_SYSTEM,
        "tags_all": r.TAGS,
    },
    "aws_iam_policy_document": {
        f"{_STATEMENT}actions[]": r.ACTION,
        f"{_STATEMENT}condition[].test": r.CONDITION_OPERATOR,
        f"{_STATEMENT}condition[].values[]": r.CONDITION_VALUE,
        f"{_STATEMENT}condition[].variable": r.CONDITION_KEY,
        f"{_STATEMENT}effect": r.EFFECT,
        f"{_STATEMENT}principals[].identifiers[]": r.PRINCIPAL,
        f"{_STATEMENT}principals[].type": r.PRINCIPAL_TYPE,
        f"{_STATEMENT}resources[]": r.POLICY_RESOURCE,
        f"{_STATEMENT}sid": r.STATEMENT_ID,
    },
    "aws_iam_role": {
        "assume_role_policy": r.TRUST_POLICY,
        "name": r.ROLE_NAME,
        "path": r.ROLE_PATH,
        "tags_all": r.TAGS,
    },
    "aws_iam_role_policy": {"name": r.ROLE_POLICY_NAME, "policy": r.ROLE_POLICY},
    "aws_iam_role_policy_attachment": {"policy_arn": r.ARN, "role": r.ROLE_NAME},
    "aws_kinesis_stream": {
        "encryption_type": r.STREAM_ENCRYPTION,
        "kms_key_id": r.KMS_KEY,
        "name": r.STREAM_NAME,
        "shard_level_metrics[]": r.SHARD_METRIC,
        "stream_mode_details[].stream_mode": r.STREAM_MODE,
        "tags_all": r.TAGS,
    },
    "aws_s3_bucket": {"bucket": r.BUCKET_NAME, "tags_all": r.TAGS},
    "aws_s3_bucket_lifecycle_configuration": {
        "rule[].filter[].prefix": r.KEY_PREFIX,
        "rule[].id": r.LIFECYCLE_RULE_ID,
        "rule[].prefix": r.KEY_PREFIX,
        "rule[].status": r.ENABLED,
        "rule[].transition[].storage_class": r.STORAGE_CLASS,
        "transition_default_minimum_object_size": r.TRANSITION_SIZE,
    },
    "aws_s3_bucket_ownership_controls": {"rule[].object_ownership": r.OBJECT_OWNERSHIP},
    "aws_s3_bucket_policy": {},
    "aws_s3_bucket_public_access_block": {},
    "aws_s3_bucket_server_side_encryption_configuration": {
        "rule[].apply_server_side_encryption_by_default[].kms_master_key_id": r.KMS_KEY,
        "rule[].apply_server_side_encryption_by_default[].sse_algorithm": r.SSE_ALGORITHM,
    },
    "aws_s3_bucket_versioning": {"versioning_configuration[].status": r.VERSIONING},
    "aws_security_group": {
        "description": r.SECURITY_GROUP_DESCRIPTION,
        "name": r.SECURITY_GROUP_NAME,
        "tags_all": r.TAGS,
        "vpc_id": r.EC2_ID,
    },
    "aws_ses_active_receipt_rule_set": {"rule_set_name": s.RULE_SET_NAME},
    "aws_ses_configuration_set": {"name": s.CONFIGURATION_SET_NAME},
    "aws_ses_domain_dkim": {"domain": s.DOMAIN},
    "aws_ses_domain_identity": {"domain": s.DOMAIN},
    "aws_ses_domain_mail_from": {
        "behavior_on_mx_failure": s.MX_FAILURE_V1,
        "domain": s.DOMAIN,
        "mail_from_domain": s.DOMAIN,
    },
    "aws_ses_event_destination": {
        "configuration_set_name": s.CONFIGURATION_SET_NAME,
        "matching_types[]": s.EVENT_TYPE_V1,
        "name": s.EVENT_DESTINATION_NAME,
    },
    "aws_ses_receipt_rule": {
        "name": s.RULE_NAME,
        "recipients[]": s.RECIPIENT,
        "rule_set_name": s.RULE_SET_NAME,
        "s3_action[].bucket_name": r.BUCKET_NAME,
        "s3_action[].iam_role_arn": r.OPTIONAL_ARN,
        "s3_action[].kms_key_arn": r.KMS_KEY,
        "s3_action[].object_key_prefix": r.KEY_PREFIX,
        "tls_policy": s.RULE_TLS,
    },
    "aws_ses_receipt_rule_set": {"rule_set_name": s.RULE_SET_NAME},
    "aws_sesv2_configuration_set": {
        "configuration_set_name": s.CONFIGURATION_SET_NAME,
        "delivery_options[].tls_policy": s.CONFIGURATION_SET_TLS,
        "tags_all": r.TAGS,
    },
    "aws_sesv2_configuration_set_event_destination": {
        "configuration_set_name": s.CONFIGURATION_SET_NAME,
        "event_destination[].matching_event_types[]": s.EVENT_TYPE_V2,
        "event_destination_name": s.EVENT_DESTINATION_NAME,
    },
    "aws_sesv2_email_identity": {
        "dkim_signing_attributes[].next_signing_key_length": s.DKIM_KEY_LENGTH,
        "email_identity": s.DOMAIN,
        "tags_all": r.TAGS,
    },
    "aws_sesv2_email_identity_mail_from_attributes": {
        "behavior_on_mx_failure": s.MX_FAILURE_V2,
        "email_identity": s.DOMAIN,
        "mail_from_domain": s.DOMAIN,
    },
    "aws_sns_topic": {"name": r.TOPIC_NAME, "tags_all": r.TAGS},
    "aws_sns_topic_policy": {},
    "aws_sns_topic_subscription": {"protocol": r.SUBSCRIPTION_PROTOCOL},
    "aws_sqs_queue": {
        "name": r.QUEUE_NAME,
        "redrive_allow_policy": r.REDRIVE_ALLOW_POLICY,
        "tags_all": r.TAGS,
    },
    "aws_sqs_queue_policy": {},
    "aws_sqs_queue_redrive_policy": {},
    "aws_vpc_security_group_egress_rule": {
        "cidr_ipv4": r.CIDR,
        "description": r.SECURITY_RULE_DESCRIPTION,
        "ip_protocol": r.IP_PROTOCOL,
        "tags_all": r.TAGS,
    },
}

_ASSIGNED = "the ARN, URL or id that AWS assigns to another resource of the plan"
_BUCKET = "the name of a bucket of the plan, which is checked there"
_STATEMENTS = "a policy that names assigned ARNs; its statements are checked as a data source's"

AFTER_APPLY: Final[dict[str, dict[str, str]]] = {
    "aws_cloudwatch_metric_alarm": {"alarm_actions": _ASSIGNED},
    "aws_ecs_service": {
        "cluster": _ASSIGNED,
        "network_configuration[].security_groups": _ASSIGNED,
        "task_definition": _ASSIGNED,
    },
    "aws_ecs_task_definition": {
        "container_definitions": "its environment has the assigned URL of a queue",
        "execution_role_arn": _ASSIGNED,
        "task_role_arn": _ASSIGNED,
    },
    "aws_iam_policy_document": {
        "statement[].condition[].values[]": _ASSIGNED,
        "statement[].resources[]": _ASSIGNED,
    },
    "aws_iam_role_policy": {
        "policy": _STATEMENTS,
        "role": "the name of a role of the plan, which is checked there",
    },
    "aws_s3_bucket_lifecycle_configuration": {"bucket": _BUCKET},
    "aws_s3_bucket_ownership_controls": {"bucket": _BUCKET},
    "aws_s3_bucket_policy": {"bucket": _BUCKET, "policy": _STATEMENTS},
    "aws_s3_bucket_public_access_block": {"bucket": _BUCKET},
    "aws_s3_bucket_server_side_encryption_configuration": {"bucket": _BUCKET},
    "aws_s3_bucket_versioning": {"bucket": _BUCKET},
    "aws_ses_event_destination": {"sns_destination[].topic_arn": _ASSIGNED},
    "aws_ses_receipt_rule": {"s3_action[].topic_arn": _ASSIGNED},
    "aws_sesv2_configuration_set_event_destination": {
        "event_destination[].sns_destination[].topic_arn": _ASSIGNED
    },
    "aws_sns_topic_policy": {"arn": _ASSIGNED, "policy": _STATEMENTS},
    "aws_sns_topic_subscription": {"endpoint": _ASSIGNED, "topic_arn": _ASSIGNED},
    "aws_sqs_queue": {"redrive_allow_policy": "names the assigned ARN of another queue"},
    "aws_sqs_queue_policy": {"policy": _STATEMENTS, "queue_url": _ASSIGNED},
    "aws_sqs_queue_redrive_policy": {
        "queue_url": _ASSIGNED,
        "redrive_policy": "names the assigned ARN of the queue for dead letters",
    },
    "aws_vpc_security_group_egress_rule": {"security_group_id": _ASSIGNED},
}
"""Configured attributes that only an apply knows, by type and path, each with the reason."""
