# The app's parameters. Each has one writer:
# - what only this configuration knows, and is no secret, is written here: where the database is;
# - all else people write, by `./inv env-push`, and it is not managed here: neither their values nor their versions are in
#   any state, and no plan undoes what somebody pushed.
# A test holds `registry` against app/config/environment.py; descriptions are the same, so that env-push has nothing to add.

locals {
  registry = {
    DJANGO_SECRET_KEY           = { required = true, secret = true, description = "Signs sessions and tokens, 50 random characters or more; everybody is logged out when it changes." }
    DJANGO_ALLOWED_HOSTS        = { required = true, secret = false, description = "Host names that requests may ask for, separated by commas. Health checks are answered under any." }
    DJANGO_CSRF_TRUSTED_ORIGINS = { required = false, secret = false, description = "Origins beside the app's own whose forms are accepted, separated by commas." }
    DJANGO_EXTERNAL_PROTOCOL    = { required = false, secret = false, description = "How browsers reach the app. With https, cookies are sent over https alone and http is redirected." }
    DJANGO_EXTERNAL_HOST_NAME   = { required = true, secret = false, description = "Host name under which the running app is reached from outside." }
    DJANGO_EXTERNAL_PORT_NUM    = { required = false, secret = false, description = "Port under which the running app is reached from outside." }
    DJANGO_DB_HOST              = { required = true, secret = false, description = "Host name of the PostgreSQL server, or the directory of its Unix socket." }
    DJANGO_DB_PORT              = { required = false, secret = false, description = "Port of the PostgreSQL server." }
    DJANGO_DB_NAME              = { required = true, secret = false, description = "Name of the database." }
    DJANGO_DB_USER              = { required = true, secret = false, description = "Role that the app logs in as." }
    DJANGO_DB_PASS              = { required = true, secret = true, description = "Password of that role." }
    DJANGO_DB_SSLMODE           = { required = false, secret = false, description = "How far the connection to the database insists on TLS, in libpq's words. verify-full needs the server's root certificates in the image, in the file that PGSSLROOTCERT names." }
    DJANGO_DB_CONN_MAX_AGE      = { required = false, secret = false, description = "Seconds for which a database connection is kept between requests; 0 closes it after each." }
    DJANGO_LOG_LEVEL            = { required = false, secret = false, description = "Least severe level that is logged." }
  }

  written_here = !local.own_database ? {} : {
    DJANGO_DB_HOST = local.database_host
    DJANGO_DB_PORT = tostring(local.database_port)
    DJANGO_DB_NAME = var.database.name
    DJANGO_DB_USER = var.database.user
  }
}

resource "aws_ssm_parameter" "this" {
  # checkov:skip=CKV2_AWS_34: where the database is, is no secret; secrets are pushed as SecureString

  for_each = local.written_here

  name        = "${var.ssm_path}/${each.key}"
  description = local.registry[each.key].description
  type        = "String"
  value       = each.value
}
