locals {
  region = data.aws_region.current.name

  # A row of two graphs each: what comes in, how far the readers are, what goes out, and
  # what AWS refuses. A metric is [namespace, name, dimension, value, ...].
  graphs = [
    {
      title = "Behind the stream's end (ms), by application"
      stat  = "Maximum"
      metrics = [
        for application in var.applications :
        [var.metrics_namespace, "LagMilliseconds", "application", application]
      ]
    },
    {
      title   = "Events in and out (records)"
      stat    = "Sum"
      metrics = [for name in ["IncomingRecords", "GetRecords.Records"] : ["AWS/Kinesis", name, "StreamName", var.stream_name]]
    },
    {
      title = "Messages waiting"
      stat  = "Maximum"
      metrics = [
        for queue in var.queues :
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queue_names[queue.name]]
      ]
    },
    {
      title = "Age of the oldest message (s)"
      stat  = "Maximum"
      metrics = [
        for queue in var.queues :
        ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queue_names[queue.name]]
      ]
    },
    {
      title   = "Sends, refused ones, waiting ones"
      stat    = "Sum"
      metrics = [for name in ["Sends", "Refusals", "QueueDepth"] : [var.metrics_namespace, name, "application", "sender"]]
    },
    {
      title   = "Bounce and complaint rate of the account"
      stat    = "Maximum"
      metrics = [for name in ["Bounce", "Complaint"] : ["AWS/SES", "Reputation.${name}Rate"]]
    },
    {
      title   = "Refused by Kinesis"
      stat    = "Sum"
      metrics = [for kind in ["Read", "Write"] : ["AWS/Kinesis", "${kind}ProvisionedThroughputExceeded", "StreamName", var.stream_name]]
    },
    {
      title   = "Writes refused by DynamoDB"
      stat    = "Sum"
      metrics = [for table in values(var.table_names) : ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", table]]
    },
  ]
}

data "aws_region" "current" {}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.prefix
  dashboard_body = jsonencode({
    widgets = [
      for number, graph in local.graphs : {
        type       = "metric"
        x          = number % 2 * 12
        y          = floor(number / 2) * 6
        width      = 12
        height     = 6
        properties = merge(graph, { region = local.region, period = 60, view = "timeSeries" })
      }
    ]
  })
}
