mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:mailtumble-test-inbound" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:mailtumble-test-intake" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mailtumble-test-mail" }
  }
}

variables {
  prefix              = "mailtumble-test"
  rule_set            = "mailtumble"
  object_prefix       = "inbound/"
  recipients          = ["house.example"]
  feedback_topic_arns = { feedback = "arn:aws:sns:eu-central-1:123456789012:mailtumble-test-feedback" }
  queues = [
    {
      name               = "intake"
      topics             = ["inbound", "feedback"]
      raw_delivery       = false
      visibility_seconds = 60
      retention_seconds  = 1209600
      redrive            = { queue = "intake-dead-letters", receives_max = 5 }
    },
    {
      name               = "intake-dead-letters"
      topics             = []
      raw_delivery       = false
      visibility_seconds = 60
      retention_seconds  = 1209600
    },
  ]
}

run "received_mail_is_stored_and_announced" {
  assert {
    condition     = aws_s3_bucket.mail.bucket == "mailtumble-test-mail"
    error_message = "The physical name is <prefix>-<name>."
  }

  assert {
    condition     = one(aws_ses_receipt_rule.store_and_announce.s3_action).object_key_prefix == "inbound/"
    error_message = "Mail lies under the prefix of the definition."
  }

  assert {
    condition     = one(aws_ses_receipt_rule.store_and_announce.s3_action).topic_arn == output.topic_arn
    error_message = "The S3 action announces the mail on the inbound topic."
  }

  assert {
    condition     = length(aws_ses_active_receipt_rule_set.this) == 0
    error_message = "The account's active rule set is left alone unless asked for."
  }
}

run "queues_as_defined" {
  assert {
    condition     = toset(keys(aws_sns_topic_subscription.this)) == toset(["inbound-intake", "feedback-intake"])
    error_message = "Intake reads both topics through one queue."
  }

  assert {
    condition     = alltrue([for each in aws_sns_topic_subscription.this : !each.raw_message_delivery])
    error_message = "Raw delivery would drop the signature that intake verifies."
  }

  assert {
    condition     = keys(aws_sqs_queue_redrive_policy.this) == ["intake"]
    error_message = "What intake can't take five times goes to the dead letters."
  }

  assert {
    condition = (
      toset(one(data.aws_iam_policy_document.queue["intake"].statement[0].condition).values) ==
      toset([output.topic_arn, var.feedback_topic_arns["feedback"]])
    )
    error_message = "The two topics may send to the queue, and no others."
  }
}

run "no_recipient_would_mean_every_domain" {
  command = plan

  variables {
    recipients = []
  }

  expect_failures = [var.recipients]
}
