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
