variable "prefix" {
  description = "What names begin with; of the KCL's tables too."
  type        = string
}

variable "image" {
  description = "The workers' image, best by its digest. Its entry point is mailtumble."
  type        = string
}

variable "vpc_id" {
  description = "The network that the workers run in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, of two availability zones or more, with a way out to AWS's APIs (NAT, or VPC endpoints)."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "The tasks need a subnet."
  }
}

variable "workers" {
  description = "Size and number of each worker. Of core, sender and archive, tasks beyond the number of shards have nothing to do."
  type = map(object({
    cpu       = number
    memory_mb = number
    tasks_min = number
    tasks_max = number
  }))
  # The KCL's Java takes about 400 MB, and each shard's process 60 MB. Two tasks, so that
  # one goes on where an availability zone fails; the archive can wait.
  default = {
    core    = { cpu = 1024, memory_mb = 2048, tasks_min = 2, tasks_max = 8 }
    sender  = { cpu = 1024, memory_mb = 2048, tasks_min = 2, tasks_max = 8 }
    archive = { cpu = 512, memory_mb = 2048, tasks_min = 1, tasks_max = 4 }
    intake  = { cpu = 512, memory_mb = 1024, tasks_min = 2, tasks_max = 6 }
  }

  validation {
    condition     = length(setsubtract(keys(var.workers), ["core", "sender", "archive", "intake"])) == 0
    error_message = "The workers are core, sender, archive and intake."
  }

  validation {
    condition     = alltrue([for each in var.workers : each.tasks_min >= 1 && each.tasks_max >= each.tasks_min])
    error_message = "Each worker has a task at least, and tasks_max is not below tasks_min."
  }
}

variable "settings" {
  description = "The environment of every worker: MAILTUMBLE_* and AWS_*."
  type        = map(string)
}

variable "secrets" {
  description = "Settings that are secret: the variable's name to the ARN in Secrets Manager or Parameter Store."
  type        = map(string)
  default     = {}
}

variable "stream" {
  description = "The event stream: its short name and its ARN."
  type        = object({ name = string, arn = string })
}

variable "stream_kms_key_arn" {
  description = "The stream's key where it is one of your own; null with alias/aws/kinesis."
  type        = string
  default     = null
}

variable "table_arns" {
  description = "ARNs of the tables, by short name."
  type        = map(string)
}

variable "queue_arns" {
  description = "ARNs of the queues, by short name."
  type        = map(string)
}

variable "bucket_arns" {
  description = "ARNs of the buckets, by short name."
  type        = map(string)
}

variable "identity_arns" {
  description = "ARNs of the SES identities that the sender may send as, and in SES's sandbox also to."
  type        = list(string)
}

variable "configuration_set_arn" {
  description = "ARN of the configuration set that the sender's calls name."
  type        = string
}

variable "intake_queue_name" {
  description = "Physical name of intake's queue, for its depth."
  type        = string
}

variable "metrics_namespace" {
  description = "The CloudWatch namespace of the workers' own metrics."
  type        = string
  default     = "mailtumble"
}

variable "scale_out" {
  description = "Above what a worker gets another task: milliseconds behind the stream's end, messages in intake's queue. Below a tenth it loses one."
  type        = object({ lag_ms = number, queue_depth = number })
  default     = { lag_ms = 10000, queue_depth = 1000 }
}

variable "kcl_grace_s" {
  description = "How long a hand-over of shards may take after SIGTERM."
  type        = number
  default     = 30

  validation {
    condition     = var.kcl_grace_s >= 8 && var.kcl_grace_s <= 105
    error_message = "8 to 105 seconds: with the margin for the supervisor, Fargate gives 120 at most."
  }
}

variable "stop_margin_s" {
  description = "How much longer than that ECS waits before it kills a task."
  type        = number
  default     = 15

  validation {
    condition     = var.stop_margin_s >= 5 && var.stop_margin_s <= 15
    error_message = "5 to 15 seconds."
  }
}

variable "web_port" {
  description = "The port of health and metrics, inside the container."
  type        = number
  default     = 8080
}

variable "cpu_architecture" {
  description = "What the image is built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "Fargate has X86_64 and ARM64."
  }
}

variable "log_retention_days" {
  description = "Days that the workers' logs are kept, of those that CloudWatch offers."
  type        = number
  default     = 30
}

variable "log_kms_key_arn" {
  description = "A key of your own for the logs."
  type        = string
  default     = null
}

variable "container_insights" {
  description = "Whether ECS tells CloudWatch of each task's CPU and memory, for a fee."
  type        = bool
  default     = false
}
