# The VPC: its subnets, their ways out, and one that exists.

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

run "own_network_spans_the_zones" {
  command = apply

  assert {
    condition     = length(aws_subnet.public) == 2 && length(aws_subnet.private) == 2
    error_message = "A public and a private subnet in each of two zones."
  }

  assert {
    condition     = length(distinct([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private)) : subnet.cidr_block])) == 4
    error_message = "No two subnets share their addresses."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "Nothing gets a public address by standing there."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 2
    error_message = "One NAT gateway, and both private subnets reach it."
  }

  assert {
    condition     = [for route in aws_route.nat : route.nat_gateway_id] == [for _ in aws_route.nat : aws_nat_gateway.this["eu-central-1a"].id]
    error_message = "Both private subnets leave by the one NAT gateway."
  }

  assert {
    condition     = aws_vpc.this[0].enable_dns_hostnames && length(aws_vpc_endpoint.s3[0].route_table_ids) == 2 && length(aws_vpc_endpoint.interface) == 0
    error_message = "S3 by its gateway from both private subnets, no interface that costs."
  }
}

run "three_zones_have_a_nat_each" {
  command = apply

  variables {
    zones          = ["a", "b", "c"]
    private_egress = "nat-per-zone"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && alltrue([for zone, route in aws_route.nat : route.nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "Each private subnet leaves by the NAT gateway of its own zone."
  }
}

run "without_internet_there_are_endpoints" {
  command = apply

  variables {
    private_egress  = "endpoints"
    internal        = true
    bootstrap_image = "210987654321.dkr.ecr.eu-central-1.amazonaws.com/mirror/python:3.13"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0
    error_message = "No way to the Internet."
  }

  assert {
    condition     = length(setsubtract(["ecr.api", "ecr.dkr", "logs", "ssm", "sts", "codedeploy"], keys(aws_vpc_endpoint.interface))) == 0
    error_message = "What tasks, the rehearsal and the hook call is reached by endpoints."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && endpoint.security_group_ids == toset([aws_security_group.this["endpoints"].id])])
    error_message = "By their usual names, and guarded."
  }

  assert {
    condition = one([for statement in jsondecode(aws_iam_role_policy.this["execution"].policy).Statement : statement.Resource if statement.Sid == "PullImage"]) == [
      "arn:aws:ecr:eu-central-1:123456789012:repository/ledger",
      "arn:aws:ecr:eu-central-1:210987654321:repository/mirror/python",
    ]
    error_message = "ECS may pull the bootstrap image too, and from no other repository."
  }
}

run "public_load_balancer_needs_a_way_out_for_the_hook" {
  command = plan

  variables {
    private_egress = "endpoints"
  }

  expect_failures = [var.private_egress]
}

run "existing_network_is_used" {
  command = apply

  variables {
    existing_network = {
      vpc_id             = "vpc-0123456789abcdef0"
      public_subnet_ids  = ["subnet-a", "subnet-b"]
      private_subnet_ids = ["subnet-c", "subnet-d"]
      outbound_cidrs     = ["198.51.100.7/32"]
    }
  }

  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_subnet.private) == 0 && length(aws_nat_gateway.this) == 0 && length(aws_vpc_endpoint.s3) == 0
    error_message = "Nothing of a network is made."
  }

  assert {
    condition     = aws_lb.this.subnets == toset(["subnet-a", "subnet-b"]) && aws_ecs_service.this.network_configuration[0].subnets == toset(["subnet-c", "subnet-d"])
    error_message = "The load balancer in the public subnets, tasks in the private ones."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.hook_through_nat : rule.cidr_ipv4] == ["198.51.100.7/32"]
    error_message = "The hook reaches the test listener from where its network comes out."
  }
}

run "public_load_balancer_in_an_existing_network_must_know_the_hook" {
  command = plan

  variables {
    existing_network = {
      vpc_id             = "vpc-0123456789abcdef0"
      public_subnet_ids  = ["subnet-a", "subnet-b"]
      private_subnet_ids = ["subnet-c", "subnet-d"]
    }
  }

  expect_failures = [var.existing_network]
}

run "internal_one_needs_no_address_of_the_hook" {
  command = plan

  variables {
    internal = true
    existing_network = {
      vpc_id             = "vpc-0123456789abcdef0"
      public_subnet_ids  = ["subnet-a", "subnet-b"]
      private_subnet_ids = ["subnet-c", "subnet-d"]
    }
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.hook_through_nat) == 0 && aws_vpc_security_group_ingress_rule.between["hook-to-test"].from_port == 8080
    error_message = "The hook is known by its group."
  }
}

run "image_of_another_region_is_not_reached_by_endpoints" {
  command = plan

  variables {
    private_egress  = "endpoints"
    internal        = true
    bootstrap_image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/python:3.13"
  }

  expect_failures = [var.private_egress]
}
