output "image_repository" {
  description = "where the image goes, and newName in the overlay"
  value       = aws_ecr_repository.image.repository_url
}

output "settings" {
  description = "overlays/production/settings.env"
  value = join("", [
    for name, value in {
      TOGGLEMASTER_AWS_REGION    = var.region
      TOGGLEMASTER_QUEUE_NAME    = aws_sqs_queue.evaluations.name
      TOGGLEMASTER_RECORDS_TABLE = aws_dynamodb_table.records.name
      TOGGLEMASTER_USAGE_TABLE   = aws_dynamodb_table.usage.name
    } : "${name}=${value}\n"
  ])
}

output "service_accounts" {
  description = "overlays/production/service-accounts.yaml"
  value = join("---\n", [
    for process, role in aws_iam_role.process : yamlencode({
      apiVersion = "v1"
      kind       = "ServiceAccount"
      metadata = {
        name        = process
        annotations = { "eks.amazonaws.com/role-arn" = role.arn }
      }
    }) if process != "keda"
  ])
}

output "keda_role" {
  description = "the role of KEDA's operator"
  value       = aws_iam_role.process["keda"].arn
}

output "secret" {
  description = "the secret in Secrets Manager that becomes the Kubernetes secret"
  value       = aws_secretsmanager_secret.settings.arn
}
