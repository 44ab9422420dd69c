# A role for each worker, with the calls that it makes and no others. permissions.json
# says which; tests run the workers and compare (tests/e2e/test_permissions.py).

locals {
  permissions = jsondecode(file("${path.module}/permissions.json"))

  dynamodb = join(":", [
    "arn", data.aws_partition.current.partition, "dynamodb", data.aws_region.current.name,
    data.aws_caller_identity.current.account_id, "table/${var.prefix}",
  ])

  # A resource as permissions.json names it, to the ARNs that its actions are granted on.
  arns = merge(
    { "stream/${var.stream.name}" = [var.stream.arn] },
    { for name, arn in var.table_arns : "table/${name}" => [arn] },
    { for name, arn in var.queue_arns : "queue/${name}" => [arn] },
    # Of a bucket's actions, listing is on the bucket, the others are on its objects.
    { for name, arn in var.bucket_arns : "bucket/${name}" => [arn] },
    { for name, arn in var.bucket_arns : "objects/${name}" => ["${arn}/*"] },
    # The KCL makes its tables by itself: <prefix>-kcl-<application>-<generation>, and two
    # more that begin so.
    { for name in keys(var.workers) : "leases/${name}" => ["${local.dynamodb}-kcl-${name}-*"] },
    { "ses/identities" = concat(var.identity_arns, [var.configuration_set_arn]) },
    # The action knows no resources.
    { "ses/account" = ["*"] },
  )

  # Worker -> resource -> actions: those measured, and those with a written reason.
  grants = {
    for worker in keys(var.workers) : worker => {
      for resource in distinct(flatten([for kind in values(local.permissions[worker]) : keys(kind)])) :
      resource => sort(distinct(concat(
        lookup(local.permissions[worker].calls, resource, []),
        lookup(local.permissions[worker].kcl_calls, resource, []),
        keys(lookup(local.permissions[worker].reasoned, resource, {})),
      )))
    }
  }
}

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "worker" {
  for_each = local.workers

  name               = "${var.prefix}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "worker" {
  for_each = local.workers

  dynamic "statement" {
    for_each = local.grants[each.key]

    content {
      actions   = statement.value
      resources = local.arns[statement.key]
    }
  }

  # A key of one's own on the stream: its readers need it to decrypt, its writers to encrypt.
  dynamic "statement" {
    for_each = var.stream_kms_key_arn == null ? [] : [var.stream_kms_key_arn]

    content {
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "worker" {
  for_each = local.workers

  name   = "calls"
  role   = aws_iam_role.worker[each.key].id
  policy = data.aws_iam_policy_document.worker[each.key].json
}

# What ECS itself does for a task: pull the image, write the log, read the secrets.
resource "aws_iam_role" "execution" {
  name               = "${var.prefix}-execution"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secrets" {
  count = length(var.secrets) > 0 ? 1 : 0

  statement {
    actions   = ["secretsmanager:GetSecretValue", "ssm:GetParameters"]
    resources = values(var.secrets)
  }
}

resource "aws_iam_role_policy" "secrets" {
  count = length(var.secrets) > 0 ? 1 : 0

  name   = "secrets"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.secrets[0].json
}
