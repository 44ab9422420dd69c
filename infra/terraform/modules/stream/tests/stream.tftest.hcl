mock_provider "aws" {}

variables {
  prefix = "mailtumble-test"
  stream = { name = "events", retention_hours = 168 }
}

run "on_demand_by_default" {
  command = plan

  assert {
    condition     = aws_kinesis_stream.events.name == "mailtumble-test-events"
    error_message = "The physical name is <prefix>-<name>."
  }

  assert {
    condition     = aws_kinesis_stream.events.stream_mode_details[0].stream_mode == "ON_DEMAND"
    error_message = "Without a number of shards the stream is on demand."
  }

  assert {
    condition     = aws_kinesis_stream.events.encryption_type == "KMS"
    error_message = "Events hold personal data: the stream is encrypted."
  }
}

run "provisioned_with_a_number_of_shards" {
  command = plan

  variables {
    shards = 6
  }

  assert {
    condition     = aws_kinesis_stream.events.stream_mode_details[0].stream_mode == "PROVISIONED"
    error_message = "A number of shards makes the stream provisioned."
  }
}

run "refuses_a_retention_kinesis_does_not_have" {
  command = plan

  variables {
    stream = { name = "events", retention_hours = 12 }
  }

  expect_failures = [var.stream]
}
