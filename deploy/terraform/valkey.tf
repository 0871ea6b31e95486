# The ruleset that evaluators read. ElastiCache keeps no append-only file: what it loses the projector makes again
# from the log, and evaluators go on from memory and from their copies meanwhile. Lost for good is only when each key
# was last used.
resource "random_password" "valkey" {
  length  = 64
  special = false # it becomes part of a URL
}

resource "aws_elasticache_subnet_group" "valkey" {
  name       = var.name
  subnet_ids = var.private_subnet_ids
}

resource "aws_security_group" "valkey" {
  name        = "${var.name}-valkey"
  description = "Valkey of ToggleMaster, from the nodes"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "valkey" {
  security_group_id            = aws_security_group.valkey.id
  referenced_security_group_id = var.node_security_group_id
  from_port                    = 6379
  to_port                      = 6379
  ip_protocol                  = "tcp"
}

resource "aws_elasticache_parameter_group" "valkey" {
  name   = var.name
  family = "valkey${split(".", var.valkey_version)[0]}"

  parameter { # otherwise it would throw flags away when it is full; the projector refuses such a Redis
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "valkey" {
  replication_group_id       = var.name
  description                = "the ruleset of ToggleMaster"
  engine                     = "valkey"
  engine_version             = var.valkey_version
  node_type                  = var.valkey_node_type
  num_cache_clusters         = var.multi_az ? 2 : 1
  automatic_failover_enabled = var.multi_az
  multi_az_enabled           = var.multi_az
  port                       = 6379
  parameter_group_name       = aws_elasticache_parameter_group.valkey.name
  subnet_group_name          = aws_elasticache_subnet_group.valkey.name
  security_group_ids         = [aws_security_group.valkey.id]
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  auth_token                 = random_password.valkey.result
  snapshot_retention_limit   = 1
}
