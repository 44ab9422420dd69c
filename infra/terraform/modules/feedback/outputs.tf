output "topic_arn" {
  description = "ARN of the topic with SES's sending events."
  value       = aws_sns_topic.feedback.arn
}

# Known once the events go to the topic: a send that names the set leaves its trace.
output "configuration_set" {
  description = "Name of the configuration set that every send names."
  value = one(concat(
    aws_sesv2_configuration_set_event_destination.feedback[*].configuration_set_name,
    aws_ses_event_destination.feedback[*].configuration_set_name,
  ))
}
