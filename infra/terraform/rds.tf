# PostgreSQL: private, encrypted, backed up; or one that exists.

locals {
  own_database  = var.existing_database == null
  database_host = local.own_database ? aws_db_instance.this[0].address : var.existing_database.host
  database_port = local.own_database ? 5432 : var.existing_database.port
  # "17.4" and "17" are both of the family postgres17
  database_family = "postgres${split(".", var.database.version)[0]}"
}

resource "aws_db_subnet_group" "this" {
  count = local.own_database ? 1 : 0

  name       = local.name
  subnet_ids = local.private_subnet_ids
}

resource "aws_db_parameter_group" "this" {
  count = local.own_database ? 1 : 0

  name_prefix = "${local.name}-"
  family      = local.database_family
  description = "${local.name}: TLS alone, and locks that are waited for are logged."

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_lock_waits"
    value = "1"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  count = local.own_database ? 1 : 0

  identifier     = local.name
  engine         = "postgres"
  engine_version = var.database.version
  instance_class = var.database.instance_class
  multi_az       = var.database.multi_az

  db_name             = var.database.name
  username            = var.database.user
  password_wo         = var.database_password
  password_wo_version = var.database_password_version

  storage_type          = "gp3"
  allocated_storage     = var.database.storage
  max_allocated_storage = var.database.most_storage
  storage_encrypted     = true

  db_subnet_group_name   = aws_db_subnet_group.this[0].name
  vpc_security_group_ids = [aws_security_group.this["database"].id]
  publicly_accessible    = false
  parameter_group_name   = aws_db_parameter_group.this[0].name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period   = var.database.backup_days
  backup_window             = "02:00-03:00"
  maintenance_window        = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = !var.database.final_snapshot
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = !var.database.final_snapshot
  final_snapshot_identifier = var.database.final_snapshot ? "${local.name}-final" : null

  auto_minor_version_upgrade      = true
  apply_immediately               = var.database.apply_immediately
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]
  performance_insights_enabled    = true
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring[0].arn

  depends_on = [aws_cloudwatch_log_group.database]
}

resource "aws_cloudwatch_log_group" "database" {
  # checkov:skip=CKV_AWS_158: encrypted by CloudWatch's own key; RDS logs no bind values unless it is told to

  for_each = local.own_database ? toset(["postgresql", "upgrade"]) : []

  name              = "/aws/rds/instance/${local.name}/${each.key}"
  retention_in_days = var.log_retention_days
}
