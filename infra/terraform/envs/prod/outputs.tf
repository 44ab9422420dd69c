output "stream" {
  description = "Name of the stream."
  value       = module.stream.name
}

output "tables" {
  description = "Physical names of the tables, by short name."
  value       = module.projections.names
}

output "bucket" {
  description = "Name of the bucket with received mail."
  value       = module.mail_intake.bucket
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

output "configuration_set" {
  description = "The configuration set that every send names."
  value       = module.feedback.configuration_set
}

output "archive_bucket" {
  description = "Name of the archive's bucket."
  value       = module.archive.bucket
}

output "settings" {
  description = "The workers' environment, save what is secret: for commands on your own machine."
  value       = local.settings
}

output "dns_records" {
  description = "What has to stand in DNS: {name, type, value, why} each."
  value       = module.mail_intake.dns_records
}

output "cluster" {
  description = "Name of the ECS cluster."
  value       = module.workers.cluster
}

output "security_group_id" {
  description = "The workers' security group: to let them in at VPC endpoints."
  value       = module.workers.security_group_id
}

output "alarms" {
  description = "Names of the alarms."
  value       = module.observability.alarms
}

output "dashboard" {
  description = "Name of the dashboard."
  value       = module.observability.dashboard
}
