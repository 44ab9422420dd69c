provider "aws" {
  region = var.region

  default_tags {
    tags = merge(var.tags, { Application = "mailtumble", Environment = "prod" })
  }
}

locals {
  # The one truth for names and shapes; mailtumble/definition.py reads it too.
  definition = jsondecode(file("${path.module}/../../definition.json"))
}

module "stream" {
  source = "../../modules/stream"

  prefix = var.prefix
  stream = local.definition.stream
  shards = var.shards
}

module "projections" {
  source = "../../modules/projections"

  prefix = var.prefix
  tables = local.definition.tables
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
}
