# --- network --------------------------------------------------------------------------------------------------------

variable "vpc_cidr" {
  description = "Addresses of the VPC that is made: a /16 to /20."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && tonumber(try(split("/", var.vpc_cidr)[1], 0)) >= 16 && tonumber(try(split("/", var.vpc_cidr)[1], 99)) <= 20
    error_message = "vpc_cidr is a block of IPv4 addresses from /16 to /20, such as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Letters of the availability zones that the VPC spans. Written out, so that none comes or goes by itself; only add at the end."
  type        = list(string)
  default     = ["a", "b"]

  validation {
    condition     = contains([2, 3], length(distinct(var.zones))) && length(distinct(var.zones)) == length(var.zones) && alltrue([for letter in var.zones : can(regex("^[a-z]$", letter))])
    error_message = "zones are two or three different letters, such as [\"a\", \"b\"]: a load balancer needs two."
  }
}

variable "existing_network" {
  description = "A VPC that exists, to be used instead of making one. Its private subnets need their own way to AWS and, for the build of the rehearsal, to a package index. outbound_cidrs: the addresses that they come from on the Internet; needed unless the load balancer is internal."
  type = object({
    vpc_id             = string
    public_subnet_ids  = list(string)
    private_subnet_ids = list(string)
    outbound_cidrs     = optional(list(string), [])
  })
  default = null

  validation {
    condition = var.existing_network == null ? true : (
      startswith(var.existing_network.vpc_id, "vpc-")
      && length(var.existing_network.public_subnet_ids) >= 2
      && length(var.existing_network.private_subnet_ids) >= 2
    )
    error_message = "existing_network names a vpc-..., and at least two subnets of each kind, in different zones."
  }

  validation {
    condition     = var.existing_network == null ? true : var.internal || length(var.existing_network.outbound_cidrs) > 0
    error_message = "The hook asks a load balancer on the Internet by its public address, and nothing lets it in: set existing_network.outbound_cidrs to what its private subnets come from, such as [\"203.0.113.10/32\"], or internal = true."
  }
}

variable "private_egress" {
  description = "How private subnets of the VPC that is made reach AWS: one NAT gateway (nat), one in each zone (nat-per-zone), or interface endpoints alone (endpoints), with no way to the Internet."
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["nat", "nat-per-zone", "endpoints"], var.private_egress)
    error_message = "private_egress is nat, nat-per-zone or endpoints."
  }

  validation {
    condition     = var.private_egress != "endpoints" || var.internal
    error_message = "With private_egress = endpoints the hook has no way to a load balancer on the Internet: set internal = true."
  }

  validation {
    condition     = var.private_egress != "endpoints" || can(regex("^[0-9]{12}\\.dkr\\.ecr\\.${var.region}\\.", var.bootstrap_image))
    error_message = "With private_egress = endpoints no public registry is reached, and ECR in this region alone: set bootstrap_image to one there."
  }
}

# --- load balancer --------------------------------------------------------------------------------------------------

variable "internal" {
  description = "Whether the load balancer stands in the private subnets, for clients of the VPC and its peers alone."
  type        = bool
  default     = false
}

variable "certificate_arn" {
  description = "ARN of the certificate (ACM) for host_name. Without one both listeners speak plain http: for a trial, and with DJANGO_EXTERNAL_PROTOCOL=http."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null ? true : can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn is one of ACM: arn:aws:acm:REGION:ACCOUNT:certificate/ID."
  }
}

variable "host_name" {
  description = "Name under which browsers reach the app, which leads to the load balancer. Without one, the load balancer's own is used."
  type        = string
  default     = null

  validation {
    condition     = var.host_name == null ? true : can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", var.host_name))
    error_message = "host_name is a name such as ledger.example.com, without protocol and port."
  }

  validation {
    condition     = var.certificate_arn == null || var.host_name != null
    error_message = "With certificate_arn, host_name says which of its names the app is reached by."
  }
}

variable "client_cidrs" {
  description = "Addresses that may reach the production listener."
  type        = list(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = alltrue([for cidr in var.client_cidrs : can(cidrhost(cidr, 0))])
    error_message = "client_cidrs are blocks of IPv4 addresses, such as 203.0.113.0/24."
  }
}

variable "test_cidrs" {
  description = "Addresses that may reach the test listener, and so green before it gets traffic, beside the hook's own."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.test_cidrs : can(cidrhost(cidr, 0)) && cidr != "0.0.0.0/0"])
    error_message = "test_cidrs are blocks of IPv4 addresses, such as 203.0.113.7/32, and never the whole Internet."
  }
}
