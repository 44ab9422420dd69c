locals {
  queues = { for queue in var.queues : queue.name => queue }

  topic_arns = merge(var.feedback_topic_arns, { (var.topic) = aws_sns_topic.inbound.arn })

  subscriptions = {
    for pair in flatten([
      for queue in var.queues : [for topic in queue.topics : { queue = queue, topic = topic }]
    ]) : "${pair.topic}-${pair.queue.name}" => pair
  }

  # By dead-letter queue: the queues whose messages it takes. By name, since each needs
  # the other's ARN. A resource of its own for it can't be destroyed on LocalStack, which
  # keeps an allow policy that is set to nothing.
  redrive_sources = {
    for dead_letters in distinct([for redrive in local.redrives : redrive.queue]) :
    dead_letters => [
      for name, redrive in local.redrives : join(":", [
        "arn",
        data.aws_partition.current.partition,
        "sqs",
        data.aws_region.current.name,
        local.account,
        "${var.prefix}-${name}",
      ]) if redrive.queue == dead_letters
    ]
  }

  redrives = { for name, queue in local.queues : name => queue.redrive if queue.redrive != null }
}

resource "aws_sns_topic" "inbound" {
  # checkov:skip=CKV_AWS_26:SES can't publish to a topic under alias/aws/sns; what it publishes is encrypted in the queue behind it.
  name              = "${var.prefix}-${var.topic}"
  signature_version = 2 # SHA-256; version 1 signs with SHA-1
}

data "aws_iam_policy_document" "inbound" {
  statement {
    sid       = "SesAnnouncesReceivedMail"
    actions   = ["SNS:Publish"]
    resources = [aws_sns_topic.inbound.arn]

    principals {
      type        = "Service"
      identifiers = ["ses.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "AWS:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "StringEquals"
      variable = "AWS:SourceArn"
      values   = [local.rule_arn]
    }
  }
}

resource "aws_sns_topic_policy" "inbound" {
  arn    = aws_sns_topic.inbound.arn
  policy = data.aws_iam_policy_document.inbound.json
}

resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                       = "${var.prefix}-${each.key}"
  visibility_timeout_seconds = each.value.visibility_seconds
  message_retention_seconds  = each.value.retention_seconds
  receive_wait_time_seconds  = 20 # long polling, the longest there is
  sqs_managed_sse_enabled    = true

  redrive_allow_policy = !contains(keys(local.redrive_sources), each.key) ? null : jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = local.redrive_sources[each.key]
  })
}

resource "aws_sqs_queue_redrive_policy" "this" {
  for_each = local.redrives

  queue_url = aws_sqs_queue.this[each.key].id
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.this[each.value.queue].arn
    maxReceiveCount     = each.value.receives_max
  })
}

data "aws_iam_policy_document" "queue" {
  for_each = { for name, queue in local.queues : name => queue if length(queue.topics) > 0 }

  statement {
    sid       = "TopicsDeliver"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.this[each.key].arn]

    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [for topic in each.value.topics : local.topic_arns[topic]]
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  for_each = data.aws_iam_policy_document.queue

  queue_url = aws_sqs_queue.this[each.key].id
  policy    = each.value.json
}

resource "aws_sns_topic_subscription" "this" {
  for_each = local.subscriptions

  topic_arn            = local.topic_arns[each.value.topic]
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.this[each.value.queue.name].arn
  raw_message_delivery = each.value.queue.raw_delivery # off: intake verifies SNS's signature

  depends_on = [aws_sqs_queue_policy.this]
}
