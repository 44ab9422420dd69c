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

  mock_resource "aws_appautoscaling_policy" {
    defaults = { arn = "arn:aws:autoscaling:eu-central-1:123456789012:scalingPolicy:mocked" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
}

variables {
  prefix     = "mailtumble-test"
  image      = "registry.example/mailtumble@sha256:0"
  vpc_id     = "vpc-1"
  subnet_ids = ["subnet-a", "subnet-b"]
  settings   = { MAILTUMBLE_PREFIX = "mailtumble-test" }
  secrets    = { MAILTUMBLE_ADDRESS_KEY = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key" }
  stream     = { name = "events", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mailtumble-test-events" }

  table_arns = {
    for table in jsondecode(file("../../definition.json")).tables : table.name =>
    "arn:aws:dynamodb:eu-central-1:123456789012:table/mailtumble-test-${table.name}"
  }
  queue_arns = {
    for queue in jsondecode(file("../../definition.json")).queues : queue.name =>
    "arn:aws:sqs:eu-central-1:123456789012:mailtumble-test-${queue.name}"
  }
  bucket_arns = {
    for bucket in jsondecode(file("../../definition.json")).buckets : bucket.name =>
    "arn:aws:s3:::mailtumble-test-${bucket.name}"
  }

  identity_arns         = ["arn:aws:ses:eu-central-1:123456789012:identity/house.example"]
  configuration_set_arn = "arn:aws:ses:eu-central-1:123456789012:configuration-set/mailtumble"
  intake_queue_name     = "mailtumble-test-intake"
}

run "each_worker_is_a_service" {
  assert {
    condition     = toset(keys(output.services)) == toset(["core", "sender", "archive", "intake"])
    error_message = "Core, sender, archive and intake run."
  }

  assert {
    condition = alltrue([
      for name, task in aws_ecs_task_definition.worker :
      jsonencode(jsondecode(task.container_definitions)[0].command) ==
      (name == "intake" ? jsonencode(["worker", "intake"]) : jsonencode(["worker", name, "--host", "kcl"]))
    ])
    error_message = "Those that read the stream share its shards through the KCL; intake reads a queue."
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.worker : jsondecode(task.container_definitions)[0].stopTimeout > var.kcl_grace_s
      && jsondecode(task.container_definitions)[0].stopTimeout <= 120
    ])
    error_message = "A task is killed after its grace, not in it; Fargate waits 120 s at most."
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.worker :
      length(setsubtract(
        [
          { name = "MAILTUMBLE_PREFIX", value = "mailtumble-test" },
          { name = "MAILTUMBLE_WEB_PORT", value = "8080" },
          { name = "MAILTUMBLE_KCL_GRACE_S", value = "30" },
        ],
        jsondecode(task.container_definitions)[0].environment,
      )) == 0
    ])
    error_message = "The environment is the settings, and what this module knows by itself."
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.worker :
      jsondecode(task.container_definitions)[0].secrets[0].name == "MAILTUMBLE_ADDRESS_KEY"
      && !strcontains(jsonencode(jsondecode(task.container_definitions)[0].environment), "ADDRESS_KEY")
    ])
    error_message = "A secret is fetched at the start; it doesn't stand in the environment's definition."
  }

  assert {
    condition     = alltrue([for task in aws_ecs_task_definition.worker : strcontains(task.container_definitions, ":8080/health")])
    error_message = "ECS replaces a task whose shards don't move."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.worker : group.retention_in_days == 30])
    error_message = "Logs end: they hold addresses."
  }
}

run "nothing_comes_in_and_only_tls_goes_out" {
  assert {
    condition     = alltrue([for service in aws_ecs_service.worker : !service.network_configuration[0].assign_public_ip])
    error_message = "The tasks have no address of their own in the internet."
  }

  assert {
    condition = (
      aws_vpc_security_group_egress_rule.tls.from_port == 443
      && aws_vpc_security_group_egress_rule.tls.to_port == 443
    )
    error_message = "Everything that the workers call is HTTPS."
  }
}

