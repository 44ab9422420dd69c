locals {
  tables = { for table in var.tables : table.name => table }

  # DynamoDB wants each key attribute named once, of the table and of its indexes.
  key_attributes = {
    for name, table in local.tables : name => {
      for key in concat(
        [table.partition_key, table.sort_key],
        flatten([for index in table.indexes : [index.partition_key, index.sort_key]]),
      ) : key.name => key.type... if key != null
    }
  }
}

resource "aws_dynamodb_table" "this" {
  # checkov:skip=CKV_AWS_119:Encrypted with DynamoDB's own key in KMS; a key of one's own would protect from no one who may read the tables.
  for_each = local.tables

  name                        = "${var.prefix}-${each.key}"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = each.value.partition_key.name
  range_key                   = try(each.value.sort_key.name, null)
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = local.key_attributes[each.key]

    content {
      name = attribute.key
      type = attribute.value[0]
    }
  }

  dynamic "global_secondary_index" {
    for_each = each.value.indexes

    content {
      name            = global_secondary_index.value.name
      hash_key        = global_secondary_index.value.partition_key.name
      range_key       = try(global_secondary_index.value.sort_key.name, null)
      projection_type = "ALL"
    }
  }

  dynamic "ttl" {
    for_each = each.value.ttl == null ? [] : [each.value.ttl]

    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  server_side_encryption {
    enabled = true
  }

  # Projections can be made again from the log; the sender's claims and queue can't.
  point_in_time_recovery {
    enabled = true
  }
}
