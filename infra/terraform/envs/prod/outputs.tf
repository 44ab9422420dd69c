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
