# Held for each environment: terraform test -test-directory=tests/environments -var-file=environments/NAME.tfvars

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  hook_zip          = "hook.tf"
  database_password = "of-nothing-but-a-test"
}

run "it_plans" {
  command = plan

  assert {
    condition     = aws_ecs_service.this.name == "${var.project}-${var.environment}" && startswith(var.ssm_path, "/")
    error_message = "Its names are its own."
  }

  assert {
    condition     = var.environment != "production" || (var.deletion_protection && !var.force_destroy && var.certificate_arn != null && var.tasks.least >= 2 && var.database.multi_az)
    error_message = "Production is protected, speaks TLS, and stands in more than one zone."
  }
}
