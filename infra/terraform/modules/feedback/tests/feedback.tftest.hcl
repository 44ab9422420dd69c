mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:mailtumble-test-feedback" }
  }
}

variables {
  prefix            = "mailtumble-test"
  configuration_set = "mailtumble"
}

run "sending_events_go_to_the_topic" {
  assert {
    condition     = aws_sns_topic.feedback.name == "mailtumble-test-feedback"
    error_message = "The physical name is <prefix>-<name>."
  }

  assert {
    condition     = output.configuration_set == "mailtumble"
    error_message = "SES's names take no prefix."
  }

  assert {
    condition = (
      toset(aws_sesv2_configuration_set_event_destination.feedback[0].event_destination[0].matching_event_types)
      == toset(["SEND", "DELIVERY", "DELIVERY_DELAY", "BOUNCE", "COMPLAINT", "REJECT"])
    )
    error_message = "Each of these events settles or changes what is known of a send, and no other does."
  }

  assert {
    condition = (
      aws_sesv2_configuration_set_event_destination.feedback[0].event_destination[0].sns_destination[0].topic_arn
      == output.topic_arn
    )
    error_message = "The events go to the topic that intake's queue is subscribed to."
  }

  assert {
    condition     = aws_sns_topic.feedback.signature_version == 2
    error_message = "SNS signs with SHA-256."
  }

  assert {
    condition     = length(aws_ses_configuration_set.this) == 0
    error_message = "One API makes the set, not both."
  }
}

run "only_ses_in_this_account_publishes" {
  assert {
    condition = (
      one(data.aws_iam_policy_document.feedback.statement[0].principals).identifiers == toset(["ses.amazonaws.com"])
      && one(data.aws_iam_policy_document.feedback.statement[0].condition).values == tolist(["123456789012"])
    )
    error_message = "Intake believes what comes from this topic: nobody else may publish there."
  }
}

run "the_first_api_makes_the_same" {
  variables {
    ses_api = "v1"
  }

  assert {
    condition     = output.configuration_set == "mailtumble" && length(aws_sesv2_configuration_set.this) == 0
    error_message = "The set has the same name, made by the other API."
  }

  assert {
    condition = (
      aws_ses_event_destination.feedback[0].matching_types
      == toset(["send", "delivery", "bounce", "complaint", "reject"])
    )
    error_message = "All of the events that v1 has."
  }

  assert {
    condition     = aws_ses_event_destination.feedback[0].sns_destination[0].topic_arn == output.topic_arn
    error_message = "The events go to the topic that intake's queue is subscribed to."
  }
}

run "there_is_no_third_api" {
  command = plan

  variables {
    ses_api = "v3"
  }

  expect_failures = [var.ses_api]
}
