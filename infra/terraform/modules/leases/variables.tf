variable "prefix" {
  description = "What each table's name begins with."
  type        = string
}

variable "applications" {
  description = "Applications under the KCL, each with its generation: <application>-<generation>. Archive and sender have the generation 0 for ever."
  type        = set(string)
  default     = ["archive-0", "core-g1", "sender-0"]

  validation {
    condition     = alltrue([for each in var.applications : can(regex("^[a-z]+-[A-Za-z0-9_-]{1,40}$", each))])
    error_message = "Application and generation with a hyphen between them, such as core-g1."
  }
}
