output "topic_arn" {
  description = "ARN of the topic with SES's sending events."
  value       = aws_sns_topic.feedback.arn
}

output "configuration_set" {
  description = "Name of the configuration set that every send names."
  value       = aws_sesv2_configuration_set.this.configuration_set_name
}
