provider "aws" {
  region = var.region

  default_tags {
    tags = merge(var.tags, { Application = "mailtumble", Environment = "prod" })
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  # The one truth for names and shapes; mailtumble/definition.py reads it too.
  definition = jsondecode(file("${path.module}/../../definition.json"))

  ses = join(":", [
    "arn", data.aws_partition.current.partition, "ses", var.region, data.aws_caller_identity.current.account_id,
  ])
}

module "stream" {
  source = "../../modules/stream"

  prefix  = var.prefix
  stream  = local.definition.stream
  shards  = var.shards
  kms_key = coalesce(var.stream_kms_key_arn, "alias/aws/kinesis")
}

module "projections" {
  source = "../../modules/projections"

  prefix              = var.prefix
  tables              = local.definition.tables
  deletion_protection = var.protected
}

module "leases" {
  source = "../../modules/leases"

  prefix       = var.prefix
  applications = ["archive-0", "core-${try(var.settings["MAILTUMBLE_GENERATION"], "g1")}", "sender-0"]
}

module "feedback" {
  source = "../../modules/feedback"

  prefix            = var.prefix
  topic             = "feedback"
  configuration_set = local.definition.ses.configuration_set
}

module "mail_intake" {
  source = "../../modules/mail_intake"

  prefix              = var.prefix
  bucket              = "mail"
  topic               = "inbound"
  queues              = local.definition.queues
  feedback_topic_arns = { feedback = module.feedback.topic_arn }
  rule_set            = local.definition.ses.rule_set
  object_prefix       = local.definition.ses.object_prefix
  recipients          = var.recipients
  activate_rule_set   = var.activate_rule_set
  mail_retention_days = var.mail_retention_days
  mail_from_subdomain = var.mail_from_subdomain
  force_destroy       = !var.protected
}

module "archive" {
  source = "../../modules/archive"

  prefix        = var.prefix
  bucket        = "archive"
  force_destroy = !var.protected
}

module "workers" {
  source = "../../modules/workers"

  prefix     = var.prefix
  image      = var.image
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
  workers    = var.workers
  settings   = local.settings
  secrets    = var.secrets

  stream             = { name = local.definition.stream.name, arn = module.stream.arn }
  stream_kms_key_arn = var.stream_kms_key_arn
  table_arns         = module.projections.arns
  queue_arns         = module.mail_intake.queue_arns
  bucket_arns        = { mail = module.mail_intake.bucket_arn, archive = module.archive.bucket_arn }

  identity_arns = concat(
    values(module.mail_intake.identity_arns),
    [for address in var.sandbox_recipients : "${local.ses}:identity/${address}"],
  )
  configuration_set_arn = "${local.ses}:configuration-set/${module.feedback.configuration_set}"
  intake_queue_name     = module.mail_intake.queue_names["intake"]
  cpu_architecture      = var.cpu_architecture
  log_retention_days    = var.log_retention_days
}

module "observability" {
  source = "../../modules/observability"

  prefix          = var.prefix
  applications    = [for worker in keys(module.workers.services) : worker if worker != "intake"]
  stream_name     = module.stream.name
  retention_hours = local.definition.stream.retention_hours
  queues          = local.definition.queues
  queue_names     = module.mail_intake.queue_names
  table_names     = module.projections.names
  thresholds      = var.thresholds
  alarm_actions   = var.alarm_actions
}
