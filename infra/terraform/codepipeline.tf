# Source, build, rehearse, approve, migrate, deploy. One release at a time in each stage, and in their order: QUEUED locks a
# stage, not the pipeline, so the next one may be rehearsed before this one has migrated. The migrate stage then refuses it.

locals {
  source_action = var.source_repository != null ? {
    provider = "CodeStarSourceConnection"
    configuration = {
      ConnectionArn        = var.source_repository.connection_arn
      FullRepositoryId     = var.source_repository.name
      BranchName           = var.source_repository.branch
      OutputArtifactFormat = "CODEBUILD_CLONE_REF" # with git's history: a rehearsal looks for the old release in it
      DetectChanges        = "true"
    }
    } : {
    provider = "S3"
    configuration = {
      S3Bucket             = try(var.source_archive.bucket, "")
      S3ObjectKey          = try(var.source_archive.key, "")
      PollForSourceChanges = "false"
    }
  }

  # What CodePipeline fills in when it asks: variables that the stages before have exported.
  approval = {
    note = "${var.approvers_note} Image #{build.IMAGE_URI}, verdict #{rehearse.VERDICT}."
    link = "https://${var.region}.console.aws.amazon.com/s3/object/${local.bucket_names["rehearsals"]}?prefix=#{rehearse.DOCUMENT}"
  }
}

resource "aws_codepipeline" "this" {
  # checkov:skip=CKV_AWS_219: artifacts are encrypted by S3's own key: they hold the source and three files, no secret

  name           = local.name
  role_arn       = aws_iam_role.this["pipeline"].arn
  pipeline_type  = "V2"
  execution_mode = "QUEUED"

  artifact_store {
    type     = "S3"
    location = aws_s3_bucket.this["artifacts"].bucket
  }

  stage {
    name = "source"

    action {
      name             = "source"
      category         = "Source"
      owner            = "AWS"
      provider         = local.source_action.provider
      version          = "1"
      namespace        = "source"
      output_artifacts = ["source"]
      configuration    = local.source_action.configuration
    }
  }

  # One artifact with the three files of a release and nothing else: CodeDeployToECS takes 3 MB.
  stage {
    name = "build"

    action {
      name             = "build"
      category         = "Build"
      owner            = "AWS"
      provider         = "CodeBuild"
      version          = "1"
      namespace        = "build"
      input_artifacts  = ["source"]
      output_artifacts = ["release"]

      configuration = {
        ProjectName = aws_codebuild_project.this["build"].name
      }
    }
  }

  stage {
    name = "rehearse"

    action {
      name            = "rehearse"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      namespace       = "rehearse"
      input_artifacts = ["source", "release"]

      configuration = {
        ProjectName   = aws_codebuild_project.this["rehearse"].name
        PrimarySource = "source"
      }
    }
  }

  stage {
    name = "approve"

    action {
      name     = "approve"
      category = "Approval"
      owner    = "AWS"
      provider = "Manual"
      version  = "1"

      configuration = {
        NotificationArn    = aws_sns_topic.this.arn
        CustomData         = local.approval.note
        ExternalEntityLink = local.approval.link
      }
    }
  }

  stage {
    name = "migrate"

    action {
      name            = "migrate"
      category        = "Build"
      owner           = "AWS"
      provider        = "CodeBuild"
      version         = "1"
      input_artifacts = ["source", "release"]

      configuration = {
        ProjectName   = aws_codebuild_project.this["migrate"].name
        PrimarySource = "source"
      }
    }
  }

  stage {
    name = "deploy"

    action {
      name            = "deploy"
      category        = "Deploy"
      owner           = "AWS"
      provider        = "CodeDeployToECS"
      version         = "1"
      input_artifacts = ["release"]

      configuration = {
        ApplicationName                = aws_codedeploy_app.this.name
        DeploymentGroupName            = aws_codedeploy_deployment_group.this.deployment_group_name
        TaskDefinitionTemplateArtifact = "release"
        TaskDefinitionTemplatePath     = "taskdef.json"
        AppSpecTemplateArtifact        = "release"
        AppSpecTemplatePath            = "appspec.yaml"
        Image1ArtifactName             = "release"
        Image1ContainerName            = "IMAGE1_NAME"
      }
    }
  }

  depends_on = [aws_iam_role_policy.this]
}
