# The cluster, the first task definition, the service. Releases are CodeDeploy's: it registers further task definitions
# from ci/taskdef.json and moves the service to them.

locals {
  container_name = local.template.containerDefinitions[0].name
  container_port = local.template.containerDefinitions[0].portMappings[0].containerPort

  # The template of every release. The first task differs from it by its image, and by what it needs of that.
  template = jsondecode(
    replace(replace(replace(replace(file(var.task_definition),
      "<ACCOUNT>", var.account),
      "<ENVIRONMENT>", var.environment),
      "<REGION>", var.region),
    "<SSM_PARAMS_PATH>", var.ssm_path)
  )
  bootstrap_server = <<-PYTHON
    import http.server
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"no release yet\n")
    http.server.ThreadingHTTPServer(("", ${local.container_port}), Answer).serve_forever()
  PYTHON
  bootstrap_probe  = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:${local.container_port}/livez', timeout=3)"
  first_container = merge(local.template.containerDefinitions[0], {
    image       = var.bootstrap_image
    command     = ["python", "-I", "-c", local.bootstrap_server]
    healthCheck = merge(local.template.containerDefinitions[0].healthCheck, { command = ["CMD", "python", "-I", "-c", local.bootstrap_probe] })
  })
}

resource "aws_ecs_cluster" "this" {
  name = local.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE"]
}

resource "aws_cloudwatch_log_group" "app" {
  # checkov:skip=CKV_AWS_158: encrypted by CloudWatch's own key; the app writes no secret and no value of the data into it

  name              = "/ecs/${local.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_task_definition" "first" {
  family                   = local.template.family
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.task_cpu
  memory                   = var.task_memory
  execution_role_arn       = aws_iam_role.this["execution"].arn
  task_role_arn            = aws_iam_role.this["task"].arn

  container_definitions = jsonencode([local.first_container])

  runtime_platform {
    operating_system_family = local.template.runtimePlatform.operatingSystemFamily
    cpu_architecture        = local.template.runtimePlatform.cpuArchitecture
  }

  dynamic "volume" {
    for_each = lookup(local.template, "volumes", [])

    content {
      name = volume.value.name
    }
  }

  lifecycle {
    # Later ones come from releases; a change of the template is none of this one's.
    ignore_changes = [container_definitions, cpu, memory, volume]

    precondition {
      condition     = local.template.family == local.name && endswith(local.template.taskRoleArn, "/${local.name}-task") && endswith(local.template.executionRoleArn, "/${local.name}-execution")
      error_message = "ci/taskdef.json names another family or other roles than ${local.name}, ${local.name}-task and ${local.name}-execution: releases would not find them."
    }

    precondition {
      condition     = tonumber(local.template.cpu) == var.task_cpu && tonumber(local.template.memory) == var.task_memory
      error_message = "task_cpu and task_memory are ${var.task_cpu} and ${var.task_memory}, and ci/taskdef.json, which releases use, says ${local.template.cpu} and ${local.template.memory}: make them the same."
    }
  }
}

resource "aws_ecs_service" "this" {
  name            = local.name
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.first.arn
  desired_count   = var.tasks.least
  launch_type     = "FARGATE"

  health_check_grace_period_seconds = 60
  enable_execute_command            = var.execute_command
  propagate_tags                    = "SERVICE"

  deployment_controller {
    type = "CODE_DEPLOY"
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this["blue"].arn
    container_name   = local.container_name
    container_port   = local.container_port
  }

  network_configuration {
    subnets          = local.private_subnet_ids
    security_groups  = [aws_security_group.this["app"].id]
    assign_public_ip = false
  }

  # A target group must be behind a listener, and roles must be whole, before the service is made.
  depends_on = [aws_lb_listener.production, aws_lb_listener.test, aws_iam_role_policy.this]

  lifecycle {
    # What a release changes is not put back.
    ignore_changes = [task_definition, load_balancer, desired_count]
  }
}
