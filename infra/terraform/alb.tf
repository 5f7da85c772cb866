# The load balancer: a production and a test listener, and two target groups that CodeDeploy swaps between them.

locals {
  tls             = var.certificate_arn != null
  production_port = local.tls ? 443 : 80
  test_port       = local.tls ? 8443 : 8080
  protocol        = local.tls ? "https" : "http"
  host            = coalesce(var.host_name, aws_lb.this.dns_name)
  test_url        = "${local.protocol}://${local.host}:${local.test_port}"
}

resource "aws_lb" "this" {
  # checkov:skip=CKV2_AWS_28: which rules a firewall has is the team's own matter; one is attached from outside, by its association

  name               = local.name
  load_balancer_type = "application"
  internal           = var.internal
  subnets            = var.internal ? local.private_subnet_ids : local.public_subnet_ids
  security_groups    = [aws_security_group.this["load-balancer"].id]

  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  idle_timeout               = 60 # shorter than gunicorn's keepalive, or it asks a connection that has just been closed

  access_logs {
    bucket  = aws_s3_bucket.this["logs"].id
    prefix  = "load-balancer"
    enabled = true
  }

  depends_on = [aws_s3_bucket_policy.this]
}

resource "aws_lb_target_group" "this" {
  # checkov:skip=CKV_AWS_378: TLS ends at the load balancer; a task answers it within private subnets, by a group that nobody else reaches

  for_each = toset(["blue", "green"])

  name        = "${local.name}-${each.key}"
  vpc_id      = local.vpc_id
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.container_port

  # AWS's defaults take 150 s to find a task healthy and 300 s to let one go. No longer than gunicorn's graceful_timeout
  # (30 s), which is shorter than the container's stopTimeout (45 s): nothing is cut off.
  deregistration_delay = 30

  health_check {
    path                = "/livez"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

# CodeDeploy changes where both lead to. To put that back would take the traffic away from the release that serves, and
# every later deployment fails with "Primary taskset target group must be behind listener".
resource "aws_lb_listener" "production" {
  load_balancer_arn = aws_lb.this.arn
  port              = local.production_port
  protocol          = local.tls ? "HTTPS" : "HTTP"
  certificate_arn   = var.certificate_arn
  ssl_policy        = local.tls ? "ELBSecurityPolicy-TLS13-1-2-2021-06" : null

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["blue"].arn
  }

  lifecycle {
    ignore_changes = [default_action]
  }
}

resource "aws_lb_listener" "test" {
  load_balancer_arn = aws_lb.this.arn
  port              = local.test_port
  protocol          = local.tls ? "HTTPS" : "HTTP"
  certificate_arn   = var.certificate_arn
  ssl_policy        = local.tls ? "ELBSecurityPolicy-TLS13-1-2-2021-06" : null

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this["blue"].arn
  }

  lifecycle {
    ignore_changes = [default_action]
  }
}

resource "aws_lb_listener" "redirect" {
  count = local.tls ? 1 : 0

  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      protocol    = "HTTPS"
      port        = "443"
      status_code = "HTTP_301"
    }
  }
}
