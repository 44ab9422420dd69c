resource "aws_kinesis_stream" "events" {
  name             = "${var.prefix}-${var.stream.name}"
  retention_period = var.stream.retention_hours
  shard_count      = var.shards
  encryption_type  = "KMS"
  kms_key_id       = var.kms_key

  # One shard that falls behind holds up its subjects alone: look at each.
  shard_level_metrics = var.shard_metrics

  # Registered consumers read past the KCL; a destroy would wait for them for ever.
  enforce_consumer_deletion = true

  stream_mode_details {
    stream_mode = var.shards == null ? "ON_DEMAND" : "PROVISIONED"
  }
}
