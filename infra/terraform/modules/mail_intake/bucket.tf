resource "aws_s3_bucket" "mail" {
  # checkov:skip=CKV_AWS_145:Encrypted with S3's own keys; under a key in KMS SES couldn't write without a grant on it, at a price for each mail.
  # checkov:skip=CKV_AWS_18:CloudTrail's data events tell who reads; access logs would be another bucket with addresses in it.
  # checkov:skip=CKV_AWS_144:A mail is kept for weeks, in the region that has its stream and tables; another copy would have to be erased too.
  # checkov:skip=CKV2_AWS_62:SES announces each mail by itself.
  # checkov:skip=CKV_AWS_21:An object's name is its message id, so none is written over, and erasing a mail has to erase it.
  bucket        = "${var.prefix}-${var.bucket}"
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "mail" {
  bucket = aws_s3_bucket.mail.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "mail" {
  bucket = aws_s3_bucket.mail.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "mail" {
  bucket = aws_s3_bucket.mail.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "mail" {
  bucket = aws_s3_bucket.mail.id

  versioning_configuration {
    status = "Disabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "mail" {
  bucket = aws_s3_bucket.mail.id

  rule {
    id     = "received-mail"
    status = "Enabled"

    filter {
      prefix = var.object_prefix
    }

    expiration {
      days = var.mail_retention_days
    }
  }

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "mail" {
  statement {
    sid       = "SesStoresReceivedMail"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.mail.arn}/${var.object_prefix}*"]

    principals {
      type        = "Service"
      identifiers = ["ses.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "AWS:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "StringEquals"
      variable = "AWS:SourceArn"
      values   = [local.rule_arn]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.mail.arn, "${aws_s3_bucket.mail.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "mail" {
  bucket = aws_s3_bucket.mail.id
  policy = data.aws_iam_policy_document.mail.json

  depends_on = [aws_s3_bucket_public_access_block.mail]
}
