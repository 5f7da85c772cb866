# PostgreSQL and the parameters that lead to it.

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

run "database_is_private_encrypted_and_kept" {
  command = apply

  assert {
    condition     = !aws_db_instance.this[0].publicly_accessible && aws_db_instance.this[0].storage_encrypted && aws_db_instance.this[0].deletion_protection && !aws_db_instance.this[0].skip_final_snapshot
    error_message = "Private, encrypted, and not lost by one command."
  }

  assert {
    condition     = aws_db_instance.this[0].backup_retention_period >= 7 && aws_db_instance.this[0].multi_az && !aws_db_instance.this[0].delete_automated_backups
    error_message = "Backed up, and in two zones."
  }

  assert {
    condition     = one([for parameter in aws_db_parameter_group.this[0].parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "No connection without TLS."
  }

  assert {
    condition     = aws_db_instance.this[0].password == null && aws_db_instance.this[0].password_wo == null
    error_message = "The password is in no state."
  }
}

run "parameters_have_one_writer" {
  command = apply

  assert {
    condition     = keys(aws_ssm_parameter.this) == ["DJANGO_DB_HOST", "DJANGO_DB_NAME", "DJANGO_DB_PORT", "DJANGO_DB_USER"]
    error_message = "Only where the database is, is written here."
  }

  assert {
    condition     = alltrue([for name, parameter in aws_ssm_parameter.this : parameter.type == "String" && !local.registry[name].secret])
    error_message = "No secret is written here."
  }

  assert {
    condition     = keys(output.parameters_to_push) == ["DJANGO_ALLOWED_HOSTS", "DJANGO_DB_PASS", "DJANGO_EXTERNAL_HOST_NAME", "DJANGO_SECRET_KEY"]
    error_message = "The rest of what the app needs is named, for people to push."
  }
}

run "existing_database_gets_no_parameters" {
  command = apply

  variables {
    existing_database = { host = "db.internal", security_group_id = "sg-0123456789abcdef0" }
  }

  assert {
    condition     = length(aws_db_instance.this) == 0 && length(aws_ssm_parameter.this) == 0 && length(aws_iam_role.monitoring) == 0 && output.database.host == "db.internal"
    error_message = "Nothing is made, and all parameters are people's."
  }
}

run "database_without_backups_is_refused" {
  command = plan

  variables {
    database = { backup_days = 0 }
  }

  expect_failures = [var.database]
}

run "password_that_rds_refuses_is_refused" {
  command = plan

  variables {
    database_password = "with/a@slash-and-more"
  }

  expect_failures = [var.database_password]
}

run "password_that_lacks_is_asked_for" {
  command = plan

  variables {
    database_password = null
  }

  expect_failures = [var.database_password]
}

run "buckets_are_closed" {
  command = apply

  assert {
    condition     = keys(aws_s3_bucket.this) == ["artifacts", "flow-logs", "logs", "rehearsals"] && aws_s3_bucket.this["rehearsals"].bucket == "ledger-staging-rehearsals-123456789012"
    error_message = "Four buckets, by names that are nobody else's."
  }

  assert {
    condition     = alltrue([for block in aws_s3_bucket_public_access_block.this : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets])
    error_message = "None can be made public."
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"]) && length(aws_s3_bucket_server_side_encryption_configuration.this) == 4
    error_message = "All versioned and encrypted."
  }

  assert {
    condition     = alltrue([for policy in aws_s3_bucket_policy.this : jsondecode(policy.policy).Statement[0].Effect == "Deny" && jsondecode(policy.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"])
    error_message = "By TLS alone."
  }
}

run "flow_logs_have_a_bucket_of_their_own" {
  command = plan

  assert {
    condition     = [for statement in jsondecode(aws_s3_bucket_policy.this["logs"].policy).Statement : statement.Sid] == ["TlsAlone", "LoadBalancer"]
    error_message = "AWS has nothing to add to, or to write over, where the load balancer's logs go."
  }

  assert {
    condition = slice(jsondecode(aws_s3_bucket_policy.this["flow-logs"].policy).Statement, 1, 3) == [
      {
        Sid       = "AWSLogDeliveryWrite"
        Effect    = "Allow"
        Principal = { Service = "delivery.logs.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "arn:aws:s3:::ledger-staging-flow-logs-123456789012/AWSLogs/123456789012/*"
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012", "s3:x-amz-acl" = "bucket-owner-full-control" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:logs:eu-central-1:123456789012:*" }
        }
      },
      {
        Sid       = "AWSLogDeliveryAclCheck"
        Effect    = "Allow"
        Principal = { Service = "delivery.logs.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = "arn:aws:s3:::ledger-staging-flow-logs-123456789012"
        Condition = {
          StringEquals = { "aws:SourceAccount" = "123456789012" }
          ArnLike      = { "aws:SourceArn" = "arn:aws:logs:eu-central-1:123456789012:*" }
        }
      },
    ]
    error_message = "AWS's own two statements, word for word."
  }
}

run "without_a_network_of_its_own_there_are_no_flow_logs" {
  command = plan

  variables {
    existing_network = {
      vpc_id             = "vpc-0123456789abcdef0"
      public_subnet_ids  = ["subnet-a", "subnet-b"]
      private_subnet_ids = ["subnet-c", "subnet-d"]
      outbound_cidrs     = ["198.51.100.7/32"]
    }
  }

  assert {
    condition     = keys(aws_s3_bucket.this) == ["artifacts", "logs", "rehearsals"] && length(aws_flow_log.this) == 0
    error_message = "Nor a bucket for them."
  }
}
