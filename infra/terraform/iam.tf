# One role for each actor, and one policy in each: only what it calls, and only on what is ours. A `*` stands where AWS
# knows no narrower resource, and says so.

locals {
  actors = merge(
    {
      execution  = { service = "ecs-tasks.amazonaws.com", what = "ECS, for a task: pulls the image, writes the log." }
      task       = { service = "ecs-tasks.amazonaws.com", what = "The app itself: reads its parameters." }
      build      = { service = "codebuild.amazonaws.com", what = "Builds the image and pushes it." }
      rehearse   = { service = "codebuild.amazonaws.com", what = "Rehearses the migrations, and files the document." }
      migrate    = { service = "codebuild.amazonaws.com", what = "Migrates, when a rehearsal allows it." }
      pipeline   = { service = "codepipeline.amazonaws.com", what = "Starts the stages." }
      codedeploy = { service = "codedeploy.amazonaws.com", what = "Moves the traffic." }
      hook       = { service = "lambda.amazonaws.com", what = "Looks at green before it gets traffic." }
    },
    local.own_database ? {
      monitoring = { service = "monitoring.rds.amazonaws.com", what = "RDS, for the figures of the database's machine." }
    } : {},
  )

  statements = {
    execution  = local.execution_statements
    task       = local.task_statements
    build      = local.build_statements
    rehearse   = local.rehearse_statements
    migrate    = local.migrate_statements
    pipeline   = local.pipeline_statements
    codedeploy = local.codedeploy_statements
    hook       = local.hook_statements
  }

  # Lambda assumes the roles of functions in its own name, without an account.
  of_this_account = {
    for actor, role in local.actors :
    actor => role.service == "lambda.amazonaws.com" ? {} : { Condition = { StringEquals = { "aws:SourceAccount" = var.account } } }
  }
}

resource "aws_iam_role" "this" {
  for_each = { for actor, role in local.actors : actor => role if actor != "monitoring" }

  name        = "${local.name}-${each.key}"
  description = each.value.what

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      { Effect = "Allow", Principal = { Service = each.value.service }, Action = "sts:AssumeRole" },
      local.of_this_account[each.key],
    )]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.statements

  name   = "what-it-calls"
  role   = aws_iam_role.this[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = each.value })
}

resource "aws_iam_role" "monitoring" {
  count = local.own_database ? 1 : 0

  name        = "${local.name}-monitoring"
  description = local.actors.monitoring.what

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      { Effect = "Allow", Principal = { Service = local.actors.monitoring.service }, Action = "sts:AssumeRole" },
      local.of_this_account.monitoring,
    )]
  })
}

# RDS takes this one policy of AWS's own.
resource "aws_iam_role_policy_attachment" "monitoring" {
  count = local.own_database ? 1 : 0

  role       = aws_iam_role.monitoring[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
