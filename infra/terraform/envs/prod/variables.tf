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
  description = "Whether SES receives mail for mailtumble: true makes its rule set the region's active one, in place of any other; changing true to false stops receiving. State it in the variables file, so that every apply repeats it."
  type        = bool
  nullable    = false # and no default: an apply that does not state it must not stop receiving
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

variable "mail_from_subdomain" {
  description = "The label under each domain that forwarded mail's Return-Path has."
  type        = string
  default     = "bounce"
}

variable "protected" {
  description = "Whether tables refuse to be deleted, and buckets with something in them too. Turn it off, apply, and terraform destroy leaves nothing."
  type        = bool
  default     = true
}

variable "image" {
  description = "The workers' image, best by its digest."
  type        = string
}

variable "cpu_architecture" {
  description = "What the image is built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"
}

variable "vpc_id" {
  description = "The network that the workers run in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of it with a way out to AWS's APIs, in two availability zones or more."
  type        = list(string)
}

variable "workers" {
  description = "Size and number of each worker."
  type = map(object({
    cpu       = number
    memory_mb = number
    tasks_min = number
    tasks_max = number
  }))
  nullable = false
  default = {
    core    = { cpu = 1024, memory_mb = 2048, tasks_min = 2, tasks_max = 8 }
    sender  = { cpu = 1024, memory_mb = 2048, tasks_min = 2, tasks_max = 8 }
    archive = { cpu = 512, memory_mb = 2048, tasks_min = 1, tasks_max = 4 }
    intake  = { cpu = 512, memory_mb = 1024, tasks_min = 2, tasks_max = 6 }
  }
}

variable "settings" {
  description = "More settings of the workers, MAILTUMBLE_* each."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : startswith(name, "MAILTUMBLE_") || startswith(name, "AWS_")])
    error_message = "A setting is named MAILTUMBLE_*, and boto's own AWS_*: see docs/reference/settings.md."
  }

  validation {
    condition     = !contains(keys(var.settings), "MAILTUMBLE_ADDRESS_KEY")
    error_message = "The address key is a secret: put it into Secrets Manager, and its ARN into the variable secrets."
  }
}

variable "secrets" {
  description = "Settings that are secret: the variable's name to the ARN in Secrets Manager or Parameter Store. MAILTUMBLE_ADDRESS_KEY belongs here."
  type        = map(string)
  default     = {}
}

variable "sandbox_recipients" {
  description = "Addresses or domains verified with SES that the sender may send to while the account is in SES's sandbox: IAM asks for them too, then."
  type        = list(string)
  default     = []
}

variable "stream_kms_key_arn" {
  description = "A key of your own for the stream; null: Kinesis's."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days that the workers' logs are kept."
  type        = number
  default     = 30
}

variable "thresholds" {
  description = "Above what an alarm goes off; see modules/observability."
  type = object({
    lag_ms         = optional(number)
    queue_age_s    = optional(number)
    bounce_rate    = optional(number)
    complaint_rate = optional(number)
    refusals       = optional(number)
    queue_depth    = optional(number)
  })
  default = {}
}

variable "alarm_actions" {
  description = "ARNs of what an alarm tells, such as an SNS topic with your mail address."
  type        = list(string)
  default     = []
}
