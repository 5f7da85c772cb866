# Listeners, target groups, health checks.

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

run "without_certificate_both_listeners_speak_http" {
  command = apply

  assert {
    condition     = aws_lb_listener.production.port == 80 && aws_lb_listener.test.port == 8080 && aws_lb_listener.production.protocol == "HTTP" && length(aws_lb_listener.redirect) == 0
    error_message = "Production at 80, test at 8080."
  }

  assert {
    condition     = aws_lb_listener.production.load_balancer_arn == aws_lb.this.arn && aws_lb_listener.test.load_balancer_arn == aws_lb.this.arn
    error_message = "Both listeners stand on the one load balancer, as CodeDeploy wants it."
  }
}

run "with_certificate_all_is_tls" {
  command = apply

  variables {
    certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    host_name       = "ledger.example.com"
  }

  assert {
    condition     = aws_lb_listener.production.port == 443 && aws_lb_listener.test.port == 8443 && aws_lb_listener.production.protocol == "HTTPS" && aws_lb_listener.test.protocol == "HTTPS"
    error_message = "Production at 443, test at 8443, both with TLS."
  }

  assert {
    condition     = startswith(aws_lb_listener.production.ssl_policy, "ELBSecurityPolicy-TLS13-1-2") && aws_lb_listener.production.ssl_policy == aws_lb_listener.test.ssl_policy
    error_message = "TLS 1.2 and 1.3, nothing older."
  }

  assert {
    condition     = aws_lb_listener.redirect[0].default_action[0].redirect[0].protocol == "HTTPS" && aws_lb_listener.redirect[0].port == 80
    error_message = "Port 80 sends to TLS."
  }

  assert {
    condition     = output.url == "https://ledger.example.com" && output.test_url == "https://ledger.example.com:8443" && aws_lambda_function.hook.environment[0].variables.GREENROOM_SMOKE_URL == output.test_url
    error_message = "The hook asks the test listener by the certificate's name."
  }
}

run "certificate_needs_its_name" {
  command = plan

  variables {
    certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
  }

  expect_failures = [var.host_name]
}

run "target_groups_are_tuned" {
  command = apply

  assert {
    condition     = toset([for group in aws_lb_target_group.this : group.name]) == toset(["ledger-staging-blue", "ledger-staging-green"])
    error_message = "A blue and a green one."
  }

  assert {
    condition = alltrue([
      for group in aws_lb_target_group.this :
      group.health_check[0].path == "/livez" && group.health_check[0].interval == 10 && group.health_check[0].healthy_threshold == 2 && group.health_check[0].matcher == "200"
    ])
    error_message = "A task is healthy 20 s after it answers: two checks of /livez, 10 s apart."
  }

  assert {
    condition     = alltrue([for group in aws_lb_target_group.this : tonumber(group.deregistration_delay) <= 30 && group.target_type == "ip" && group.port == 8000])
    error_message = "A task is let go within gunicorn's graceful timeout of 30 s."
  }

  assert {
    condition     = tonumber(aws_lb_target_group.this["blue"].deregistration_delay) < local.template.containerDefinitions[0].stopTimeout && local.template.containerDefinitions[0].stopTimeout <= 120
    error_message = "The container's stopTimeout is longer than the deregistration, and no longer than Fargate's 120 s."
  }
}

run "load_balancer_is_careful" {
  command = apply

  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.enable_deletion_protection && aws_lb.this.access_logs[0].enabled && !aws_lb.this.internal
    error_message = "Bad headers dropped, deletion refused, every request on record."
  }
}
