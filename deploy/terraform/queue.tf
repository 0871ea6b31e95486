# As `togglemaster analytics setup` makes them: a test holds both together.
resource "aws_sqs_queue" "evaluations" {
  name                       = "${var.name}-evaluations"
  visibility_timeout_seconds = 30
  message_retention_seconds  = 1209600 # 14 days, the longest there is
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-evaluations-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.evaluations.arn]
  })
}
