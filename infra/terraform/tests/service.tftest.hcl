# The service, the first task, and what is not put back after a release.

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

run "service_is_codedeploys" {
  command = apply

  assert {
    condition     = aws_ecs_service.this.deployment_controller[0].type == "CODE_DEPLOY" && aws_ecs_service.this.launch_type == "FARGATE" && !aws_ecs_service.this.network_configuration[0].assign_public_ip
    error_message = "CodeDeploy moves it, on Fargate, without a public address."
  }

  assert {
    condition     = one(aws_ecs_service.this.load_balancer).container_name == "app" && one(aws_ecs_service.this.load_balancer).container_port == 8000
    error_message = "The load balancer leads to the container and port that ci/taskdef.json has."
  }
}

run "first_task_is_the_template_with_another_image" {
  command = apply

  assert {
    condition     = aws_ecs_task_definition.first.family == "ledger-staging" && aws_ecs_task_definition.first.network_mode == "awsvpc" && aws_ecs_task_definition.first.requires_compatibilities == toset(["FARGATE"])
    error_message = "Of the family that releases register in."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.first.container_definitions)[0].image == "public.ecr.aws/docker/library/python:3.13-slim"
    error_message = "A public image: nothing has to be built first."
  }

  assert {
    condition = {
      for variable in jsondecode(aws_ecs_task_definition.first.container_definitions)[0].environment : variable.name => variable.value
      } == {
      DJANGO_SETTINGS_MODULE   = "config.settings.prod"
      DJANGO_INTERNAL_PORT_NUM = "8000"
      DJANGO_READ_SSM_PARAMS   = "true"
      DJANGO_SSM_PARAMS_PATH   = "/ledger/staging"
      AWS_DEFAULT_REGION       = "eu-central-1"
    }
    error_message = "Exactly the five variables that do not come from SSM."
  }

  assert {
    condition = alltrue([for container in jsondecode(aws_ecs_task_definition.first.container_definitions) :
    container.readonlyRootFilesystem && container.linuxParameters.initProcessEnabled && !startswith(container.user, "0") && container.stopTimeout == 45])
    error_message = "Read-only root, a user that is not root, an init process, time to stop."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.first.container_definitions)[0].logConfiguration.options["awslogs-group"] == aws_cloudwatch_log_group.app.name
    error_message = "It writes where its log group is."
  }

  assert {
    condition     = !can(regex("<[A-Z]", aws_ecs_task_definition.first.container_definitions))
    error_message = "Every placeholder of the template is filled in."
  }
}

run "template_of_another_environment_is_refused" {
  command = plan

  variables {
    project = "shop"
  }

  expect_failures = [aws_ecs_task_definition.first]
}

run "task_that_releases_would_change_is_refused" {
  command = plan

  variables {
    task_cpu    = 1024
    task_memory = 2048
  }

  expect_failures = [aws_ecs_task_definition.first]
}

run "fargate_has_no_such_pair" {
  command = plan

  variables {
    task_cpu    = 256
    task_memory = 4096
  }

  expect_failures = [var.task_memory]
}

run "fargate_has_no_such_step" {
  command = plan

  variables {
    task_cpu    = 8192
    task_memory = 18432
  }

  expect_failures = [var.task_memory]
}

run "fargate_has_no_such_cpu" {
  command = plan

  variables {
    task_cpu    = 300
    task_memory = 1024
  }

  expect_failures = [var.task_cpu]
}

run "it_scales_between_its_bounds" {
  command = apply

  variables {
    tasks = { least = 3, most = 9, cpu_percent = 50 }
  }

  assert {
    condition     = aws_appautoscaling_target.this.min_capacity == 3 && aws_appautoscaling_target.this.max_capacity == 9 && aws_appautoscaling_target.this.resource_id == "service/ledger-staging/ledger-staging"
    error_message = "Between 3 and 9 tasks of this service."
  }

  assert {
    condition     = aws_appautoscaling_policy.cpu.target_tracking_scaling_policy_configuration[0].target_value == 50
    error_message = "By an average CPU of 50 %."
  }
}

run "most_is_no_less_than_least" {
  command = plan

  variables {
    tasks = { least = 3, most = 2 }
  }

  expect_failures = [var.tasks]
}

run "images_are_kept_unchanged" {
  command = apply

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push && !aws_ecr_repository.this.force_delete
    error_message = "A tag stays what it is, every push is scanned, and a repository with images is not deleted."
  }

  assert {
    condition     = [for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : rule.selection.tagStatus] == ["untagged", "tagged"]
    error_message = "What expires: what bears no tag, and the oldest beyond the number kept."
  }
}

run "what_aws_would_refuse_is_refused_before" {
  command = plan

  variables {
    project        = "internal"
    environment    = "sixteenletters16"
    ssm_path       = "/AWS/staging"
    approvers_note = join("", [for _ in range(701) : "x"])
  }

  expect_failures = [var.project, var.environment, var.ssm_path, var.approvers_note]
}

run "names_end_in_no_hyphen_and_have_single_ones" {
  command = plan

  variables {
    project     = "led--ger"
    environment = "staging-"
  }

  expect_failures = [var.project, var.environment]
}
