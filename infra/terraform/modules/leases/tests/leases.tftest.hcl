mock_provider "aws" {}

variables {
  prefix       = "mailtumble-test"
  applications = ["core-g2", "sender-0"]
}

run "three_tables_for_each_application" {
  assert {
    condition = toset(output.names) == toset([
      "mailtumble-test-kcl-core-g2",
      "mailtumble-test-kcl-core-g2-CoordinatorState",
      "mailtumble-test-kcl-core-g2-WorkerMetricStats",
      "mailtumble-test-kcl-sender-0",
      "mailtumble-test-kcl-sender-0-CoordinatorState",
      "mailtumble-test-kcl-sender-0-WorkerMetricStats",
    ])
    error_message = "The KCL names its tables after the application."
  }
}

run "shapes_are_the_kcls" {
  assert {
    condition     = aws_dynamodb_table.this["mailtumble-test-kcl-core-g2"].hash_key == "leaseKey"
    error_message = "A lease is kept by its shard."
  }

  assert {
    condition = (
      one(aws_dynamodb_table.this["mailtumble-test-kcl-core-g2"].global_secondary_index).name
      == "LeaseOwnerToLeaseKeyIndex"
    )
    error_message = "The KCL looks for its index by name, and makes it where it is missing."
  }

  assert {
    condition     = length(aws_dynamodb_table.this["mailtumble-test-kcl-core-g2-WorkerMetricStats"].global_secondary_index) == 0
    error_message = "The others have no index."
  }
}

run "an_application_needs_its_generation" {
  command = plan

  variables {
    applications = ["core"]
  }

  expect_failures = [var.applications]
}
