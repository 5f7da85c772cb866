# S3 by a gateway, which costs nothing: layers of images lie there. All the rest by interfaces, where there is no NAT.

locals {
  # What tasks, builds and the hook call. A build with a repository as its source clones it by CodeConnections.
  endpoint_services = var.private_egress != "endpoints" || !local.own_network ? [] : [
    "codebuild", "codeconnections.api", "codedeploy", "ecr.api", "ecr.dkr", "ecs", "git-codeconnections", "logs", "ssm", "ssmmessages", "sts",
  ]
}

resource "aws_vpc_endpoint" "s3" {
  count = local.own_network ? 1 : 0

  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for zone in local.zones : aws_route_table.private[zone].id]

  tags = { Name = "${local.name}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = toset(local.endpoint_services)

  vpc_id              = aws_vpc.this[0].id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = local.private_subnet_ids
  security_group_ids  = [aws_security_group.this["endpoints"].id]

  tags = { Name = "${local.name}-${each.key}" }
}
