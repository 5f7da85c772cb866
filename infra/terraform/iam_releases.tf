# Who moves a release along: the pipeline, CodeDeploy, and the hook.

locals {
  cluster_arn          = "${local.arn.ecs}:cluster/${local.name}"
  service_arn          = "${local.arn.ecs}:service/${local.name}/${local.name}"
  task_definition_arns = "${local.arn.ecs}:task-definition/${local.name}:*"
  deploy_arns = {
    application = "${local.arn.codedeploy}:application:${local.name}"
    group       = "${local.arn.codedeploy}:deploymentgroup:${local.name}/${local.name}"
    config      = "${local.arn.codedeploy}:deploymentconfig:*" # AWS's own, and none that hides anything
  }

  register_task_definition = {
    Sid      = "RegisterTaskDefinition"
    Effect   = "Allow"
    Action   = ["ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition"]
    Resource = "*" # ECS knows no narrower one; PassRole says which roles a task can have
  }

  look_at_alarms = {
    Sid      = "LookAtAlarms"
    Effect   = "Allow"
    Action   = "cloudwatch:DescribeAlarms"
    Resource = "${local.arn.cloudwatch}:alarm:*" # a list is asked of all of them
  }

  pass_task_roles = {
    Sid       = "GiveTasksTheirRoles"
    Effect    = "Allow"
    Action    = "iam:PassRole"
    Resource  = [local.role_arns.task, local.role_arns.execution]
    Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
  }

  pipeline_statements = concat(
    [
      {
        Sid      = "HandArtifactsOn"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
        Resource = local.artifact_objects
      },
      {
        Sid      = "LookAtArtifacts"
        Effect   = "Allow"
        Action   = "s3:GetBucketVersioning"
        Resource = local.bucket_arns["artifacts"]
      },
      {
        Sid      = "RunStages"
        Effect   = "Allow"
        Action   = ["codebuild:BatchGetBuilds", "codebuild:StartBuild"]
        Resource = [for stage, _ in local.stages : "${local.arn.codebuild}:project/${local.name}-${stage}"]
      },
      {
        Sid      = "AskForApproval"
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = local.topic_arn
      },
      {
        Sid    = "Deploy"
        Effect = "Allow"
        Action = [
          "codedeploy:CreateDeployment", "codedeploy:GetApplication", "codedeploy:GetApplicationRevision",
          "codedeploy:GetDeployment", "codedeploy:GetDeploymentConfig", "codedeploy:RegisterApplicationRevision",
        ]
        Resource = values(local.deploy_arns)
      },
      {
        Sid      = "RegisterTaskDefinition"
        Effect   = "Allow"
        Action   = "ecs:RegisterTaskDefinition"
        Resource = "*" # ECS knows no narrower one; PassRole says which roles a task can have
      },
      {
        Sid       = "TagTaskDefinition"
        Effect    = "Allow"
        Action    = "ecs:TagResource"
        Resource  = local.task_definition_arns
        Condition = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } }
      },
      local.pass_task_roles,
    ],
    local.use_connection,
    var.source_archive == null ? [] : [
      {
        Sid      = "ReadSource"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"]
        Resource = "arn:${local.partition}:s3:::${var.source_archive.bucket}/${var.source_archive.key}"
      },
      {
        Sid      = "LookAtSource"
        Effect   = "Allow"
        Action   = ["s3:GetBucketAcl", "s3:GetBucketVersioning", "s3:ListBucket"]
        Resource = "arn:${local.partition}:s3:::${var.source_archive.bucket}"
      },
    ],
  )

  # AWS's policy AWSCodeDeployRoleForECS says the same of everything in the account.
  codedeploy_statements = [
    {
      Sid      = "MoveService"
      Effect   = "Allow"
      Action   = ["ecs:DescribeServices", "ecs:UpdateServicePrimaryTaskSet"]
      Resource = local.service_arn
    },
    {
      Sid       = "MakeTaskSet"
      Effect    = "Allow"
      Action    = "ecs:CreateTaskSet"
      Resource  = "*" # it is not there yet; the condition names its service
      Condition = { ArnEquals = { "ecs:service" = local.service_arn } }
    },
    {
      Sid      = "RemoveTaskSet"
      Effect   = "Allow"
      Action   = "ecs:DeleteTaskSet"
      Resource = "${local.arn.ecs}:task-set/${local.name}/${local.name}/*"
    },
    {
      Sid    = "LookAtLoadBalancer"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetGroups",
      ]
      Resource = "*" # they describe all or nothing
    },
    {
      Sid    = "MoveTraffic"
      Effect = "Allow"
      Action = ["elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"]
      Resource = [
        "${local.arn.elasticloadbalancing}:listener/app/${local.name}/*",
        "${local.arn.elasticloadbalancing}:listener-rule/app/${local.name}/*",
      ]
    },
    {
      Sid      = "AskHook"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = "${local.arn.lambda}:function:${local.hook_name}"
    },
    local.look_at_alarms,
    {
      Sid      = "Tell"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = local.topic_arn
    },
    local.pass_task_roles,
  ]

  hook_statements = [
    {
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${local.arn.logs}:log-group:/aws/lambda/${local.hook_name}:log-stream:*"
    },
    {
      Sid      = "Answer"
      Effect   = "Allow"
      Action   = "codedeploy:PutLifecycleEventHookExecutionStatus"
      Resource = "*" # CodeDeploy knows no narrower one; who answers has the id of the execution
    },
    {
      Sid    = "NetworkInterface"
      Effect = "Allow"
      Action = [
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
      ]
      Resource = "*" # Lambda checks for them on all, before it makes a function in a VPC
    },
    {
      Sid    = "NotByTheCodeItself"
      Effect = "Deny"
      Action = [
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
      ]
      Resource  = "*"
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = "${local.arn.lambda}:function:${local.hook_name}" } }
    },
  ]
}
