# The VPC: public subnets for the load balancer, private ones for all the rest; or one that exists.

locals {
  own_network = var.existing_network == null
  zones       = local.own_network ? [for letter in var.zones : "${var.region}${letter}"] : []
  nat_zones   = !local.own_network ? [] : { nat = slice(local.zones, 0, 1), nat-per-zone = local.zones, endpoints = [] }[var.private_egress]

  vpc_id             = local.own_network ? aws_vpc.this[0].id : var.existing_network.vpc_id
  public_subnet_ids  = local.own_network ? [for zone in local.zones : aws_subnet.public[zone].id] : var.existing_network.public_subnet_ids
  private_subnet_ids = local.own_network ? [for zone in local.zones : aws_subnet.private[zone].id] : var.existing_network.private_subnet_ids

  # Where the private subnets come from, for whoever is asked on the Internet.
  outbound_cidrs = local.own_network ? [for zone in local.nat_zones : "${aws_eip.nat[zone].public_ip}/32"] : var.existing_network.outbound_cidrs
}

resource "aws_vpc" "this" {
  count = local.own_network ? 1 : 0

  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = local.name }
}

# What names no security group gets this one, which lets nothing through.
resource "aws_default_security_group" "closed" {
  count = local.own_network ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = "${local.name}-closed" }
}

resource "aws_subnet" "public" {
  for_each = toset(local.zones)

  vpc_id                  = aws_vpc.this[0].id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(var.vpc_cidr, 4, index(local.zones, each.key))
  map_public_ip_on_launch = false

  tags = { Name = "${local.name}-public-${each.key}" }
}

resource "aws_subnet" "private" {
  for_each = toset(local.zones)

  vpc_id            = aws_vpc.this[0].id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, 8 + index(local.zones, each.key))

  tags = { Name = "${local.name}-private-${each.key}" }
}

resource "aws_internet_gateway" "this" {
  count = local.own_network ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = local.name }
}

resource "aws_route_table" "public" {
  count = local.own_network ? 1 : 0

  vpc_id = aws_vpc.this[0].id

  tags = { Name = "${local.name}-public" }
}

resource "aws_route" "internet" {
  count = local.own_network ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"

  tags = { Name = "${local.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${local.name}-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "private" {
  for_each = toset(local.zones)

  vpc_id = aws_vpc.this[0].id

  tags = { Name = "${local.name}-private-${each.key}" }
}

resource "aws_route" "nat" {
  for_each = length(local.nat_zones) > 0 ? toset(local.zones) : []

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[contains(local.nat_zones, each.key) ? each.key : local.nat_zones[0]].id
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private[each.key].id
}

# Who talked to whom: the first question after an incident.
resource "aws_flow_log" "this" {
  count = local.own_network ? 1 : 0

  vpc_id               = aws_vpc.this[0].id
  traffic_type         = "ALL"
  log_destination_type = "s3"
  log_destination      = aws_s3_bucket.this["flow-logs"].arn

  depends_on = [aws_s3_bucket_policy.this]
}
