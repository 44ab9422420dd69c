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
    condition = length(setsubtract(
      ["SEND", "DELIVERY", "DELIVERY_DELAY", "BOUNCE", "COMPLAINT", "REJECT"],
      aws_sesv2_configuration_set_event_destination.feedback.event_destination[0].matching_event_types,
    )) == 0
    error_message = "Each of these events settles or changes what is known of a send."
  }

  assert {
    condition = (
      aws_sesv2_configuration_set_event_destination.feedback.event_destination[0].sns_destination[0].topic_arn
      == output.topic_arn
    )
    error_message = "The events go to the topic that intake's queue is subscribed to."
  }
}
