variable "region" {
  description = "AWS region of everything here, and the one that the processes are told"
  type        = string
}

variable "name" {
  description = "what everything here is called, or begins with"
  type        = string
  default     = "togglemaster"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name is 2 to 31 small letters, digits and hyphens, and begins with a letter: databases take no others."
  }
}

variable "vpc_id" {
  description = "the VPC that the cluster is in"
  type        = string
}

variable "private_subnet_ids" {
  description = "subnets of the databases, in two zones at least, reachable from the nodes"
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids needs two subnets at least, in different zones: RDS and ElastiCache refuse one."
  }
}

variable "node_security_group_id" {
  description = "the security group of the nodes (or pods) that may talk to the databases"
  type        = string
}

variable "oidc_provider_arn" {
  description = "the cluster's IAM OIDC provider, which roles of service accounts trust"
  type        = string
}

variable "namespace" {
  description = "the namespace that deploy/kubernetes makes"
  type        = string
  default     = "togglemaster"
}

variable "keda_service_account" {
  description = "namespace and name of the service account of KEDA's operator, as its chart has it"
  type        = string
  default     = "keda:keda-operator"
}

variable "multi_az" {
  description = "a standby in another zone for PostgreSQL and Valkey; off costs half, and an outage of minutes when a zone fails"
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "refuses to delete the database and the tables; the log of events cannot be made again"
  type        = bool
  default     = true
}

variable "postgres_version" {
  description = "major version of PostgreSQL; the tests run on 18"
  type        = string
  default     = "18"
}

variable "postgres_instance_class" {
  description = "commands and lists are light: a guess to begin with"
  type        = string
  default     = "db.t4g.medium"
}

variable "postgres_gigabytes" {
  description = "disk to begin with; it grows to ten times this by itself"
  type        = number
  default     = 50
}

variable "backup_days" {
  description = "for how long PostgreSQL can be taken back to any moment"
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days is 1 to 35: RDS keeps none longer, and with 0 there is no backup of the log."
  }
}

variable "valkey_version" {
  description = "version of Valkey that ElastiCache has; its major version names the family of parameters"
  type        = string
  default     = "8.1"
}

variable "valkey_node_type" {
  description = "room for three rulesets, which a rebuild takes: a guess for 10,000 flags"
  type        = string
  default     = "cache.t4g.small"
}

variable "tags" {
  description = "tags of everything that takes any"
  type        = map(string)
  default     = {}
}
