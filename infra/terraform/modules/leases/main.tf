locals {
  # The shapes are the KCL's own (3.1), by what is added to the application's name: it
  # makes a table that it misses, and takes one that is there.
  tables = {
    ""                   = "leaseKey"
    "-CoordinatorState"  = "key"
    "-WorkerMetricStats" = "wid"
  }

  # Physical name -> partition key.
  made = merge([
    for application in var.applications : {
      for suffix, key in local.tables : "${var.prefix}-kcl-${application}${suffix}" => key
    }
  ]...)

  lease_tables = toset([for application in var.applications : "${var.prefix}-kcl-${application}"])
}

# Held by what is in them for seconds: no recovery, no key of one's own.
resource "aws_dynamodb_table" "this" {
  # checkov:skip=CKV_AWS_28:Leases are made anew from the cursors; a restored lease would be a wrong one.
  # checkov:skip=CKV_AWS_119:Names of shards and workers, encrypted under AWS's own key.
  for_each = local.made

  name         = each.key
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = each.value

  attribute {
    name = each.value
    type = "S"
  }

  dynamic "attribute" {
    for_each = contains(local.lease_tables, each.key) ? ["leaseOwner"] : []

    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = contains(local.lease_tables, each.key) ? ["LeaseOwnerToLeaseKeyIndex"] : []

    content {
      name            = global_secondary_index.value
      hash_key        = "leaseOwner"
      range_key       = "leaseKey"
      projection_type = "KEYS_ONLY"
    }
  }
}
