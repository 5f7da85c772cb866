# AfterAllowTestTraffic: green answers on the test listener, and nobody else sees it yet. The function asks it what a
# visitor would ask, and tells CodeDeploy to go on or to go back.

locals {
  hook_name = "CodeDeployHook_${local.name}" # AWS's own policy for CodeDeploy calls functions of this prefix only
}

resource "aws_cloudwatch_log_group" "hook" {
  # checkov:skip=CKV_AWS_158: encrypted by CloudWatch's own key; no secret is printed there

  name              = "/aws/lambda/${local.hook_name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "hook" {
  # checkov:skip=CKV_AWS_50: it runs once a release, and its log says what it asked
  # checkov:skip=CKV_AWS_115: only CodeDeploy calls it, once a release; a new account has nothing to reserve
  # checkov:skip=CKV_AWS_116: CodeDeploy waits for its answer, and takes silence for a failure
  # checkov:skip=CKV_AWS_173: its one variable is a URL
  # checkov:skip=CKV_AWS_272: its code comes from this repository, by whoever may apply

  function_name = local.hook_name
  description   = "Asks green before it gets traffic."
  role          = aws_iam_role.this["hook"].arn

  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "after_allow_test_traffic.handler"
  filename         = var.hook_zip
  source_code_hash = filebase64sha256(var.hook_zip)
  memory_size      = 256
  timeout          = 300

  environment {
    variables = {
      GREENROOM_SMOKE_URL = local.test_url
    }
  }

  vpc_config {
    subnet_ids         = local.private_subnet_ids
    security_group_ids = [aws_security_group.this["hook"].id]
  }

  depends_on = [aws_cloudwatch_log_group.hook, aws_iam_role_policy.this]
}
