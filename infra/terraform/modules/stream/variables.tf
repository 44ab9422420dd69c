variable "prefix" {
  description = "What the stream's name begins with: <prefix>-<name>."
  type        = string
}

variable "stream" {
  description = "The stream of definition.json."
  type = object({
    name            = string
    retention_hours = number
  })

  validation {
    condition     = var.stream.retention_hours >= 24 && var.stream.retention_hours <= 8760
    error_message = "Kinesis keeps records for 24 hours to 365 days (8760 hours)."
  }
}

variable "shards" {
  description = "Provisioned shards, or null for on-demand capacity. Three applications poll, each shard gives 2 MB/s to all of them together: size for about 0.67 MB/s of writes a shard."
  type        = number
  default     = null

  validation {
    condition     = var.shards == null || try(var.shards >= 1 && floor(var.shards) == var.shards, false)
    error_message = "A provisioned stream has one shard or more."
  }
}

variable "kms_key" {
  description = "The key that records are encrypted with: an alias or an ARN. With a key of your own, the workers' roles need it too."
  type        = string
  default     = "alias/aws/kinesis"
}

variable "shard_metrics" {
  description = "CloudWatch metrics kept for each shard. Empty on an emulator that has none."
  type        = list(string)
  default = [
    "IteratorAgeMilliseconds",
    "ReadProvisionedThroughputExceeded",
    "WriteProvisionedThroughputExceeded",
  ]
}
