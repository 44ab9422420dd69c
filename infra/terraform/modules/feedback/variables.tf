variable "prefix" {
  description = "What the topic's name begins with: <prefix>-<name>."
  type        = string
}

variable "topic" {
  description = "Short name of the topic that SES publishes sending events to."
  type        = string
  default     = "feedback"
}

variable "configuration_set" {
  description = "The configuration set that every send names. SES's names take no prefix."
  type        = string
}
