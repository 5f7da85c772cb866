# CodeDeploy and the pipeline: which way a release takes.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment       = "staging"
  account           = "123456789012"
  region            = "eu-central-1"
  ssm_path          = "/ledger/staging"
  database_password = "of-nothing-but-a-test"
  hook_zip          = "hook.tf"
  source_archive    = { bucket = "ledger-source", key = "source.zip" }
}

run "deployment_group_moves_between_the_two_listeners" {
  command = apply

  override_resource {
    target = aws_lb_listener.test
    values = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/mocked/0123456789abcdef/test000000000000" }
  }

  assert {
    condition     = one(aws_codedeploy_deployment_group.this.load_balancer_info[0].target_group_pair_info[0].prod_traffic_route[0].listener_arns) == aws_lb_listener.production.arn
    error_message = "Production traffic by exactly one listener, the production one."
  }

  assert {
    condition     = one(aws_codedeploy_deployment_group.this.load_balancer_info[0].target_group_pair_info[0].test_traffic_route[0].listener_arns) == aws_lb_listener.test.arn
    error_message = "Test traffic by the test listener."
  }

  assert {
    condition     = [for group in aws_codedeploy_deployment_group.this.load_balancer_info[0].target_group_pair_info[0].target_group : group.name] == ["ledger-staging-blue", "ledger-staging-green"]
    error_message = "Blue first: the service's own, behind the production listener."
  }

  assert {
    condition     = aws_codedeploy_app.this.compute_platform == "ECS" && aws_codedeploy_deployment_group.this.deployment_style[0].deployment_type == "BLUE_GREEN" && aws_codedeploy_deployment_group.this.deployment_style[0].deployment_option == "WITH_TRAFFIC_CONTROL"
    error_message = "Blue/green with traffic control."
  }

  assert {
    condition     = one(aws_codedeploy_deployment_group.this.ecs_service).service_name == aws_ecs_service.this.name && one(aws_codedeploy_deployment_group.this.ecs_service).cluster_name == aws_ecs_cluster.this.name
    error_message = "Of this service."
  }
}

run "release_goes_back_by_itself" {
  command = apply

  assert {
    condition     = aws_codedeploy_deployment_group.this.auto_rollback_configuration[0].enabled && aws_codedeploy_deployment_group.this.auto_rollback_configuration[0].events == toset(["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"])
    error_message = "On a failure and on an alarm."
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this.alarm_configuration[0].enabled && aws_codedeploy_deployment_group.this.alarm_configuration[0].alarms == toset(["ledger-staging-app-errors", "ledger-staging-load-balancer-errors", "ledger-staging-slow"])
    error_message = "On errors and on slowness."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.rollback : alarm.treat_missing_data == "notBreaching" && alarm.period == 60])
    error_message = "Within minutes, and not where nobody asks."
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this.blue_green_deployment_config[0].deployment_ready_option[0].action_on_timeout == "CONTINUE_DEPLOYMENT" && aws_codedeploy_deployment_group.this.blue_green_deployment_config[0].terminate_blue_instances_on_deployment_success[0].termination_wait_time_in_minutes == 10
    error_message = "Traffic moves at once, and blue stays for 10 minutes."
  }
}

run "somebody_may_have_to_say_go_on" {
  command = plan

  variables {
    wait_before_traffic_minutes = 60
  }

  assert {
    condition     = aws_codedeploy_deployment_group.this.blue_green_deployment_config[0].deployment_ready_option[0].action_on_timeout == "STOP_DEPLOYMENT" && aws_codedeploy_deployment_group.this.blue_green_deployment_config[0].deployment_ready_option[0].wait_time_in_minutes == 60
    error_message = "Without a word the deployment is stopped after an hour."
  }
}

