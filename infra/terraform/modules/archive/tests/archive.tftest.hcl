mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mailtumble-test-archive" }
  }
}

variables {
  prefix = "mailtumble-test"
}

run "the_archive_keeps_what_was_written" {
  assert {
    condition     = output.bucket == "mailtumble-test-archive"
    error_message = "The physical name is <prefix>-<name>."
  }

  assert {
    condition     = aws_s3_bucket_versioning.archive.versioning_configuration[0].status == "Enabled"
    error_message = "What was written over can be had back."
  }

  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.archive.rule : length(rule.expiration) == 0])
    error_message = "No event ends by itself: the archive is kept for longer than the stream."
  }

  assert {
    condition     = !aws_s3_bucket.archive.force_destroy
    error_message = "terraform destroy deletes the archive only where that was asked for."
  }
}

run "nobody_else_reads_it" {
  assert {
    condition = (
      aws_s3_bucket_public_access_block.archive.block_public_acls
      && aws_s3_bucket_public_access_block.archive.block_public_policy
      && aws_s3_bucket_public_access_block.archive.ignore_public_acls
      && aws_s3_bucket_public_access_block.archive.restrict_public_buckets
    )
    error_message = "The bucket is closed to the public."
  }

  assert {
    condition = (
      data.aws_iam_policy_document.archive.statement[0].effect == "Deny"
      && one(data.aws_iam_policy_document.archive.statement[0].condition).variable == "aws:SecureTransport"
    )
    error_message = "Nothing of it is read or written without TLS."
  }
}

run "refuses_a_move_that_s3_refuses" {
  command = plan

  variables {
    infrequent_after_days = 7
  }

  expect_failures = [var.infrequent_after_days]
}
