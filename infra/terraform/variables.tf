# --- where ----------------------------------------------------------------------------------------------------------

variable "environment" {
  description = "Name of the deployed environment, as in [tool.greenroom.environments]."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}$", var.environment)) && can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.environment))
    error_message = "environment has 2 to 15 small letters, digits and single hyphens between them, a letter first: it is part of names that AWS limits to 32."
  }
}

variable "project" {
  description = "What everything here is called, with the environment's name after it."
  type        = string
  default     = "ledger"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,9}$", var.project)) && can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.project))
    error_message = "project has 2 to 10 small letters, digits and single hyphens between them, a letter first: it is part of names that AWS limits to 32."
  }

  validation {
    condition     = !can(regex("^(sg|internal)(-|$)", var.project))
    error_message = "project does not begin with sg- or internal-, nor is it sg or internal: AWS refuses security groups and load balancers of such names."
  }
}

variable "account" {
  description = "Number of the AWS account. Credentials of another one are refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "account is a number of 12 digits, in quotes."
  }
}

variable "region" {
  description = "Region of AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region is one such as eu-central-1."
  }
}

variable "force_destroy" {
  description = "Whether destroying may delete buckets and an image repository that are not empty. Never in production."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the database and the load balancer."
  type        = bool
  default     = true
}

# --- the app --------------------------------------------------------------------------------------------------------

variable "ssm_path" {
  description = "Path in SSM below which the app's parameters lie: ssm_path of [tool.greenroom.environments]."
  type        = string

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+){1,14}$", var.ssm_path))
    error_message = "ssm_path is a path such as /ledger/staging, without a slash at its end."
  }

  validation {
    condition     = !can(regex("(?i)^/(aws|ssm)(/|$)", var.ssm_path))
    error_message = "ssm_path does not begin with /aws or /ssm: AWS keeps these for itself."
  }
}

variable "ssm_kms_key_arn" {
  description = "ARN of the key of your own that encrypts secrets below ssm_path; null: AWS's own."
  type        = string
  default     = null

  validation {
    condition     = var.ssm_kms_key_arn == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.ssm_kms_key_arn))
    error_message = "ssm_kms_key_arn is the ARN of a key, not of an alias: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "repository_name" {
  description = "Name of the image's repository in ECR, as in [tool.greenroom.image]."
  type        = string
  default     = "ledger"

  validation {
    condition     = can(regex("^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$", var.repository_name))
    error_message = "repository_name has small letters, digits, and . _ - / between them."
  }
}

variable "images_kept" {
  description = "Number of tagged images that the repository keeps: how far back one can go."
  type        = number
  default     = 50

  validation {
    condition     = var.images_kept >= 10 && var.images_kept <= 1000
    error_message = "images_kept is 10 to 1000: an image that still runs must never be among those that expire."
  }
}

variable "bootstrap_image" {
  description = "Image with Python, a public one or one in ECR, that stands in until the first release: the service needs one before the pipeline has built any."
  type        = string
  default     = "public.ecr.aws/docker/library/python:3.13-slim"

  validation {
    condition     = can(regex("^[^\\s]+:[^\\s:/]+$", var.bootstrap_image)) || can(regex("@sha256:[0-9a-f]{64}$", var.bootstrap_image))
    error_message = "bootstrap_image has a tag or a digest."
  }
}

variable "task_definition" {
  description = "The template of the task definition that releases fill in, from this directory. The first one is made from it too."
  type        = string
  default     = "../../ci/taskdef.json"

  validation {
    condition     = can(jsondecode(file(var.task_definition)).containerDefinitions[0].portMappings[0].containerPort)
    error_message = "task_definition is a file: a task definition whose first container has a port."
  }
}

variable "task_cpu" {
  description = "CPU of a task, in units of 1/1024 vCPU; the same as in ci/taskdef.json."
  type        = number
  default     = 512

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.task_cpu)
    error_message = "task_cpu is one of Fargate's: 256, 512, 1024, 2048, 4096, 8192, 16384."
  }
}

variable "task_memory" {
  description = "Memory of a task in MiB; the same as in ci/taskdef.json."
  type        = number
  default     = 1024

  validation {
    condition = contains(lookup({
      "256"   = [512, 1024, 2048]
      "512"   = range(1024, 4097, 1024)
      "1024"  = range(2048, 8193, 1024)
      "2048"  = range(4096, 16385, 1024)
      "4096"  = range(8192, 30721, 1024)
      "8192"  = range(16384, 61441, 4096)
      "16384" = range(32768, 122881, 8192)
    }, tostring(var.task_cpu), []), var.task_memory)
    error_message = "Fargate has no task of this cpu and memory: 256 goes with 512, 1024, 2048 MiB; 512 with 1 to 4 GiB; 1024 with 2 to 8; 2048 with 4 to 16; 4096 with 8 to 30; 8192 with 16 to 60 in steps of 4; 16384 with 32 to 120 in steps of 8."
  }
}

variable "tasks" {
  description = "How many tasks run: the least, the most, and the average CPU in percent at which more are started."
  type = object({
    least       = number
    most        = number
    cpu_percent = optional(number, 60)
  })
  default = { least = 2, most = 6 }

  validation {
    condition     = var.tasks.least >= 1 && var.tasks.most >= var.tasks.least && var.tasks.most <= 100
    error_message = "tasks: least is 1 or more, most is no less than that and at most 100."
  }

  validation {
    condition     = var.tasks.cpu_percent >= 20 && var.tasks.cpu_percent <= 90
    error_message = "tasks.cpu_percent is 20 to 90."
  }
}

variable "execute_command" {
  description = "Whether a shell may be opened in a running task (ECS Exec)."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one that CloudWatch knows, such as 30, 90 or 365."
  }
}
