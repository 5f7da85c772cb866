variable "source_repository" {
  description = "Where the pipeline's source comes from: a repository, cloned whole (a rehearsal needs its tags) through a connection of AWS CodeConnections that somebody has confirmed in the console."
  type = object({
    connection_arn = string
    name           = string
    branch         = optional(string, "main")
  })
  default = null

  validation {
    condition     = var.source_repository == null ? true : can(regex("^arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:[0-9]{12}:connection/.+$", var.source_repository.connection_arn))
    error_message = "source_repository.connection_arn is one of CodeConnections: arn:aws:codeconnections:REGION:ACCOUNT:connection/ID."
  }

  validation {
    condition     = var.source_repository == null ? true : can(regex("^[^/\\s]+(/[^/\\s]+)+$", var.source_repository.name))
    error_message = "source_repository.name is OWNER/NAME."
  }

  validation {
    condition     = (var.source_repository == null) != (var.source_archive == null)
    error_message = "The pipeline has one source: source_repository or source_archive."
  }
}

variable "source_archive" {
  description = "The other source: a zip in a versioned bucket that exists. The pipeline is then started by hand; without git's history there is no old release to drill, and an image is named after the object's version."
  type = object({
    bucket = string
    key    = string
  })
  default = null
}

variable "approvers_note" {
  description = "What whoever approves a release is told, beside the pipeline's own words."
  type        = string
  default     = "Read the rehearsal's report first: what stood still, for how long, and whether there is a way back."

  validation {
    condition     = length(var.approvers_note) <= 700
    error_message = "approvers_note has 700 characters at most: CodePipeline takes 1000, and the image and the verdict are added."
  }
}

variable "rehearsal_target" {
  description = "Name in [tool.greenroom.databases] whose data is rehearsed on; null: the environment's own name."
  type        = string
  default     = null
}

variable "rehearsal_mode" {
  description = "Where the copy is made: on the database's own server (remote), or on a private one in the build container (local)."
  type        = string
  default     = "remote"

  validation {
    condition     = contains(["remote", "local"], var.rehearsal_mode)
    error_message = "rehearsal_mode is remote or local."
  }
}

variable "rehearsal_drills" {
  description = "Drills that the rehearse stage holds. Empty: all where the copy is local, and none on the database's own server, since each works on clones there."
  type        = list(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.rehearsal_drills, ["back", "old-release", "lock-queue", "crash"])) == 0
    error_message = "rehearsal_drills are of back, old-release, lock-queue and crash."
  }
}

variable "rehearsals_kept_days" {
  description = "Days for which rehearsal documents are kept."
  type        = number
  default     = 731

  validation {
    condition     = var.rehearsals_kept_days >= 90
    error_message = "rehearsals_kept_days is 90 or more: they say whether there is a way back from a release."
  }
}

variable "build_image" {
  description = "Image of CodeBuild that the stages run in; it needs Python 3.11 or newer and docker buildx."
  type        = string
  default     = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
}

variable "build_compute_type" {
  description = "Size of the build containers. A rehearsal in local mode needs memory and disk for its copy."
  type        = string
  default     = "BUILD_GENERAL1_MEDIUM"

  validation {
    condition     = contains(["BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_MEDIUM", "BUILD_GENERAL1_LARGE", "BUILD_GENERAL1_XLARGE", "BUILD_GENERAL1_2XLARGE"], var.build_compute_type)
    error_message = "build_compute_type is BUILD_GENERAL1_SMALL, _MEDIUM, _LARGE, _XLARGE or _2XLARGE."
  }
}

variable "build_variables" {
  description = "Further variables of the build containers, such as a package index of your own. No secrets: they can be read in the console."
  type        = map(string)
  default     = {}
}

variable "deployment_config" {
  description = "How CodeDeploy moves the traffic."
  type        = string
  default     = "CodeDeployDefault.ECSAllAtOnce"

  validation {
    condition = contains([
      "CodeDeployDefault.ECSAllAtOnce",
      "CodeDeployDefault.ECSLinear10PercentEvery1Minutes",
      "CodeDeployDefault.ECSLinear10PercentEvery3Minutes",
      "CodeDeployDefault.ECSCanary10Percent5Minutes",
      "CodeDeployDefault.ECSCanary10Percent15Minutes",
    ], var.deployment_config)
    error_message = "deployment_config is one of CodeDeploy's own for ECS, such as CodeDeployDefault.ECSCanary10Percent5Minutes."
  }
}

variable "wait_before_traffic_minutes" {
  description = "Minutes that green waits for somebody to say go on (aws deploy continue-deployment), before the deployment is stopped; 0: traffic moves at once."
  type        = number
  default     = 0

  validation {
    condition     = var.wait_before_traffic_minutes >= 0 && var.wait_before_traffic_minutes <= 2880
    error_message = "wait_before_traffic_minutes is 0 to 2880."
  }
}

variable "bake_minutes" {
  description = "Minutes for which blue stays after the traffic has moved: going back takes seconds, and an alarm does it by itself."
  type        = number
  default     = 10

  validation {
    condition     = var.bake_minutes >= 1 && var.bake_minutes <= 2880
    error_message = "bake_minutes is 1 to 2880."
  }
}

variable "hook_zip" {
  description = "The packaged code of the hook that looks at green before it gets traffic, from this directory."
  type        = string
  default     = "../../build/hook.zip"

  validation {
    condition     = fileexists(var.hook_zip)
    error_message = "There is no build/hook.zip yet. Package it: ./inv hook-package"
  }
}

variable "alarm_emails" {
  description = "Who is told of alarms, failed releases and approvals that wait. Each confirms once, by a link in an e-mail."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "alarm_emails are addresses such as team@example.com."
  }
}

variable "alarm_limits" {
  description = "Beyond which an alarm goes off: errors (5xx) in a minute, and the 99th percentile of the response time in seconds. During a deployment and its bake they send it back."
  type = object({
    errors_a_minute = optional(number, 10)
    p99_seconds     = optional(number, 3)
  })
  default = {}

  validation {
    condition     = var.alarm_limits.errors_a_minute >= 1 && var.alarm_limits.p99_seconds > 0
    error_message = "alarm_limits.errors_a_minute is 1 or more, p99_seconds more than 0."
  }
}
