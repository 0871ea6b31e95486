# What the processes are to keep to themselves, under the keys of the Kubernetes secret `togglemaster`. The
# administrator's key is not here: `togglemaster key` makes one.
resource "random_password" "secret" {
  length  = 64
  special = false
}

resource "aws_secretsmanager_secret" "settings" {
  name_prefix = "${var.name}-settings-"
}

resource "aws_secretsmanager_secret_version" "settings" {
  secret_id = aws_secretsmanager_secret.settings.id

  secret_string = jsonencode({
    "postgres-url" = "postgresql://${aws_db_instance.postgres.username}:${random_password.postgres.result}@${aws_db_instance.postgres.endpoint}/${aws_db_instance.postgres.db_name}?sslmode=require"
    "redis-url"    = "rediss://:${random_password.valkey.result}@${aws_elasticache_replication_group.valkey.primary_endpoint_address}:6379/0"
    "secret"       = random_password.secret.result
  })
}
