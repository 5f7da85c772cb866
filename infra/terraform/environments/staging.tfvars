environment = "staging"
account     = "123456789012" # as in [tool.greenroom.environments.staging]
region      = "eu-central-1"
ssm_path    = "/ledger/staging"

zones               = ["a", "b"]
tasks               = { least = 1, most = 3 }
execute_command     = true
deletion_protection = false
force_destroy       = true
log_retention_days  = 30

database = {
  storage        = 20
  most_storage   = 100
  multi_az       = false
  backup_days    = 3
  final_snapshot = false
}

# Without host_name and certificate_arn: plain http, by the load balancer's own name.

source_repository = {
  connection_arn = "arn:aws:codeconnections:eu-central-1:123456789012:connection/00000000-0000-0000-0000-000000000000"
  name           = "example/ledger"
}

bake_minutes = 5
