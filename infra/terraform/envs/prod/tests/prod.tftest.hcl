# The real definition.json through all modules, with a provider that calls nothing.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:mocked" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:mocked", url = "https://sqs.example/mocked" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }

  mock_resource "aws_appautoscaling_policy" {
    defaults = { arn = "arn:aws:autoscaling:eu-central-1:123456789012:scalingPolicy:mocked" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  region            = "eu-central-1"
  prefix            = "mailtumble-test"
  recipients        = ["house.example"]
  activate_rule_set = true
  image             = "registry.example/mailtumble@sha256:0"
  vpc_id            = "vpc-1"
  subnet_ids        = ["subnet-a", "subnet-b"]
}

run "everything_of_the_definition_is_made" {
  command = plan

  assert {
    condition     = output.stream == "mailtumble-test-events"
    error_message = "The stream's physical name is <prefix>-<name>."
  }

  assert {
    condition = toset(values(output.tables)) == toset([
      for table in jsondecode(file("../../definition.json")).tables : "mailtumble-test-${table.name}"
    ])
    error_message = "Each table of the definition is made, and no other."
  }

  assert {
    condition = toset([output.bucket, output.archive_bucket]) == toset([
      for bucket in jsondecode(file("../../definition.json")).buckets : "mailtumble-test-${bucket.name}"
    ])
    error_message = "Each bucket of the definition is made, and no other."
  }

  assert {
    condition = toset(keys(output.queue_urls)) == toset([
      for queue in jsondecode(file("../../definition.json")).queues : queue.name
    ])
    error_message = "Each queue of the definition is made, and no other."
  }

  assert {
    condition = toset(keys(output.topic_arns)) == toset([
      for topic in jsondecode(file("../../definition.json")).topics : topic.name
    ])
    error_message = "Each topic of the definition is made, and no other."
  }
}

run "the_workers_get_what_they_need_to_know" {
  variables {
    settings = { MAILTUMBLE_RATE_FRACTION = "0.5" }
  }

  assert {
    condition = jsonencode(output.settings) == jsonencode({
      AWS_REGION                    = "eu-central-1"
      MAILTUMBLE_CLOUDWATCH_METRICS = "on"
      MAILTUMBLE_PREFIX             = "mailtumble-test"
      MAILTUMBLE_REGION             = "eu-central-1"
      MAILTUMBLE_CONFIGURATION_SET  = "mailtumble"
      MAILTUMBLE_INTAKE_QUEUE_URL   = "https://sqs.example/mocked"
      MAILTUMBLE_SNS_TOPICS         = "arn:aws:sns:eu-central-1:123456789012:mocked,arn:aws:sns:eu-central-1:123456789012:mocked"
      MAILTUMBLE_RATE_FRACTION      = "0.5"
    })
    error_message = "Names come from the resources, and settings of one's own are added."
  }

  assert {
    condition     = length([for name in output.alarms : name if startswith(name, "mailtumble-test-lag-")]) == 3
    error_message = "Core, sender and archive read the stream: each has an alarm for its lag."
  }

  assert {
    condition     = contains([for record in output.dns_records : record.type], "MX")
    error_message = "What has to stand in DNS is told."
  }
}

run "refuses_a_secret_among_the_settings" {
  command = plan

  variables {
    settings = { MAILTUMBLE_ADDRESS_KEY = "0123" }
  }

  expect_failures = [var.settings]
}
