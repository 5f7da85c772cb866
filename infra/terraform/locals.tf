data "aws_partition" "current" {}

locals {
  name = "${var.project}-${var.environment}"

  # ARNs are written out, where a reference would only be known after the apply: policies can then be read in the plan.
  partition = data.aws_partition.current.partition
  arn = {
    for service in ["cloudwatch", "codebuild", "codedeploy", "codepipeline", "ecr", "ecs", "elasticloadbalancing", "lambda", "logs", "ssm"] :
    service => "arn:${local.partition}:${service}:${var.region}:${var.account}"
  }
  role_arns = {
    for actor in ["execution", "task", "build", "rehearse", "migrate", "pipeline", "codedeploy", "hook"] :
    actor => "arn:${local.partition}:iam::${var.account}:role/${local.name}-${actor}"
  }
}
