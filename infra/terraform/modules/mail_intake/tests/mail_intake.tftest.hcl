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

  mock_resource "aws_sesv2_email_identity" {
    defaults = { dkim_signing_attributes = { tokens = ["one", "two", "three"] } }
  }

  mock_resource "aws_ses_domain_dkim" {
    defaults = { dkim_tokens = ["four", "five", "six"] }
  }

  mock_resource "aws_ses_domain_identity" {
    defaults = { verification_token = "seven" }
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
  activate_rule_set   = false
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
    condition = (
      data.aws_iam_policy_document.mail.statement[0].resources == toset(["arn:aws:s3:::mailtumble-test-mail/inbound/*"])
      && contains(
        flatten([for each in data.aws_iam_policy_document.mail.statement[0].condition : each.values]),
        "arn:aws:ses:eu-central-1:123456789012:receipt-rule-set/mailtumble:receipt-rule/store-and-announce",
      )
    )
    error_message = "This rule alone writes into the bucket, and under its prefix alone."
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.mail.block_public_acls
      && aws_s3_bucket_public_access_block.mail.block_public_policy
      && aws_s3_bucket_public_access_block.mail.ignore_public_acls
      && aws_s3_bucket_public_access_block.mail.restrict_public_buckets
      && data.aws_iam_policy_document.mail.statement[1].effect == "Deny"
    )
    error_message = "Nobody reads mail from outside, or without TLS."
  }

  assert {
    condition     = !aws_s3_bucket.mail.force_destroy
    error_message = "Mail is deleted by terraform destroy only where that was asked for."
  }

  assert {
    condition     = aws_sns_topic.inbound.signature_version == 2
    error_message = "SNS signs with SHA-256."
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

run "domains_are_verified_and_their_records_told" {
  variables {
    recipients = ["info@House.example", "house.example", ".far.example"]
  }

  assert {
    condition     = toset(keys(aws_sesv2_email_identity.this)) == toset(["house.example", "far.example"])
    error_message = "Each recipient's domain is an identity, once."
  }

  assert {
    condition = toset([
      for record in output.dns_records : "${record.type} ${record.name} ${record.value}"
      if endswith(record.name, "house.example")
      ]) == toset([
      "MX house.example 10 inbound-smtp.eu-central-1.amazonaws.com",
      "CNAME one._domainkey.house.example one.dkim.amazonses.com",
      "CNAME two._domainkey.house.example two.dkim.amazonses.com",
      "CNAME three._domainkey.house.example three.dkim.amazonses.com",
      "MX bounce.house.example 10 feedback-smtp.eu-central-1.amazonses.com",
      "TXT bounce.house.example v=spf1 include:amazonses.com ~all",
      "TXT _dmarc.house.example v=DMARC1; p=none",
    ])
    error_message = "MX, DKIM, MAIL FROM with SPF, and DMARC: what SES and the receivers look for."
  }

  assert {
    condition     = output.identity_arns["house.example"] == "arn:aws:ses:eu-central-1:123456789012:identity/house.example"
    error_message = "The sender may send as this identity."
  }
}

run "the_first_api_makes_the_same" {
  variables {
    ses_api = "v1"
  }

  assert {
    condition     = keys(aws_ses_domain_identity.this) == ["house.example"] && length(aws_sesv2_email_identity.this) == 0
    error_message = "One API makes the identity, not both."
  }

  assert {
    condition = length(setsubtract(
      ["TXT _amazonses.house.example seven", "CNAME four._domainkey.house.example four.dkim.amazonses.com"],
      [for record in output.dns_records : "${record.type} ${record.name} ${record.value}"],
    )) == 0
    error_message = "v1 verifies by a record of its own, and signs with DKIM as well."
  }
}

run "identities_made_elsewhere_are_left_alone" {
  variables {
    manage_identities = false
  }

  assert {
    condition     = length(aws_sesv2_email_identity.this) + length(aws_ses_domain_identity.this) == 0
    error_message = "No identity is made."
  }

  assert {
    condition     = [for record in output.dns_records : record.type] == ["MX", "TXT"]
    error_message = "What is left to set is where mail goes, and the advice."
  }
}

run "no_recipient_would_mean_every_domain" {
  command = plan

  variables {
    recipients = []
  }

  expect_failures = [var.recipients]
}

run "dead_letters_come_from_their_queue_alone" {
  command = plan

  assert {
    condition = jsondecode(aws_sqs_queue.this["intake-dead-letters"].redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws:sqs:eu-central-1:123456789012:mailtumble-test-intake"]
    }
    error_message = "No other queue may name it as the place for its dead letters."
  }
}
