locals {
  settings = {
    MAILTUMBLE_PREFIX            = var.prefix
    MAILTUMBLE_TRANSPORT         = "sesv1"
    MAILTUMBLE_CONFIGURATION_SET = module.feedback.configuration_set
    MAILTUMBLE_INTAKE_QUEUE_URL  = module.mail_intake.queue_urls["intake"]
    # LocalStack signs with a certificate of its own.
    MAILTUMBLE_VERIFY_SNS = "off"
    AWS_ENDPOINT_URL      = var.endpoint
    AWS_DEFAULT_REGION    = var.region
    AWS_ACCESS_KEY_ID     = "test"
    AWS_SECRET_ACCESS_KEY = "test"
  }
}

output "settings" {
  description = "The environment of every worker and command: mailtumble's settings and boto's."
  value       = local.settings
}

output "environment_file" {
  description = "The same as a file for a shell: NAME='value' a line."
  value = join("", [
    for name, value in local.settings : "${name}='${replace(value, "'", "'\\''")}'\n"
  ])
}

output "stream" {
  description = "Name of the stream."
  value       = module.stream.name
}

output "tables" {
  description = "Physical names of the tables, by short name."
  value       = module.projections.names
}

output "buckets" {
  description = "Names of the buckets, by short name."
  value = {
    mail    = module.mail_intake.bucket
    archive = module.archive.bucket
  }
}

output "queue_urls" {
  description = "URLs of the queues, by short name."
  value       = module.mail_intake.queue_urls
}

output "topic_arns" {
  description = "ARNs of the topics, by short name."
  value = {
    inbound  = module.mail_intake.topic_arn
    feedback = module.feedback.topic_arn
  }
}
