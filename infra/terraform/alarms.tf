# Two kinds: those that send a release back, and those that only call somebody.

locals {
  topic_arn = "arn:${local.partition}:sns:${var.region}:${var.account}:${local.name}"

  load_balancer_dimensions = { LoadBalancer = aws_lb.this.arn_suffix }

  # Of both target groups together: blue and green change places with each release.
  rollback_alarms = {
    app-errors           = { metric = "HTTPCode_Target_5XX_Count", statistic = "Sum", limit = var.alarm_limits.errors_a_minute, what = "The app answers with errors (5xx)." }
    load-balancer-errors = { metric = "HTTPCode_ELB_5XX_Count", statistic = "Sum", limit = var.alarm_limits.errors_a_minute, what = "The load balancer answers with errors (5xx): no task answers it." }
    slow                 = { metric = "TargetResponseTime", statistic = "p99", limit = var.alarm_limits.p99_seconds, what = "One answer of a hundred takes longer than it may." }
  }

  database_alarms = !local.own_database ? {} : {
    database-cpu         = { metric = "CPUUtilization", comparison = "GreaterThanThreshold", limit = 85, what = "The database's CPU is busy." }
    database-storage     = { metric = "FreeStorageSpace", comparison = "LessThanThreshold", limit = 5 * 1024 * 1024 * 1024, what = "Less than 5 GiB of storage are free: a migration that rewrites a table may need more." }
    database-memory      = { metric = "FreeableMemory", comparison = "LessThanThreshold", limit = 200 * 1024 * 1024, what = "Less than 200 MiB of the database's memory are free." }
    database-transaction = { metric = "MaximumUsedTransactionIDs", comparison = "GreaterThanThreshold", limit = 1000000000, what = "VACUUM does not keep up: halfway to where PostgreSQL refuses to write." }
  }
}

resource "aws_sns_topic" "this" {
  # checkov:skip=CKV_AWS_26: with AWS's own key no alarm could publish; names of alarms and stages are no secret

  name = local.name
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
      },
      {
        Sid       = "FailedStages"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { ArnEquals = { "aws:SourceArn" = "arn:${local.partition}:events:${var.region}:${var.account}:rule/${local.name}-pipeline-failed" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.alarm_emails)

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "rollback" {
  for_each = local.rollback_alarms

  alarm_name         = "${local.name}-${each.key}"
  alarm_description  = "${each.value.what} A release in progress goes back."
  namespace          = "AWS/ApplicationELB"
  metric_name        = each.value.metric
  dimensions         = local.load_balancer_dimensions
  statistic          = each.value.statistic == "p99" ? null : each.value.statistic
  extended_statistic = each.value.statistic == "p99" ? "p99" : null
  period             = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.limit
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching" # nobody asked

  alarm_actions = [aws_sns_topic.this.arn]
  ok_actions    = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  for_each = aws_lb_target_group.this

  alarm_name        = "${local.name}-unhealthy-${each.key}"
  alarm_description = "Tasks of ${each.key} do not answer the load balancer. Not one that sends a release back: green is unhealthy while it starts."
  namespace         = "AWS/ApplicationELB"
  metric_name       = "UnHealthyHostCount"
  dimensions        = merge(local.load_balancer_dimensions, { TargetGroup = each.value.arn_suffix })
  statistic         = "Minimum"
  period            = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching" # a group without tasks

  alarm_actions = [aws_sns_topic.this.arn]
  ok_actions    = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = local.database_alarms

  alarm_name        = "${local.name}-${each.key}"
  alarm_description = each.value.what
  namespace         = "AWS/RDS"
  metric_name       = each.value.metric
  dimensions        = { DBInstanceIdentifier = aws_db_instance.this[0].identifier }
  statistic         = "Average"
  period            = 300

  comparison_operator = each.value.comparison
  threshold           = each.value.limit
  evaluation_periods  = 3
  treat_missing_data  = "missing"

  alarm_actions = [aws_sns_topic.this.arn]
  ok_actions    = [aws_sns_topic.this.arn]
}

# A stage that fails between two releases tells nobody by itself.
resource "aws_cloudwatch_event_rule" "pipeline_failed" {
  name        = "${local.name}-pipeline-failed"
  description = "A stage of the pipeline failed."

  event_pattern = jsonencode({
    source      = ["aws.codepipeline"]
    detail-type = ["CodePipeline Stage Execution State Change"]
    detail      = { pipeline = [aws_codepipeline.this.name], state = ["FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "pipeline_failed" {
  rule = aws_cloudwatch_event_rule.pipeline_failed.name
  arn  = aws_sns_topic.this.arn
}
