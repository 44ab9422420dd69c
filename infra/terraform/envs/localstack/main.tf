# LocalStack: one endpoint for everything, any credentials, nothing to ask AWS about.
provider "aws" {
  region     = var.region
  access_key = "test"
  secret_key = "test"

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    cloudwatch = var.endpoint
    dynamodb   = var.endpoint
    iam        = var.endpoint
    kinesis    = var.endpoint
    kms        = var.endpoint
    logs       = var.endpoint
    s3         = var.endpoint
    ses        = var.endpoint
    sns        = var.endpoint
    sqs        = var.endpoint
    sts        = var.endpoint
  }

  default_tags {
    tags = { Application = "mailtumble", Environment = "localstack" }
  }
}

locals {
  # The one truth for names and shapes; mailtumble/definition.py reads it too.
  definition = jsondecode(file("${path.module}/../../definition.json"))
}

module "stream" {
  source = "../../modules/stream"

  prefix        = var.prefix
  stream        = local.definition.stream
  shards        = local.definition.stream.local_shards
  shard_metrics = [] # LocalStack has none
}

module "projections" {
  source = "../../modules/projections"

  prefix              = var.prefix
  tables              = local.definition.tables
  deletion_protection = false
}

module "leases" {
  source = "../../modules/leases"

  prefix = var.prefix
}

module "feedback" {
  source = "../../modules/feedback"

  prefix            = var.prefix
  topic             = "feedback"
  configuration_set = local.definition.ses.configuration_set
  ses_api           = "v1" # all that LocalStack has
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
  activate_rule_set   = true # there to be looked at: LocalStack receives no mail
  ses_api             = "v1"
  force_destroy       = true
}

module "archive" {
  source = "../../modules/archive"

  prefix        = var.prefix
  bucket        = "archive"
  force_destroy = true
}

module "observability" {
  source = "../../modules/observability"

  prefix          = var.prefix
  applications    = ["archive", "core", "sender"]
  stream_name     = module.stream.name
  retention_hours = local.definition.stream.retention_hours
  queues          = local.definition.queues
  queue_names     = module.mail_intake.queue_names
  table_names     = module.projections.names
}
