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

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  region     = "eu-central-1"
  prefix     = "mailtumble-test"
  recipients = ["house.example"]
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
