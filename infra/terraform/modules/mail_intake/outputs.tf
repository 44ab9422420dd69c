output "bucket" {
  description = "Name of the bucket with received mail."
  value       = aws_s3_bucket.mail.bucket
}

output "bucket_arn" {
  description = "ARN of the bucket with received mail."
  value       = aws_s3_bucket.mail.arn
}

output "topic_arn" {
  description = "ARN of the topic that SES announces received mail on."
  value       = aws_sns_topic.inbound.arn
}

output "queue_urls" {
  description = "URLs of the queues, by short name."
  value       = { for name, queue in aws_sqs_queue.this : name => queue.url }
}

output "queue_arns" {
  description = "ARNs of the queues, by short name."
  value       = { for name, queue in aws_sqs_queue.this : name => queue.arn }
}

output "queue_names" {
  description = "Physical names of the queues, by short name."
  value       = { for name, queue in aws_sqs_queue.this : name => queue.name }
}

output "rule_set" {
  description = "Name of the receipt rule set."
  value       = aws_ses_receipt_rule_set.this.rule_set_name
}

output "domains" {
  description = "The domains that mail is received for."
  value       = local.domains
}

output "identity_arns" {
  description = "ARNs of the identities that mail is sent from, by domain. Of identities made elsewhere too."
  value       = local.identity_arns
}

output "dns_records" {
  description = "What has to stand in DNS: {name, type, value, why} each. SES verifies a domain by its DKIM records."
  value       = local.dns_records
}
