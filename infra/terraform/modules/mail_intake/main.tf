data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  rule    = "store-and-announce"

  # Made from names, since the rule itself needs bucket and topic with their policies.
  rule_arn = join(":", [
    "arn",
    data.aws_partition.current.partition,
    "ses",
    data.aws_region.current.name,
    local.account,
    "receipt-rule-set/${var.rule_set}:receipt-rule/${local.rule}",
  ])
}

resource "aws_ses_receipt_rule_set" "this" {
  rule_set_name = var.rule_set
}

resource "aws_ses_active_receipt_rule_set" "this" {
  count = var.activate_rule_set ? 1 : 0

  rule_set_name = aws_ses_receipt_rule_set.this.rule_set_name
}

# The S3 action with its own notification. The bare SNS action would carry the
# body, and bounce mail above 150 KB.
resource "aws_ses_receipt_rule" "store_and_announce" {
  name          = local.rule
  rule_set_name = aws_ses_receipt_rule_set.this.rule_set_name
  recipients    = var.recipients
  enabled       = true
  scan_enabled  = true
  tls_policy    = "Optional" # mail servers without TLS would have their mail refused

  s3_action {
    position          = 1
    bucket_name       = aws_s3_bucket.mail.bucket
    object_key_prefix = var.object_prefix
    topic_arn         = aws_sns_topic.inbound.arn
  }

  # SES tries to write and to publish when the rule is made.
  depends_on = [aws_s3_bucket_policy.mail, aws_sns_topic_policy.inbound]
}
