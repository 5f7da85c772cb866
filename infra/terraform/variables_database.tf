variable "existing_database" {
  description = "A PostgreSQL that exists, to be used instead of making one, and the security group that guards it (this opens it to the app and the rehearsal)."
  type = object({
    host              = string
    port              = optional(number, 5432)
    security_group_id = string
  })
  default = null

  validation {
    condition     = var.existing_database == null ? true : startswith(var.existing_database.security_group_id, "sg-")
    error_message = "existing_database.security_group_id is a sg-..."
  }
}

variable "database" {
  description = "The PostgreSQL that is made. Sizes are in GiB; storage grows by itself up to most_storage."
  type = object({
    version           = optional(string, "17")
    instance_class    = optional(string, "db.t4g.medium")
    storage           = optional(number, 50)
    most_storage      = optional(number, 200)
    multi_az          = optional(bool, true)
    backup_days       = optional(number, 14)
    name              = optional(string, "ledger")
    user              = optional(string, "ledger")
    final_snapshot    = optional(bool, true)
    apply_immediately = optional(bool, false)
  })
  default = {}

  validation {
    condition     = can(regex("^1[4-8](\\.[0-9]+)?$", var.database.version))
    error_message = "database.version is a PostgreSQL from 14 to 18."
  }

  validation {
    condition     = var.database.storage >= 20 && var.database.most_storage >= var.database.storage && var.database.most_storage <= 65536
    error_message = "database.storage is 20 GiB or more, most_storage no less than that and at most 65536."
  }

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days is 1 to 35: without a backup there is no way back."
  }

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database.name)) && can(regex("^[a-z][a-z0-9_]{0,62}$", var.database.user)) && !contains(["postgres", "rdsadmin", "admin"], var.database.user)
    error_message = "database.name and database.user have small letters, digits and _, a letter first; RDS keeps postgres, admin and rdsadmin for itself."
  }
}

variable "database_password" {
  description = "Password of database.user, the same as DJANGO_DB_PASS in SSM. Needed for every plan: the provider wants it beside its version, and sends it when the database is made and when database_password_version changes. It is written and never read back, and stands in no state; a plan that is saved holds it until it is applied. Give it as TF_VAR_database_password."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.database_password != null || var.existing_database != null
    error_message = "database_password is missing: give the database's password as TF_VAR_database_password, the first one before it is made, later the same as DJANGO_DB_PASS in SSM."
  }

  validation {
    condition     = var.database_password == null ? true : can(regex("^[!#-.0-?A-~]{16,128}$", var.database_password))
    error_message = "database_password has 16 to 128 printable characters, and none of / @ \" or space, which RDS refuses."
  }
}

variable "database_password_version" {
  description = "Raise it to set database_password anew."
  type        = number
  default     = 1
}