run "roles_grant_the_measured_calls_and_no_more" {
  assert {
    condition = alltrue(flatten([
      for worker, policy in data.aws_iam_policy_document.worker : [
        for statement in policy.statement : !anytrue([for action in statement.actions : strcontains(action, "*")])
      ]
    ]))
    error_message = "Every action is named."
  }

  assert {
    condition = alltrue(flatten([
      for worker, policy in data.aws_iam_policy_document.worker : [
        for statement in policy.statement : statement.actions == toset(["ses:GetAccount"])
        if contains(statement.resources, "*")
      ]
    ]))
    error_message = "Only the quota's call is on everything: it knows no resources."
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.worker["sender"].statement :
      contains(statement.actions, "ses:SendRawEmail") && toset(statement.resources) == toset([
        "arn:aws:ses:eu-central-1:123456789012:identity/house.example",
        "arn:aws:ses:eu-central-1:123456789012:configuration-set/mailtumble",
      ])
    ])
    error_message = "The sender sends as the domains' identities, with the configuration set."
  }

  assert {
    condition = !anytrue(flatten([
      for worker in ["core", "intake", "archive"] : [
        for statement in data.aws_iam_policy_document.worker[worker].statement :
        [for action in statement.actions : startswith(action, "ses:")]
      ]
    ]))
    error_message = "Nobody but the sender calls SES."
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.worker["core"].statement :
      contains(statement.resources, "arn:aws:dynamodb:eu-central-1:123456789012:table/mailtumble-test-kcl-core-*")
      && contains(statement.actions, "dynamodb:CreateTable")
    ])
    error_message = "The KCL makes its own tables of this application, and of no other."
  }

  assert {
    condition = alltrue(flatten([
      for policy in data.aws_iam_policy_document.worker : [
        for statement in policy.statement : alltrue([for arn in statement.resources : endswith(arn, "/*")])
        if contains(statement.actions, "s3:GetObject")
      ]
    ]))
    error_message = "Objects are read by the ARN of objects, not of their bucket."
  }
}

run "more_tasks_by_lag_and_by_queue_depth" {
  assert {
    condition     = aws_cloudwatch_metric_alarm.more["core"].dimensions == tomap({ application = "core" })
    error_message = "Each application is scaled by its own lag."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.more["intake"].metric_name == "ApproximateNumberOfMessagesVisible"
      && aws_cloudwatch_metric_alarm.more["intake"].dimensions == tomap({ QueueName = "mailtumble-test-intake" })
    )
    error_message = "Intake is scaled by the depth of its queue."
  }

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.fewer : alarm.threshold < aws_cloudwatch_metric_alarm.more[name].threshold
    ])
    error_message = "Between more and fewer lies a room, or the number would swing."
  }

  assert {
    condition     = aws_appautoscaling_target.worker["core"].min_capacity == 2
    error_message = "One task goes on where an availability zone fails."
  }
}

run "a_key_of_ones_own_is_granted" {
  variables {
    stream_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  assert {
    condition = alltrue([
      for policy in data.aws_iam_policy_document.worker : anytrue([
        for statement in policy.statement :
        contains(statement.actions, "kms:Decrypt") && toset(statement.resources) == toset(["arn:aws:kms:eu-central-1:123456789012:key/1"])
      ])
    ])
    error_message = "Readers and writers of the stream need its key."
  }
}

run "refuses_a_grace_that_fargate_cuts_short" {
  command = plan

  variables {
    kcl_grace_s = 110
  }

  expect_failures = [var.kcl_grace_s]
}

run "refuses_a_worker_that_there_is_not" {
  command = plan

  variables {
    workers = { postman = { cpu = 256, memory_mb = 512, tasks_min = 1, tasks_max = 1 } }
  }

  expect_failures = [var.workers]
}
