# The fleet: one ECS service on Fargate for each worker, from one image.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  workers = {
    for name, size in var.workers : name => merge(size, {
      # Intake reads a queue; the others share the stream's shards through the KCL.
      command = name == "intake" ? ["worker", name] : ["worker", name, "--host", "kcl"]
    })
  }

  settings = merge(var.settings, {
    MAILTUMBLE_WEB_PORT    = tostring(var.web_port)
    MAILTUMBLE_KCL_GRACE_S = tostring(var.kcl_grace_s)
  })

  health = join("", [
    "import urllib.request as u; ",
    "u.urlopen('http://127.0.0.1:${var.web_port}/health', timeout=4)",
  ])
}

resource "aws_ecs_cluster" "this" {
  name = var.prefix

  # checkov:skip=CKV_AWS_65:The workers tell CloudWatch themselves what the alarms need; Container Insights is billed by the metric.
  setting {
    name  = "containerInsights"
    value = var.container_insights ? "enabled" : "disabled"
  }
}

resource "aws_cloudwatch_log_group" "worker" {
  # checkov:skip=CKV_AWS_338:The log of events is the stream and its archive; these lines are for finding faults, for which weeks suffice.
  # checkov:skip=CKV_AWS_158:Encrypted with CloudWatch's own key; a key of one's own is a choice, with log_kms_key_arn.
  for_each = local.workers

  name              = "/${var.prefix}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
}

resource "aws_ecs_task_definition" "worker" {
  # checkov:skip=CKV_AWS_336:The KCL's run folder lies in /tmp, and the image's other files belong to root while the process doesn't run as root.
  for_each = local.workers

  family                   = "${var.prefix}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory_mb
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.worker[each.key].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  container_definitions = jsonencode([{
    name      = each.key
    image     = var.image
    essential = true
    command   = each.value.command

    environment = [for name in sort(keys(local.settings)) : { name = name, value = local.settings[name] }]
    secrets     = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]

    # As the image's own, which ECS doesn't look at: 503 is a worker whose shards don't move.
    healthCheck = {
      command     = ["CMD", "python", "-c", local.health]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 60
    }

    # The daemon hands its shards over within its grace; then the supervisor ends.
    stopTimeout = var.kcl_grace_s + var.stop_margin_s

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.worker[each.key].name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = each.key
      }
    }
  }])
}

# Nothing comes in: the health check runs inside the container. EC2 refuses descriptions with
# apostrophes, and no description can be changed without a new group or rule.
resource "aws_security_group" "workers" {
  name        = "${var.prefix}-workers"
  description = "mailtumble workers: outbound TLS to AWS APIs, nothing inbound"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "tls" {
  security_group_id = aws_security_group.workers.id
  description       = "AWS APIs, and the certificates of SNS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_ecs_service" "worker" {
  for_each = local.workers

  name            = each.key
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.worker[each.key].arn
  launch_type     = "FARGATE"
  desired_count   = each.value.tasks_min
  propagate_tags  = "SERVICE"

  # New tasks are there before the old ones hand their shards over to them.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.workers.id]
    assign_public_ip = false
  }

  lifecycle {
    ignore_changes = [desired_count] # the autoscaling's, after the first time
  }

  # At a destroy the tasks go first: without their policy they could not hand over.
  depends_on = [aws_iam_role_policy.worker]
}
