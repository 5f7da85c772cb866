# --- where ----------------------------------------------------------------------------------------------------------

variable "environment" {
  description = "Name of the deployed environment, as in [tool.greenroom.environments]."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "environment has 2 to 16 small letters, digits and hyphens, a letter first: it is part of names that AWS limits to 32."
  }
}

variable "project" {
  description = "What everything here is called, with the environment's name after it."
  type        = string
  default     = "ledger"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,9}$", var.project))
    error_message = "project has 2 to 10 small letters, digits and hyphens, a letter first: it is part of names that AWS limits to 32."
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

# --- network --------------------------------------------------------------------------------------------------------

variable "vpc_cidr" {
  description = "Addresses of the VPC that is made: a /16 to /20."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && tonumber(try(split("/", var.vpc_cidr)[1], 0)) >= 16 && tonumber(try(split("/", var.vpc_cidr)[1], 99)) <= 20
    error_message = "vpc_cidr is a block of IPv4 addresses from /16 to /20, such as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Letters of the availability zones that the VPC spans. Written out, so that none comes or goes by itself; only add at the end."
  type        = list(string)
  default     = ["a", "b"]

  validation {
    condition     = contains([2, 3], length(distinct(var.zones))) && length(distinct(var.zones)) == length(var.zones) && alltrue([for letter in var.zones : can(regex("^[a-z]$", letter))])
    error_message = "zones are two or three different letters, such as [\"a\", \"b\"]: a load balancer needs two."
  }
}

variable "existing_network" {
  description = "A VPC that exists, to be used instead of making one. Its private subnets need their own way to AWS and, for the build of the rehearsal, to a package index. outbound_cidrs: the addresses that they come from on the Internet."
  type = object({
    vpc_id             = string
    public_subnet_ids  = list(string)
    private_subnet_ids = list(string)
    outbound_cidrs     = optional(list(string), [])
  })
  default = null

  validation {
    condition = var.existing_network == null ? true : (
      startswith(var.existing_network.vpc_id, "vpc-")
      && length(var.existing_network.public_subnet_ids) >= 2
      && length(var.existing_network.private_subnet_ids) >= 2
    )
    error_message = "existing_network names a vpc-..., and at least two subnets of each kind, in different zones."
  }
}

variable "private_egress" {
  description = "How private subnets of the VPC that is made reach AWS: one NAT gateway (nat), one in each zone (nat-per-zone), or interface endpoints alone (endpoints), with no way to the Internet."
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["nat", "nat-per-zone", "endpoints"], var.private_egress)
    error_message = "private_egress is nat, nat-per-zone or endpoints."
  }

  validation {
    condition     = var.private_egress != "endpoints" || var.internal
    error_message = "With private_egress = endpoints the hook has no way to a load balancer on the Internet: set internal = true."
  }

  validation {
    condition     = var.private_egress != "endpoints" || can(regex("^[0-9]{12}\\.dkr\\.ecr\\.", var.bootstrap_image))
    error_message = "With private_egress = endpoints no public registry is reached: set bootstrap_image to one in ECR."
  }
}

# --- load balancer --------------------------------------------------------------------------------------------------

variable "internal" {
  description = "Whether the load balancer stands in the private subnets, for clients of the VPC and its peers alone."
  type        = bool
  default     = false
}

variable "certificate_arn" {
  description = "ARN of the certificate (ACM) for host_name. Without one both listeners speak plain http: for a trial, and with DJANGO_EXTERNAL_PROTOCOL=http."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null ? true : can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn is one of ACM: arn:aws:acm:REGION:ACCOUNT:certificate/ID."
  }
}

variable "host_name" {
  description = "Name under which browsers reach the app, which leads to the load balancer. Without one, the load balancer's own is used."
  type        = string
  default     = null

  validation {
    condition     = var.host_name == null ? true : can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", var.host_name))
    error_message = "host_name is a name such as ledger.example.com, without protocol and port."
  }

  validation {
    condition     = var.certificate_arn == null || var.host_name != null
    error_message = "With certificate_arn, host_name says which of its names the app is reached by."
  }
}

variable "client_cidrs" {
  description = "Addresses that may reach the production listener."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = alltrue([for cidr in var.client_cidrs : can(cidrhost(cidr, 0))])
    error_message = "client_cidrs are blocks of IPv4 addresses, such as 203.0.113.0/24."
  }
}

variable "test_cidrs" {
  description = "Addresses that may reach the test listener, and so green before it gets traffic, beside the hook's own."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.test_cidrs : can(cidrhost(cidr, 0)) && cidr != "0.0.0.0/0"])
    error_message = "test_cidrs are blocks of IPv4 addresses, such as 203.0.113.7/32, and never the whole Internet."
  }
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
  description = "Public image with Python that stands in until the first release: the service needs one before the pipeline has built any."
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
