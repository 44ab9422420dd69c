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
    condition     = aws_kinesis_stream.events.encryption_type == "KMS" && aws_kinesis_stream.events.kms_key_id == "alias/aws/kinesis"
    error_message = "Events hold personal data: the stream is encrypted."
  }

  assert {
    condition     = aws_kinesis_stream.events.retention_period == 168
    error_message = "Records are kept for as long as the definition says."
  }

  assert {
    condition     = contains(aws_kinesis_stream.events.shard_level_metrics, "WriteProvisionedThroughputExceeded")
    error_message = "A hot shard is seen by itself: the stream's sum would hide it."
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

  assert {
    condition     = aws_kinesis_stream.events.shard_count == 6
    error_message = "It has as many shards as were asked for."
  }
}

run "refuses_a_retention_kinesis_does_not_have" {
  command = plan

  variables {
    stream = { name = "events", retention_hours = 12 }
  }

  expect_failures = [var.stream]
}

run "refuses_a_stream_without_shards" {
  command = plan

  variables {
    shards = 0
  }

  expect_failures = [var.shards]
}
