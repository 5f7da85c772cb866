# One group for each thing that listens or calls, and one rule for each way that is open. All else is closed.

locals {
  groups = merge(
    {
      load-balancer = "The load balancer."
      app           = "The tasks of the app, and the one that migrates."
      rehearsal     = "The build that rehearses."
      hook          = "The function that looks at green before it gets traffic."
    },
    local.own_database ? { database = "PostgreSQL." } : {},
    length(local.endpoint_services) > 0 ? { endpoints = "The interface endpoints of AWS services." } : {},
  )

  database_group_id = local.own_database ? aws_security_group.this["database"].id : var.existing_database.security_group_id

  # from, to: names of groups. A rule stands at both ends.
  ways = merge(
    {
      app = { from = "load-balancer", to = "app", port = local.container_port, what = "Requests, and health checks." }
    },
    var.internal ? {
      hook-to-test = { from = "hook", to = "load-balancer", port = local.test_port, what = "The hook asks green." }
    } : {},
    local.own_database ? {
      app-to-database       = { from = "app", to = "database", port = local.database_port, what = "PostgreSQL." }
      rehearsal-to-database = { from = "rehearsal", to = "database", port = local.database_port, what = "PostgreSQL, for the rehearsal." }
    } : {},
    length(local.endpoint_services) == 0 ? {} : {
      for group in ["app", "rehearsal", "hook"] : "${group}-to-endpoints" => { from = group, to = "endpoints", port = 443, what = "AWS services." }
    },
  )

  # Groups whose members call what stands outside of the VPC.
  callers = toset(["app", "rehearsal", "hook"])

  public_ways = merge(
    { for cidr in var.client_cidrs : "production ${cidr}" => { cidr = cidr, port = local.production_port, what = "Clients." } },
    { for cidr in(local.tls ? var.client_cidrs : []) : "redirect ${cidr}" => { cidr = cidr, port = 80, what = "Clients that come without TLS, and are sent to it." } },
    { for cidr in var.test_cidrs : "test ${cidr}" => { cidr = cidr, port = local.test_port, what = "Whoever may look at green." } },
  )
  # The hook asks a load balancer on the Internet by its public address, and comes through the NAT. By number: addresses
  # are known only after the apply.
  outbound_count = !local.own_network ? length(var.existing_network.outbound_cidrs) : length(local.nat_zones)
}

resource "aws_security_group" "this" {
  # checkov:skip=CKV2_AWS_5: all are attached, by name, which is not found through for_each

  for_each = local.groups

  name        = "${local.name}-${each.key}"
  description = each.value
  vpc_id      = local.vpc_id

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "between" {
  for_each = local.ways

  security_group_id            = aws_security_group.this[each.value.to].id
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = each.value.what
}

resource "aws_vpc_security_group_egress_rule" "between" {
  for_each = local.ways

  security_group_id            = aws_security_group.this[each.value.from].id
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = each.value.what
}

resource "aws_vpc_security_group_ingress_rule" "public" {
  for_each = local.public_ways

  security_group_id = aws_security_group.this["load-balancer"].id
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  description       = each.value.what
}

resource "aws_vpc_security_group_ingress_rule" "hook_through_nat" {
  count = var.internal ? 0 : local.outbound_count

  security_group_id = aws_security_group.this["load-balancer"].id
  cidr_ipv4         = local.outbound_cidrs[count.index]
  ip_protocol       = "tcp"
  from_port         = local.test_port
  to_port           = local.test_port
  description       = "The hook, through the NAT."
}

# AWS's services, the package index of a rehearsal, the registry of the bootstrap image: addresses that change.
resource "aws_vpc_security_group_egress_rule" "https" {
  for_each = local.callers

  security_group_id = aws_security_group.this[each.key].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "AWS services, and registries, by TLS alone."
}

resource "aws_vpc_security_group_egress_rule" "hook_to_test" {
  count = var.internal ? 0 : 1

  security_group_id = aws_security_group.this["hook"].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.test_port
  to_port           = local.test_port
  description       = "The test listener, by its public address, which changes."
}

resource "aws_vpc_security_group_ingress_rule" "existing_database" {
  for_each = local.own_database ? [] : toset(["app", "rehearsal"])

  security_group_id            = var.existing_database.security_group_id
  referenced_security_group_id = aws_security_group.this[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
  description                  = "${local.name}, ${each.key}."
}

resource "aws_vpc_security_group_egress_rule" "existing_database" {
  for_each = local.own_database ? [] : toset(["app", "rehearsal"])

  security_group_id            = aws_security_group.this[each.key].id
  referenced_security_group_id = var.existing_database.security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
  description                  = "PostgreSQL."
}
