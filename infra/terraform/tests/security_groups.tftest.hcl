# What is open, and that nothing else is.

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

run "each_way_is_one_rule" {
  command = apply

  assert {
    condition = { for name, rule in aws_vpc_security_group_ingress_rule.between : name => rule.from_port } == {
      app                   = 8000
      app-to-database       = 5432
      rehearsal-to-database = 5432
    }
    error_message = "Between groups: requests to the app, and PostgreSQL for the app and the rehearsal."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.between : rule.cidr_ipv4 == null && rule.from_port == rule.to_port && rule.ip_protocol == "tcp"])
    error_message = "Ways between groups name a group and one port, no addresses."
  }

  assert {
    condition     = alltrue([for rule in concat(values(aws_vpc_security_group_ingress_rule.public), aws_vpc_security_group_ingress_rule.hook_through_nat) : rule.security_group_id == aws_security_group.this["load-balancer"].id])
    error_message = "Addresses open the load balancer alone."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.between["app-to-database"].security_group_id == aws_security_group.this["database"].id && aws_vpc_security_group_ingress_rule.between["app-to-database"].referenced_security_group_id == aws_security_group.this["app"].id
    error_message = "The database is reached from the app's group."
  }

  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.https) == ["app", "hook", "rehearsal"] && alltrue([for rule in aws_vpc_security_group_egress_rule.https : rule.from_port == 443 && rule.to_port == 443])
    error_message = "To the outside by 443 alone; the database and the load balancer not at all."
  }

  assert {
    condition     = length(aws_default_security_group.closed[0].ingress) == 0 && length(aws_default_security_group.closed[0].egress) == 0
    error_message = "The VPC's own group lets nothing through."
  }
}

run "test_listener_is_not_for_everybody" {
  command = apply

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.public : rule.from_port] == [80]
    error_message = "Without a certificate: clients reach 80, and nothing else."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.hook_through_nat : "${rule.cidr_ipv4} ${rule.from_port}"] == ["203.0.113.10/32 8080"]
    error_message = "The hook comes through the NAT, and only to the test listener."
  }
}

run "whole_internet_may_not_look_at_green" {
  command = plan

  variables {
    test_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.test_cidrs]
}

run "with_tls_port_80_redirects" {
  command = apply

  variables {
    certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    host_name       = "ledger.example.com"
    test_cidrs      = ["198.51.100.0/24"]
  }

  assert {
    condition     = { for name, rule in aws_vpc_security_group_ingress_rule.public : name => rule.from_port } == { "production 0.0.0.0/0" = 443, "redirect 0.0.0.0/0" = 80, "test 198.51.100.0/24" = 8443 }
    error_message = "443 and 80 for clients, 8443 for those who may look at green."
  }
}

run "internal_load_balancer_knows_the_hook_by_its_group" {
  command = apply

  variables {
    internal = true
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.hook_through_nat) == 0 && aws_vpc_security_group_ingress_rule.between["hook-to-test"].referenced_security_group_id == aws_security_group.this["hook"].id
    error_message = "No address is opened for the hook."
  }
}

run "existing_database_is_opened_to_two_groups" {
  command = apply

  variables {
    existing_database = { host = "db.internal", port = 6432, security_group_id = "sg-0123456789abcdef0" }
  }

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.existing_database) == ["app", "rehearsal"] && alltrue([for rule in aws_vpc_security_group_ingress_rule.existing_database : rule.from_port == 6432 && rule.security_group_id == "sg-0123456789abcdef0"])
    error_message = "The group of the existing database lets in the app and the rehearsal, at its own port."
  }
}
