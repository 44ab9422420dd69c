mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
}

variables {
  prefix          = "mailtumble-test"
  applications    = ["core", "sender"]
  stream_name     = "mailtumble-test-events"
  retention_hours = 168
  queues = [
    { name = "intake", topics = ["inbound"], redrive = { queue = "intake-dead-letters", receives_max = 5 } },
    { name = "intake-dead-letters", topics = [] },
  ]
  queue_names = {
    intake              = "mailtumble-test-intake"
    intake-dead-letters = "mailtumble-test-intake-dead-letters"
  }
  table_names   = { mails = "mailtumble-test-mails" }
  alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:people"]
}

run "whatever_goes_wrong_has_an_alarm" {
  assert {
    condition = toset(output.alarms) == toset([
      for name in [
        "lag-core", "lag-sender", "awaits-upgrade-core", "awaits-upgrade-sender", "age-intake", "intake-dead-letters", "retention", "refusals", "queue-depth",
        "throttled-stream-reads", "throttled-stream-writes", "throttled-mails", "bounce-rate", "complaint-rate",
      ] : "mailtumble-test-${name}"
    ])
    error_message = "Lag by application, queue age, dead letters, reputation, throttles."
  }

  assert {
    condition = alltrue([
      for alarm in merge(
        aws_cloudwatch_metric_alarm.this,
        aws_cloudwatch_metric_alarm.dead_letters,
        aws_cloudwatch_metric_alarm.throttled_table,
      ) : alarm.alarm_actions == toset(var.alarm_actions)
    ])
    error_message = "Each alarm tells somebody."
  }
}

run "silence_is_an_alarm_too" {
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["lag-core"].treat_missing_data == "breaching"
    error_message = "A worker that tells nothing may be down."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["lag-core"].dimensions == tomap({ application = "core" })
    error_message = "Each application has its own lag: the stream's iterator age is one for all."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["retention"].threshold == 302400000
    error_message = "Half of 168 hours, in milliseconds."
  }
}

run "a_dead_letter_is_seen_though_intake_takes_it_at_once" {
  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.dead_letters) == ["intake-dead-letters"]
    error_message = "A queue is one of dead letters by the other's redrive, not by its name."
  }

  assert {
    condition = toset([
      for query in aws_cloudwatch_metric_alarm.dead_letters["intake-dead-letters"].metric_query :
      one(query.metric).metric_name if length(query.metric) > 0
    ]) == toset(["ApproximateNumberOfMessagesVisible", "NumberOfMessagesReceived"])
    error_message = "Both those that wait and those that were taken count."
  }
}

run "the_dashboard_shows_each_application" {
  assert {
    condition = alltrue([
      for application in var.applications : strcontains(
        aws_cloudwatch_dashboard.this.dashboard_body,
        jsonencode(["mailtumble", "LagMilliseconds", "application", application]),
      )
    ])
    error_message = "The lag of each application is drawn."
  }

  assert {
    condition = alltrue([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
      length(widget.properties.metrics) > 0 && widget.properties.region == "eu-central-1"
    ])
    error_message = "CloudWatch refuses a graph without metrics or region."
  }
}

run "refuses_a_rate_at_which_it_is_too_late" {
  command = plan

  variables {
    thresholds = { bounce_rate = 0.1 }
  }

  expect_failures = [var.thresholds]
}
