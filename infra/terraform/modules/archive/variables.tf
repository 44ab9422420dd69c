variable "prefix" {
  description = "What the bucket's name begins with: <prefix>-<name>."
  type        = string
}

variable "bucket" {
  description = "Short name of the bucket that the archive lies in."
  type        = string
  default     = "archive"
}

variable "infrequent_after_days" {
  description = "Days after which an object moves to the cheaper class for what is seldom read."
  type        = number
  default     = 30

  validation {
    condition     = var.infrequent_after_days >= 30
    error_message = "S3 takes an object into STANDARD_IA after 30 days at the earliest."
  }
}

variable "former_versions_days" {
  description = "Days that an object's former versions are kept, deleted ones among them."
  type        = number
  default     = 30
}

variable "force_destroy" {
  description = "Whether terraform destroy may delete the bucket with the archive in it. Without it, the bucket has to be emptied first, every version."
  type        = bool
  default     = false
}
