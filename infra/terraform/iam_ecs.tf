# The two roles of a task: ECS's own, and the app's.

locals {
  repository_arn = "${local.arn.ecr}:repository/${var.repository_name}"
  app_log_arn    = "${local.arn.logs}:log-group:/ecs/${local.name}"

  # The bootstrap image, where it lies in ECR. One that is public needs no permission.
  bootstrap            = try(regex("^(?P<account>[0-9]{12})\\.dkr\\.ecr\\.(?P<region>[a-z0-9-]+)\\.[^/]+/(?P<repository>[^:@]+)", var.bootstrap_image), null)
  bootstrap_repository = local.bootstrap == null ? [] : ["arn:${local.partition}:ecr:${local.bootstrap.region}:${local.bootstrap.account}:repository/${local.bootstrap.repository}"]

  ecr_login = {
    Sid      = "RegistryLogin"
    Effect   = "Allow"
    Action   = "ecr:GetAuthorizationToken"
    Resource = "*" # a log-in is to the whole registry
  }

  # AWS's own key needs no permission.
  ssm_decrypt = var.ssm_kms_key_arn == null ? [] : [{
    Sid       = "DecryptParameters"
    Effect    = "Allow"
    Action    = "kms:Decrypt"
    Resource  = var.ssm_kms_key_arn
    Condition = { StringEquals = { "kms:ViaService" = "ssm.${var.region}.amazonaws.com" } }
  }]

  execution_statements = [
    local.ecr_login,
    {
      Sid      = "PullImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = distinct(concat([local.repository_arn], local.bootstrap_repository))
    },
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.app_log_arn}:log-stream:*"
    },
  ]

  # It reads SSM itself, at its start: execution needs none of this.
  task_statements = concat(
    [{
      Sid      = "ReadParameters"
      Effect   = "Allow"
      Action   = "ssm:GetParametersByPath"
      Resource = ["${local.arn.ssm}:parameter${var.ssm_path}", "${local.arn.ssm}:parameter${var.ssm_path}/*"]
    }],
    local.ssm_decrypt,
    !var.execute_command ? [] : [{
      Sid      = "ShellSession"
      Effect   = "Allow"
      Action   = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
      Resource = "*" # a channel has no ARN
    }],
  )
}
