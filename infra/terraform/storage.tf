# Buckets: what the pipeline hands on, rehearsal documents, and logs. Private, encrypted, by TLS alone.

locals {
  buckets = merge(
    {
      artifacts  = { kept_days = 30 }
      rehearsals = { kept_days = var.rehearsals_kept_days }
      logs       = { kept_days = 90 }
    },
    # AWS writes into the policy of a bucket that flow logs go to, or over it: what else is logged has another.
    local.own_network ? { flow-logs = { kept_days = 90 } } : {},
  )

  bucket_names = { for name, _ in local.buckets : name => "${local.name}-${name}-${var.account}" }
  bucket_arns  = { for name, bucket in local.bucket_names : name => "arn:${local.partition}:s3:::${bucket}" }
  # Also where there is none: the statements below are then not used.
  flow_logs_arn = lookup(local.bucket_arns, "flow-logs", "")

  bucket_statements = {
    logs = [
      {
        Sid       = "LoadBalancer"
        Effect    = "Allow"
        Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.bucket_arns["logs"]}/load-balancer/AWSLogs/${var.account}/*"
        Condition = { ArnLike = { "aws:SourceArn" = "${local.arn.elasticloadbalancing}:loadbalancer/*" } }
      },
    ]
    # AWS's own two, as its guide to flow logs has them and under its Sids: found there, they are not added when a flow
    # log is made, which would be drift. So the condition on the ACL stays, though ACLs are off: AWS writes the same into
    # buckets that have had them off by default since 2023, and S3 takes this one ACL there.
    flow-logs = [
      {
        Sid       = "AWSLogDeliveryWrite"
        Effect    = "Allow"
        Principal = { Service = "delivery.logs.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.flow_logs_arn}/AWSLogs/${var.account}/*"
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.account, "s3:x-amz-acl" = "bucket-owner-full-control" }
          ArnLike      = { "aws:SourceArn" = "${local.arn.logs}:*" }
        }
      },
      {
        Sid       = "AWSLogDeliveryAclCheck"
        Effect    = "Allow"
        Principal = { Service = "delivery.logs.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = local.flow_logs_arn
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.account }
          ArnLike      = { "aws:SourceArn" = "${local.arn.logs}:*" }
        }
      },
    ]
  }
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18: requests to these buckets are in CloudTrail, by whom; those with logs cannot log themselves
  # checkov:skip=CKV_AWS_144: what they hold can be made again, but for rehearsals, which are versioned
  # checkov:skip=CKV_AWS_145: encrypted by keys of S3 itself; a key of our own would add a policy and no secret
  # checkov:skip=CKV2_AWS_61: it has one, below, which is not found through for_each
  # checkov:skip=CKV2_AWS_62: nothing waits for an object

  for_each = local.bucket_names

  bucket        = each.value
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = local.buckets[each.key].kept_days
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "TlsAlone"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.bucket_arns[each.key], "${local.bucket_arns[each.key]}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      lookup(local.bucket_statements, each.key, []),
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}
