# A project and a buildspec for each stage. The one that talks to the database stands in the VPC.

locals {
  in_all = merge(var.build_variables, { GREENROOM_ENVIRONMENT = var.environment })

  stages = {
    build = {
      what      = "Build the image, push it, write the files of the release."
      buildspec = "ci/buildspec.yml"
      minutes   = 30
      docker    = true
      in_vpc    = false
      variables = {}
    }
    rehearse = {
      what      = "Rehearse the pending migrations in this image, on a copy of the data."
      buildspec = "ci/buildspec-rehearse.yml"
      minutes   = 240
      docker    = true
      in_vpc    = true
      variables = merge(
        {
          GREENROOM_TARGET = coalesce(var.rehearsal_target, var.environment)
          GREENROOM_MODE   = var.rehearsal_mode
        },
        length(var.rehearsal_drills) > 0 ? { GREENROOM_DRILLS = join(",", var.rehearsal_drills) } : {},
      )
    }
    migrate = {
      what      = "Migrate, when a rehearsal of exactly these migrations and this image has passed."
      buildspec = "ci/buildspec-migrate.yml"
      minutes   = 240
      docker    = false
      in_vpc    = false # the migration itself runs as a task of the service's network
      variables = {}
    }
  }
}

resource "aws_cloudwatch_log_group" "build" {
  # checkov:skip=CKV_AWS_158: encrypted by CloudWatch's own key; no secret is printed there

  for_each = local.stages

  name              = "/codebuild/${local.name}-${each.key}"
  retention_in_days = var.log_retention_days
}

resource "aws_codebuild_project" "this" {
  # checkov:skip=CKV_AWS_147: artifacts are encrypted by the pipeline's bucket; no project keeps its own

  for_each = local.stages

  name           = "${local.name}-${each.key}"
  description    = each.value.what
  service_role   = aws_iam_role.this[each.key].arn
  build_timeout  = each.value.minutes
  queued_timeout = 60

  source {
    type      = "CODEPIPELINE"
    buildspec = each.value.buildspec
  }

  artifacts {
    type = "CODEPIPELINE"
  }

  environment {
    type            = "LINUX_CONTAINER"
    image           = var.build_image
    compute_type    = var.build_compute_type
    privileged_mode = each.value.docker # for its Docker engine, and for nothing else

    dynamic "environment_variable" {
      for_each = merge(local.in_all, each.value.variables)

      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  dynamic "cache" {
    for_each = each.value.docker ? ["LOCAL"] : []

    content {
      type  = cache.value
      modes = ["LOCAL_DOCKER_LAYER_CACHE"]
    }
  }

  dynamic "vpc_config" {
    for_each = each.value.in_vpc ? [local.vpc_id] : []

    content {
      vpc_id             = vpc_config.value
      subnets            = local.private_subnet_ids
      security_group_ids = [aws_security_group.this["rehearsal"].id]
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.build[each.key].name
    }
  }

  depends_on = [aws_iam_role_policy.this]
}
