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

variable "ses_api" {
  description = "Which of SES's APIs makes the configuration set. v1 is for emulators that have no other: it has no DELIVERY_DELAY."
  type        = string
  default     = "v2"

  validation {
    condition     = contains(["v1", "v2"], var.ses_api)
    error_message = "SES has the APIs v1 and v2."
  }
}
