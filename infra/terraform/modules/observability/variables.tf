variable "prefix" {
  description = "What the names of the alarms and of the dashboard begin with."
  type        = string
}

variable "applications" {
  description = "The applications that read the stream and tell how far they are behind."
  type        = list(string)
}

variable "stream_name" {
  description = "Physical name of the stream."
  type        = string
}

variable "retention_hours" {
  description = "Hours that the stream keeps its records."
  type        = number
}

variable "queues" {
  description = "The queues of definition.json."
  type = list(object({
    name    = string
    topics  = list(string)
    redrive = optional(object({ queue = string, receives_max = number }))
  }))
}

variable "queue_names" {
  description = "Physical names of the queues, by short name."
  type        = map(string)
}

variable "table_names" {
  description = "Physical names of the tables, by short name."
  type        = map(string)
}

variable "metrics_namespace" {
  description = "The CloudWatch namespace of the workers' own metrics."
  type        = string
  default     = "mailtumble"
}

variable "thresholds" {
  description = "Above what an alarm goes off. Rates are from 0 to 1, below those at which SES looks into an account."
  type = object({
    lag_ms         = optional(number, 60000)
    queue_age_s    = optional(number, 300)
    bounce_rate    = optional(number, 0.04)
    complaint_rate = optional(number, 0.0008)
    refusals       = optional(number, 10)
    queue_depth    = optional(number, 1500) # some 2,000 a shard are counted
  })
  default = {}

  validation {
    condition     = var.thresholds.bounce_rate <= 0.05 && var.thresholds.complaint_rate <= 0.001
    error_message = "Above 5 % bounces or 0.1 % complaints SES has put the account under review already."
  }
}

variable "alarm_actions" {
  description = "ARNs of what an alarm tells, such as an SNS topic with your mail address. Empty: alarms are seen in the console only."
  type        = list(string)
  default     = []
}
