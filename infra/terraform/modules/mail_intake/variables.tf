variable "prefix" {
  description = "What the names of bucket, topic and queues begin with: <prefix>-<name>."
  type        = string
}

variable "bucket" {
  description = "Short name of the bucket that SES stores received mail in."
  type        = string
  default     = "mail"
}

variable "topic" {
  description = "Short name of the topic that SES announces received mail on."
  type        = string
  default     = "inbound"
}

variable "queues" {
  description = "The queues of definition.json."
  type = list(object({
    name               = string
    topics             = list(string)
    raw_delivery       = bool
    visibility_seconds = number
    retention_seconds  = number
    redrive            = optional(object({ queue = string, receives_max = number }))
  }))
}

variable "feedback_topic_arns" {
  description = "ARNs of topics made elsewhere that queues are subscribed to, by short name."
  type        = map(string)
  default     = {}
}

variable "rule_set" {
  description = "Name of the receipt rule set. SES's names take no prefix."
  type        = string
}

variable "object_prefix" {
  description = "What the keys of received mail begin with."
  type        = string

  validation {
    condition     = endswith(var.object_prefix, "/")
    error_message = "The prefix is a folder: it ends with a slash."
  }
}

variable "recipients" {
  description = "Domains and addresses that mail is received for: 1 to 100 (SES's limit for a rule)."
  type        = list(string)

  validation {
    condition     = length(var.recipients) >= 1 && length(var.recipients) <= 100
    error_message = "A receipt rule takes 1 to 100 recipients; none would mean every verified domain."
  }
}

variable "activate_rule_set" {
  description = "Whether this rule set is the region's active one. A region of an account has one active rule set: true replaces any other, and changing true to false stops receiving mail."
  type        = bool
  nullable    = false # and no default: an apply that does not state it must not stop receiving
}

variable "mail_retention_days" {
  description = "Days that received mail is kept. It is read again at every retry and replay that forwards."
  type        = number
  default     = 90

  validation {
    condition     = var.mail_retention_days >= 15
    error_message = "Redelivered inputs are recognised for 15 days: keep their mail as long."
  }
}

variable "force_destroy" {
  description = "Whether terraform destroy may delete the bucket with the mail in it. Without it, the bucket has to be emptied first."
  type        = bool
  default     = false
}

variable "manage_identities" {
  description = "Whether to verify the recipients' domains with SES here. Off where that is done elsewhere."
  type        = bool
  default     = true
}

variable "ses_api" {
  description = "Which of SES's APIs makes the identities. v1 is for emulators that have no other."
  type        = string
  default     = "v2"

  validation {
    condition     = contains(["v1", "v2"], var.ses_api)
    error_message = "SES has the APIs v1 and v2."
  }
}

variable "mail_from_subdomain" {
  description = "The label under each domain that forwarded mail's Return-Path has, so that SPF passes for the domain itself."
  type        = string
  default     = "bounce"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.mail_from_subdomain))
    error_message = "One label of a domain name: letters, digits and hyphens."
  }
}
