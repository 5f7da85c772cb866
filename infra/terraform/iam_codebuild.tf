# The three builds: what all of them do, and what each does alone.

locals {
  artifact_objects  = "${local.bucket_arns["artifacts"]}/*"
  rehearsal_objects = "${local.bucket_arns["rehearsals"]}/rehearsals/*"

  any_build = {
    for stage, _ in local.stages : stage => concat(
      [
        {
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${local.arn.logs}:log-group:/codebuild/${local.name}-${stage}:log-stream:*"
        },
        {
          Sid      = "ReadArtifacts"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:GetObjectVersion"]
          Resource = local.artifact_objects
        },
      ],
      local.use_connection,
    )
  }

  use_connection = var.source_repository == null ? [] : [{
    Sid      = "CloneRepository"
    Effect   = "Allow"
    Action   = "${split(":", var.source_repository.connection_arn)[2]}:UseConnection"
    Resource = var.source_repository.connection_arn
  }]

  pull_image = {
    Sid      = "PullImage"
    Effect   = "Allow"
    Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    Resource = local.repository_arn
  }

  build_in_vpc = [
    {
      Sid      = "LookAtNetwork"
      Effect   = "Allow"
      Action   = ["ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"]
      Resource = "*" # EC2 describes all or nothing
    },
    {
      Sid      = "NetworkInterface"
      Effect   = "Allow"
      Action   = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"]
      Resource = "arn:${local.partition}:ec2:${var.region}:${var.account}:*/*" # subnet, group and an interface that is not there yet
    },
    {
      Sid      = "LendNetworkInterface"
      Effect   = "Allow"
      Action   = "ec2:CreateNetworkInterfacePermission"
      Resource = "arn:${local.partition}:ec2:${var.region}:${var.account}:network-interface/*"
      Condition = {
        StringEquals = { "ec2:AuthorizedService" = "codebuild.amazonaws.com" }
        ArnEquals    = { "ec2:Subnet" = [for id in local.private_subnet_ids : "arn:${local.partition}:ec2:${var.region}:${var.account}:subnet/${id}"] }
      }
    },
  ]

  read_database_password = concat(
    [{
      Sid      = "ReadDatabasePassword"
      Effect   = "Allow"
      Action   = "ssm:GetParameter"
      Resource = "${local.arn.ssm}:parameter${var.ssm_path}/DJANGO_DB_PASS"
    }],
    local.ssm_decrypt,
  )

  build_statements = concat(
    local.any_build["build"],
    [
      {
        Sid      = "WriteArtifacts"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = local.artifact_objects
      },
      local.ecr_login,
      {
        Sid      = "PushImage"
        Effect   = "Allow"
        Action   = ["ecr:CompleteLayerUpload", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
        Resource = local.repository_arn
      },
      local.pull_image,
    ],
  )

  rehearse_statements = concat(
    local.any_build["rehearse"],
    local.build_in_vpc,
    local.read_database_password,
    [local.ecr_login, local.pull_image],
    [
      {
        Sid      = "FileDocument"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = local.rehearsal_objects
      },
      {
        Sid      = "WhichImageServes"
        Effect   = "Allow"
        Action   = "ecs:DescribeServices"
        Resource = local.service_arn
      },
      {
        Sid      = "WhichImageItIs"
        Effect   = "Allow"
        Action   = "ecs:DescribeTaskDefinition"
        Resource = "*" # ECS describes any
      },
      {
        Sid      = "WhereItIsPulledFrom"
        Effect   = "Allow"
        Action   = "ecr:DescribeRepositories"
        Resource = local.repository_arn
      },
    ],
  )

  # The pre-flight of a release, the gate, and the one-off task. The app's parameters it does not read: of the pre-flight
  # that one line is then left open.
  migrate_statements = concat(
    local.any_build["migrate"],
    [
      {
        Sid      = "ReadDocuments"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = local.rehearsal_objects
      },
      {
        Sid       = "SayWhichThereAre" # without it a document that is missing is "access denied"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.bucket_arns["rehearsals"]
        Condition = { StringLike = { "s3:prefix" = "rehearsals/*" } }
      },
      {
        Sid      = "KeepRecord"
        Effect   = "Allow"
        Action   = "s3:PutObject"
        Resource = "${local.bucket_arns["rehearsals"]}/releases/*"
      },
      {
        Sid      = "LookAtImage"
        Effect   = "Allow"
        Action   = "ecr:DescribeImages"
        Resource = local.repository_arn
      },
      {
        Sid      = "LookAtDeployments"
        Effect   = "Allow"
        Action   = ["codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments"]
        Resource = [local.deploy_arns.group, local.deploy_arns.application]
      },
      local.look_at_alarms,
      {
        Sid      = "LookAtLoadBalancer"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetGroups"]
        Resource = "*" # they describe all or nothing
      },
      {
        Sid      = "LookAtRoles"
        Effect   = "Allow"
        Action   = "iam:GetRole"
        Resource = [local.role_arns.task, local.role_arns.execution, local.role_arns.codedeploy]
      },
      local.register_task_definition,
      {
        Sid      = "LookAtService"
        Effect   = "Allow"
        Action   = "ecs:DescribeServices"
        Resource = local.service_arn
      },
      {
        Sid       = "RunMigration"
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = local.task_definition_arns
        Condition = { ArnEquals = { "ecs:cluster" = local.cluster_arn } }
      },
      {
        Sid      = "WatchMigration"
        Effect   = "Allow"
        Action   = "ecs:DescribeTasks"
        Resource = "${local.arn.ecs}:task/${local.name}/*"
      },
      {
        Sid      = "ReadLog"
        Effect   = "Allow"
        Action   = "logs:GetLogEvents"
        Resource = "${local.app_log_arn}:log-stream:*"
      },
      local.pass_task_roles,
    ],
  )
}
