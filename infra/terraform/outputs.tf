output "url" {
  description = "Where the app is reached. A host_name must lead to load_balancer first."
  value       = "${local.protocol}://${local.host}"
}

output "test_url" {
  description = "Where green is reached before it gets traffic, by whoever may."
  value       = local.test_url
}

output "load_balancer" {
  description = "DNS name of the load balancer, and the zone that an alias record needs."
  value       = { name = aws_lb.this.dns_name, zone_id = aws_lb.this.zone_id, arn = aws_lb.this.arn }
}

output "listeners" {
  description = "ARNs of the listeners whose traffic a release moves."
  value       = { production = aws_lb_listener.production.arn, test = aws_lb_listener.test.arn }
}

output "target_groups" {
  description = "ARNs of the two target groups."
  value       = { for name, group in aws_lb_target_group.this : name => group.arn }
}

output "repository" {
  description = "What an image is called in ECR, without tag or digest."
  value       = aws_ecr_repository.this.repository_url
}

output "service" {
  description = "Cluster, service, container and its port, and the log group."
  value = {
    cluster        = aws_ecs_cluster.this.name
    name           = aws_ecs_service.this.name
    container      = local.container_name
    container_port = local.container_port
    log_group      = aws_cloudwatch_log_group.app.name
  }
}

output "deployment" {
  description = "CodeDeploy's application and group, the hook, the pipeline, and the alarms that send a release back."
  value = {
    application = aws_codedeploy_app.this.name
    group       = aws_codedeploy_deployment_group.this.deployment_group_name
    hook        = aws_lambda_function.hook.function_name
    pipeline    = aws_codepipeline.this.name
    alarms      = sort([for alarm in aws_cloudwatch_metric_alarm.rollback : alarm.alarm_name])
  }
}

output "network" {
  description = "Where a one-off task runs: private subnets, and the app's security group."
  value = {
    vpc_id          = local.vpc_id
    subnets         = local.private_subnet_ids
    security_groups = [aws_security_group.this["app"].id]
  }
}

output "rehearsals_bucket" {
  description = "Where rehearsal documents are filed: rehearsals/IMAGE DIGEST/PLAN FINGERPRINT/rehearsal.json."
  value       = aws_s3_bucket.this["rehearsals"].bucket
}

output "database" {
  description = "Where the database is, for [tool.greenroom.databases]. Its password lies in SSM alone."
  value = {
    host               = local.database_host
    port               = local.database_port
    name               = local.own_database ? var.database.name : null
    user               = local.own_database ? var.database.user : null
    password_parameter = "${var.ssm_path}/DJANGO_DB_PASS"
  }
}

output "roles" {
  description = "ARN of each actor's role."
  value       = { for actor, role in aws_iam_role.this : actor => role.arn }
}

output "parameters_to_push" {
  description = "What the app needs below ssm_path and nothing here writes: fill them in and run env-push."
  value = {
    for name, variable in local.registry : name => variable.description
    if variable.required && !contains(keys(local.written_here), name)
  }
}

output "topic" {
  description = "ARN of the topic that alarms, failed releases and waiting approvals go to."
  value       = aws_sns_topic.this.arn
}
