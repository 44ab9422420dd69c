# What is to wake somebody, from metrics that AWS keeps and those that the workers tell.
# Metric names in lower case with dots, and rates from 0 to 1, are SES's.

locals {
  dead_letters = {
    for queue in var.queues : queue.name => var.queue_names[queue.name]
    if contains([for each in var.queues : each.redrive.queue if each.redrive != null], queue.name)
  }

  lags = {
    for application in var.applications : "lag-${application}" => {
      meaning    = "${application} is behind the stream's end, or tells nothing: is it running? Its log tells why."
      namespace  = var.metrics_namespace
      metric     = "LagMilliseconds"
      dimensions = { application = application }
      statistic  = "Maximum"
      above      = var.thresholds.lag_ms
      minutes    = 5
      missing    = "breaching" # a fleet that is silent is down
    }
  }

  awaited_upgrades = {
    for application in var.applications : "awaits-upgrade-${application}" => {
      meaning    = "${application} waits at a record that only a newer release can read: finish the deployment within 15 minutes, or redrive the record later."
      namespace  = var.metrics_namespace
      metric     = "AwaitsUpgradeMilliseconds"
      dimensions = { application = application }
      statistic  = "Maximum"
      above      = 0
      minutes    = 2
      missing    = "notBreaching"
    }
  }

  ages = {
    for queue in var.queues : "age-${queue.name}" => {
      meaning    = "The oldest message in ${queue.name} waits for too long: is intake running, does it get on?"
      namespace  = "AWS/SQS"
      metric     = "ApproximateAgeOfOldestMessage"
      dimensions = { QueueName = var.queue_names[queue.name] }
      statistic  = "Maximum"
      above      = var.thresholds.queue_age_s
      minutes    = 5
      missing    = "notBreaching"
    } if length(queue.topics) > 0
  }

  throttled_stream = {
    for kind in ["Read", "Write"] : "throttled-stream-${lower(kind)}s" => {
      meaning    = "Kinesis refuses ${lower(kind)}s: more shards are needed, or one is hot."
      namespace  = "AWS/Kinesis"
      metric     = "${kind}ProvisionedThroughputExceeded"
      dimensions = { StreamName = var.stream_name }
      statistic  = "Sum"
      above      = 0
      minutes    = 5
      missing    = "notBreaching"
    }
  }

  reputation = {
    for rate, above in { Bounce = var.thresholds.bounce_rate, Complaint = var.thresholds.complaint_rate } :
    "${lower(rate)}-rate" => {
      meaning    = "SES puts the account under review at 5 % bounces or 0.1 % complaints, and may pause it at 10 % or 0.5 %: mailtumble queue pause, and see who sends."
      namespace  = "AWS/SES"
      metric     = "Reputation.${rate}Rate"
      dimensions = {}
      statistic  = "Maximum"
      above      = above
      minutes    = 60
      missing    = "ignore" # SES tells it now and then
    }
  }

  others = {
    retention = {
      meaning    = "A reader is behind by half of what the stream keeps: unread events will be lost."
      namespace  = "AWS/Kinesis"
      metric     = "GetRecords.IteratorAgeMilliseconds"
      dimensions = { StreamName = var.stream_name }
      statistic  = "Maximum"
      above      = var.retention_hours * 60 * 60 * 1000 / 2
      minutes    = 5
      missing    = "notBreaching"
    }
    refusals = {
      meaning    = "SES refuses sends as too fast, again and again: is another system sending from this account?"
      namespace  = var.metrics_namespace
      metric     = "Refusals"
      dimensions = { application = "sender" }
      statistic  = "Sum"
      above      = var.thresholds.refusals
      minutes    = 5
      missing    = "notBreaching"
    }
    queue-depth = {
      meaning    = "More sends wait than SES's quota lets out soon: mailtumble queue status."
      namespace  = var.metrics_namespace
      metric     = "QueueDepth"
      dimensions = { application = "sender" }
      statistic  = "Maximum"
      above      = var.thresholds.queue_depth
      minutes    = 5
      missing    = "notBreaching"
    }
  }

  alarms = merge(
    local.lags, local.awaited_upgrades, local.ages, local.throttled_stream, local.reputation, local.others,
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = each.value.meaning
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = 60 * (each.value.minutes > 5 ? each.value.minutes : 1)
  evaluation_periods  = each.value.minutes > 5 ? 1 : each.value.minutes
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
}

# Intake takes dead letters into quarantine within seconds, so that the queue's depth alone
# would hardly ever show one.
resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.dead_letters

  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = "Intake gave a message up: mailtumble quarantine list."
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

  metric_query {
    id          = "letters"
    expression  = "FILL(waiting, 0) + FILL(taken, 0)"
    label       = "dead letters"
    return_data = true
  }

  metric_query {
    id = "waiting"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = each.value }
      stat        = "Maximum"
      period      = 60
    }
  }

  metric_query {
    id = "taken"

    metric {
      namespace   = "AWS/SQS"
      metric_name = "NumberOfMessagesReceived"
      dimensions  = { QueueName = each.value }
      stat        = "Sum"
      period      = 60
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "throttled_table" {
  for_each = var.table_names

  alarm_name          = "${var.prefix}-throttled-${each.key}"
  alarm_description   = "DynamoDB refuses requests to ${each.key}: is one key hot, or the account's limit reached?"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 5
  datapoints_to_alarm = 3 # a table that grows throttles a little, and is asked again
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions

  metric_query {
    id          = "throttled"
    expression  = "FILL(reads, 0) + FILL(writes, 0)"
    label       = "throttled requests"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { reads = "ReadThrottleEvents", writes = "WriteThrottleEvents" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/DynamoDB"
        metric_name = metric_query.value
        dimensions  = { TableName = each.value }
        stat        = "Sum"
        period      = 60
      }
    }
  }
}
