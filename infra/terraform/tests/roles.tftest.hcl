# Who may do what. Each policy is held action by action against what its actor calls in tests/infra/test_roles.py, which
# reads what this run makes.

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
  execute_command   = true
  ssm_kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  source_repository = { connection_arn = "arn:aws:codeconnections:eu-central-1:123456789012:connection/0", name = "example/ledger" }
}

run "each_actor_has_a_role_of_its_own" {
  command = apply

  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["execution", "task", "build", "rehearse", "migrate", "pipeline", "codedeploy", "hook"])
    error_message = "A role for each actor."
  }

  assert {
    condition     = keys(aws_iam_role_policy.this) == keys(aws_iam_role.this)
    error_message = "And a policy in each."
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : length(jsondecode(role.assume_role_policy).Statement) == 1])
    error_message = "Assumed by one service alone."
  }

  assert {
    condition = alltrue([
      for actor, role in aws_iam_role.this : try(jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012", actor == "hook")
    ])
    error_message = "And only for this account; Lambda says none."
  }

  assert {
    condition     = alltrue(flatten([for policy in aws_iam_role_policy.this : [for statement in jsondecode(policy.policy).Statement : [for action in flatten([statement.Action]) : !strcontains(action, "*")]]]))
    error_message = "No action is a pattern."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this["execution"].policy).Statement : statement.Resource if statement.Sid == "PullImage"] == [["arn:aws:ecr:eu-central-1:123456789012:repository/ledger"]]
    error_message = "A public bootstrap image opens no repository."
  }

  assert {
    condition     = aws_ecs_task_definition.first.task_role_arn == aws_iam_role.this["task"].arn && aws_codebuild_project.this["rehearse"].service_role == aws_iam_role.this["rehearse"].arn
    error_message = "Who acts, acts in its own role."
  }
}

run "shell_needs_to_be_asked_for" {
  command = plan

  variables {
    execute_command = false
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.this["task"].policy, "ssmmessages")
    error_message = "Without execute_command no channel is opened."
  }
}
