variable "endpoint" {
  description = "Where LocalStack answers, as tools/localstack.sh start prints it."
  type        = string
  default     = "http://127.0.0.1:4566"

  validation {
    condition     = can(regex("^https?://[^/]+$", var.endpoint))
    error_message = "Scheme, host and port, such as http://127.0.0.1:4566."
  }
}

variable "region" {
  description = "The region that LocalStack is asked to be."
  type        = string
  default     = "eu-central-1"
}

variable "prefix" {
  description = "What physical names begin with."
  type        = string
  default     = "mailtumble"

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$", var.prefix))
    error_message = "3 to 40 lower-case letters, digits and hyphens, as bucket names allow."
  }
}

variable "recipients" {
  description = "Domains and addresses that mail is received for."
  type        = list(string)
  default     = ["house.example"]
}