run "pipeline_rehearses_before_it_migrates" {
  command = apply

  assert {
    condition     = [for stage in aws_codepipeline.this.stage : stage.name] == ["source", "build", "rehearse", "approve", "migrate", "deploy"]
    error_message = "No stage is left out, none comes too early."
  }

  assert {
    condition     = [for stage in aws_codepipeline.this.stage : stage.action[0].provider] == ["S3", "CodeBuild", "CodeBuild", "Manual", "CodeBuild", "CodeDeployToECS"]
    error_message = "Each by its provider."
  }

  assert {
    condition     = aws_codepipeline.this.pipeline_type == "V2" && aws_codepipeline.this.execution_mode == "QUEUED"
    error_message = "One release at a time, and none overtaken."
  }

  assert {
    condition     = aws_codepipeline.this.stage[5].action[0].input_artifacts == tolist(["release"]) && aws_codepipeline.this.stage[5].action[0].configuration.Image1ContainerName == "IMAGE1_NAME"
    error_message = "CodeDeploy gets the three files and nothing else."
  }

  assert {
    condition     = aws_codepipeline.this.stage[5].action[0].configuration.TaskDefinitionTemplatePath == "taskdef.json" && aws_codepipeline.this.stage[5].action[0].configuration.AppSpecTemplatePath == "appspec.yaml"
    error_message = "By the names that the build writes."
  }
}

run "repository_is_cloned_whole" {
  command = plan

  variables {
    source_archive    = null
    source_repository = { connection_arn = "arn:aws:codeconnections:eu-central-1:123456789012:connection/0", name = "example/ledger" }
  }

  assert {
    condition     = aws_codepipeline.this.stage[0].action[0].provider == "CodeStarSourceConnection" && aws_codepipeline.this.stage[0].action[0].configuration.OutputArtifactFormat == "CODEBUILD_CLONE_REF"
    error_message = "With git's history, in which a rehearsal finds the old release."
  }
}

run "two_sources_are_refused" {
  command = plan

  variables {
    source_repository = { connection_arn = "arn:aws:codeconnections:eu-central-1:123456789012:connection/0", name = "example/ledger" }
  }

  expect_failures = [var.source_repository]
}

run "only_the_rehearsal_reaches_the_database" {
  command = apply

  assert {
    condition     = [for stage, project in aws_codebuild_project.this : stage if length(project.vpc_config) > 0] == ["rehearse"]
    error_message = "It alone stands in the VPC: the migration runs as a task there."
  }

  assert {
    condition     = [for stage, project in aws_codebuild_project.this : stage if project.environment[0].privileged_mode] == ["build", "rehearse"]
    error_message = "A Docker engine where an image is built, and where it is run."
  }

  assert {
    condition     = { for stage, project in aws_codebuild_project.this : stage => project.source[0].buildspec } == { build = "ci/buildspec.yml", rehearse = "ci/buildspec-rehearse.yml", migrate = "ci/buildspec-migrate.yml" }
    error_message = "A buildspec each."
  }
}

run "no_drill_is_asked_for_by_itself" {
  command = plan

  assert {
    condition     = { for one in aws_codebuild_project.this["rehearse"].environment[0].environment_variable : one.name => one.value } == { GREENROOM_ENVIRONMENT = "staging", GREENROOM_TARGET = "staging", GREENROOM_MODE = "remote" }
    error_message = "Each works on clones on the database's own server."
  }
}

run "drills_are_asked_for_by_name" {
  command = plan

  variables {
    rehearsal_drills = ["old-release", "back"]
  }

  assert {
    condition     = contains([for one in aws_codebuild_project.this["rehearse"].environment[0].environment_variable : "${one.name}=${one.value}"], "GREENROOM_DRILLS=old-release,back")
    error_message = "As --drills takes them."
  }
}

run "drills_that_there_are_not_are_refused" {
  command = plan

  variables {
    rehearsal_drills = ["forth"]
  }

  expect_failures = [var.rehearsal_drills]
}

run "hook_can_be_called_and_answers" {
  command = apply

  assert {
    condition     = startswith(aws_lambda_function.hook.function_name, "CodeDeployHook_") && aws_lambda_function.hook.timeout <= 900 && aws_lambda_function.hook.handler == "after_allow_test_traffic.handler"
    error_message = "A name that CodeDeploy's own policy calls, and an answer within its time."
  }
}
