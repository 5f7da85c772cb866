environment = "production"
account     = "210987654321" # as in [tool.greenroom.environments.production]
region      = "eu-central-1"
ssm_path    = "/ledger/production"

zones          = ["a", "b", "c"]
private_egress = "nat-per-zone"
tasks          = { least = 2, most = 10 }

host_name       = "ledger.example.com"
certificate_arn = "arn:aws:acm:eu-central-1:210987654321:certificate/00000000-0000-0000-0000-000000000000"

database = {
  instance_class = "db.m7g.large"
  storage        = 100
  most_storage   = 1000
}

source_repository = {
  connection_arn = "arn:aws:codeconnections:eu-central-1:210987654321:connection/00000000-0000-0000-0000-000000000000"
  name           = "example/ledger"
}

deployment_config = "CodeDeployDefault.ECSCanary10Percent5Minutes"
bake_minutes      = 30
alarm_emails      = ["ledger-team@example.com"]
