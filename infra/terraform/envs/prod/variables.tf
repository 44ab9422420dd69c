variable "region" {
  description = "AWS region. SES has to offer receiving mail there."
  type        = string
}

variable "prefix" {
  description = "What physical names begin with. Bucket names are unique in all of AWS: choose one of your own, such as mailtumble-<company>."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$", var.prefix))
    error_message = "3 to 40 lower-case letters, digits and hyphens, as bucket names allow."
  }
}

variable "recipients" {
  description = "Domains and addresses that mail is received for."
  type        = list(string)
}

variable "activate_rule_set" {
  description = "Whether to make mailtumble's rule set the region's active one, in place of any other."
  type        = bool
  default     = false
}

variable "shards" {
  description = "Provisioned shards of the stream, or null for on-demand capacity."
  type        = number
  default     = null
}

variable "mail_retention_days" {
  description = "Days that received mail is kept."
  type        = number
  default     = 90
}

variable "tags" {
  description = "Tags for every resource, beside those set here."
  type        = map(string)
  default     = {}
}
