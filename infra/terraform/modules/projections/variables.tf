variable "prefix" {
  description = "What each table's name begins with: <prefix>-<name>."
  type        = string
}

variable "tables" {
  description = "The tables of definition.json."
  type = list(object({
    name          = string
    partition_key = object({ name = string, type = string })
    sort_key      = optional(object({ name = string, type = string }))
    ttl           = optional(string)
    indexes = list(object({
      name          = string
      partition_key = object({ name = string, type = string })
      sort_key      = optional(object({ name = string, type = string }))
    }))
  }))
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted. Off only where they are made to be thrown away."
  type        = bool
  default     = true
}
