data "aws_caller_identity" "current" {}

locals {
  # The names of one event differ between SES's two APIs, and v1 has no DELIVERY_DELAY.
  events = {
    v2 = ["SEND", "DELIVERY", "DELIVERY_DELAY", "BOUNCE", "COMPLAINT", "REJECT"]
    v1 = ["send", "delivery", "bounce", "complaint", "reject"]
  }
}

resource "aws_sns_topic" "feedback" {
  # checkov:skip=CKV_AWS_26:SES can't publish to a topic under alias/aws/sns; what it publishes is encrypted in the queue behind it.
  name              = "${var.prefix}-${var.topic}"
  signature_version = 2 # SHA-256; version 1 signs with SHA-1
}

data "aws_iam_policy_document" "feedback" {
  statement {
    sid       = "SesPublishesSendingEvents"
    actions   = ["SNS:Publish"]
    resources = [aws_sns_topic.feedback.arn]

    principals {
      type        = "Service"
      identifiers = ["ses.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "AWS:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "feedback" {
  arn    = aws_sns_topic.feedback.arn
  policy = data.aws_iam_policy_document.feedback.json
}

resource "aws_sesv2_configuration_set" "this" {
  count = var.ses_api == "v2" ? 1 : 0

  configuration_set_name = var.configuration_set

  delivery_options {
    tls_policy = "OPTIONAL" # most mail servers take TLS; those that don't get mail too
  }

  reputation_options {
    reputation_metrics_enabled = true
  }
}

# SNS, not EventBridge: delivery to EventBridge is best effort, and these events
# settle what became of a send.
resource "aws_sesv2_configuration_set_event_destination" "feedback" {
  count = var.ses_api == "v2" ? 1 : 0

  configuration_set_name = aws_sesv2_configuration_set.this[0].configuration_set_name
  event_destination_name = var.topic

  event_destination {
    enabled              = true
    matching_event_types = local.events.v2

    sns_destination {
      topic_arn = aws_sns_topic.feedback.arn
    }
  }

  depends_on = [aws_sns_topic_policy.feedback] # SES tries to publish when it is set up
}

resource "aws_ses_configuration_set" "this" {
  count = var.ses_api == "v1" ? 1 : 0

  # checkov:skip=CKV_AWS_365:For emulators alone, which know none of its options; production takes v2.
  name = var.configuration_set
}

resource "aws_ses_event_destination" "feedback" {
  count = var.ses_api == "v1" ? 1 : 0

  name                   = var.topic
  configuration_set_name = aws_ses_configuration_set.this[0].name
  enabled                = true
  matching_types         = local.events.v1

  sns_destination {
    topic_arn = aws_sns_topic.feedback.arn
  }

  depends_on = [aws_sns_topic_policy.feedback]
}
