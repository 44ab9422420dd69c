# The real definition.json through all modules, with a provider that calls nothing.
mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "000000000000" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

run "everything_of_the_definition_is_made" {
  command = plan

  assert {
    condition     = output.stream == "mailtumble-events"
    error_message = "The stream's physical name is <prefix>-<name>."
  }

  assert {
    condition = toset(keys(output.tables)) == toset([
      for table in jsondecode(file("../../definition.json")).tables : table.name
    ])
    error_message = "Each table of the definition is made, and no other."
  }

  assert {
    condition = toset(values(output.buckets)) == toset([
      for bucket in jsondecode(file("../../definition.json")).buckets : "mailtumble-${bucket.name}"
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

run "workers_find_localstack_by_the_settings" {
  command = plan

  variables {
    endpoint = "http://127.0.0.1:4599"
    region   = "eu-west-1"
    prefix   = "other"
  }

  assert {
    condition = (
      output.settings["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4599"
      && output.settings["AWS_DEFAULT_REGION"] == "eu-west-1"
      && output.settings["MAILTUMBLE_PREFIX"] == "other"
    )
    error_message = "What was given to Terraform is what workers are given."
  }

  assert {
    condition     = output.settings["MAILTUMBLE_TRANSPORT"] == "sesv1"
    error_message = "LocalStack has no SESv2."
  }
}

run "an_endpoint_is_a_place_without_a_path" {
  command = plan

  variables {
    endpoint = "127.0.0.1:4566"
  }

  expect_failures = [var.endpoint]
}
