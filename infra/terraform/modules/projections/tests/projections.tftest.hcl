mock_provider "aws" {}

variables {
  prefix = "mailtumble-test"
  tables = [
    {
      name          = "mails"
      partition_key = { name = "mail_key", type = "S" }
      indexes = [{
        name          = "by_received"
        partition_key = { name = "received_day", type = "S" }
        sort_key      = { name = "received_at", type = "S" }
      }]
    },
    {
      name          = "slices"
      partition_key = { name = "account", type = "S" }
      sort_key      = { name = "slice", type = "N" }
      ttl           = "expires_at"
      indexes       = []
    },
  ]
}

run "tables_as_defined" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this["slices"].name == "mailtumble-test-slices"
    error_message = "The physical name is <prefix>-<name>."
  }

  assert {
    condition     = aws_dynamodb_table.this["slices"].range_key == "slice"
    error_message = "The sort key is taken from the definition."
  }

  assert {
    condition     = one(aws_dynamodb_table.this["slices"].ttl).attribute_name == "expires_at"
    error_message = "Items end at the attribute the definition names."
  }

  assert {
    condition     = length(aws_dynamodb_table.this["mails"].ttl) == 0
    error_message = "Items without an expiry attribute stay."
  }

  assert {
    condition     = length(aws_dynamodb_table.this["mails"].attribute) == 3
    error_message = "Keys of the table and of its indexes are declared, and nothing else."
  }
}

run "every_table_is_encrypted_and_recoverable" {
  command = plan

  assert {
    condition = alltrue([
      for table in aws_dynamodb_table.this :
      table.server_side_encryption[0].enabled && table.point_in_time_recovery[0].enabled
    ])
    error_message = "Encryption and point-in-time recovery are on for all."
  }
}

run "every_table_is_protected_and_on_demand" {
  command = plan

  assert {
    condition = alltrue([
      for table in aws_dynamodb_table.this :
      table.deletion_protection_enabled && table.billing_mode == "PAY_PER_REQUEST"
    ])
    error_message = "The sender's claims can't be made again: nothing deletes them by mistake."
  }

  assert {
    condition     = one(aws_dynamodb_table.this["mails"].global_secondary_index).projection_type == "ALL"
    error_message = "mail list reads whole items out of the index."
  }
}

run "protection_is_off_before_a_destroy" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = !anytrue([for table in aws_dynamodb_table.this : table.deletion_protection_enabled])
    error_message = "With it off, terraform destroy leaves no table."
  }
}
