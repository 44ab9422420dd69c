# How many tasks: by the lag (iterator age) of each application that reads the stream, and
# by the depth of intake's queue. In steps, since neither is in proportion to the tasks.

locals {
  scaling = {
    for name, worker in local.workers : name => name == "intake" ? {
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = var.intake_queue_name }
      high       = var.scale_out.queue_depth
      } : {
      # Kinesis's own iterator age is one for all applications, so the workers tell theirs.
      namespace  = var.metrics_namespace
      metric     = "LagMilliseconds"
      dimensions = { application = name }
      high       = var.scale_out.lag_ms
    }
  }
}

resource "aws_appautoscaling_target" "worker" {
  for_each = local.workers

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.worker[each.key].name}"
  min_capacity       = each.value.tasks_min
  max_capacity       = each.value.tasks_max
}

resource "aws_appautoscaling_policy" "more" {
  for_each = local.workers

  name               = "${var.prefix}-${each.key}-more"
  service_namespace  = aws_appautoscaling_target.worker[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.worker[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.worker[each.key].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 120 # a task starts, takes its shards and catches up

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = 1
    }
  }
}

resource "aws_appautoscaling_policy" "fewer" {
  for_each = local.workers

  name               = "${var.prefix}-${each.key}-fewer"
  service_namespace  = aws_appautoscaling_target.worker[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.worker[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.worker[each.key].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Maximum"
    cooldown                = 600

    step_adjustment {
      metric_interval_upper_bound = 0
      scaling_adjustment          = -1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "more" {
  for_each = local.scaling

  alarm_name          = "${var.prefix}-scale-${each.key}-more"
  alarm_description   = "Starts one more task of ${each.key}."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.high
  period              = 60
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.more[each.key].arn]
}

resource "aws_cloudwatch_metric_alarm" "fewer" {
  for_each = local.scaling

  alarm_name          = "${var.prefix}-scale-${each.key}-fewer"
  alarm_description   = "Ends a task of ${each.key} that isn't needed."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = "Maximum"
  comparison_operator = "LessThanThreshold"
  threshold           = each.value.high / 10
  period              = 60
  evaluation_periods  = 15
  # No word is no reason to end one: it may be the worker that's silent.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_appautoscaling_policy.fewer[each.key].arn]
}
