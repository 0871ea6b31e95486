# A role for each process that calls AWS, with the calls that it makes and no others: a test compares this table with
# the code. The projector, the scheduler and webhooks make none.
locals {
  rights = {
    evaluation = {
      queue = ["sqs:GetQueueUrl", "sqs:SendMessage"]
    }
    consumer = {
      queue      = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
      dead_queue = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
      usage      = ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
      records    = ["dynamodb:BatchWriteItem"]
    }
    management = {
      usage   = ["dynamodb:Query"]
      records = ["dynamodb:Query"]
    }
    # It finds the queues and tables made. It asks DynamoDB to make them all the same, and is told that they are there.
    setup = {
      queue      = ["sqs:GetQueueUrl"]
      dead_queue = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
      usage      = ["dynamodb:CreateTable", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"]
      records    = ["dynamodb:CreateTable", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"]
    }
    # KEDA's operator asks how long the queue is.
    keda = {
      queue = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    }
  }

  resources = {
    queue      = aws_sqs_queue.evaluations.arn
    dead_queue = aws_sqs_queue.dead.arn
    usage      = aws_dynamodb_table.usage.arn
    records    = aws_dynamodb_table.records.arn
  }

  service_accounts = {
    for process in keys(local.rights) :
    process => process == "keda" ? var.keda_service_account : "${var.namespace}:${process}"
  }

  oidc_issuer = regex("oidc-provider/(.*)$", var.oidc_provider_arn)[0]
}

data "aws_iam_policy_document" "trust" {
  for_each = local.service_accounts

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.oidc_issuer}:sub"
      values   = ["system:serviceaccount:${each.value}"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.oidc_issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "rights" {
  for_each = local.rights

  dynamic "statement" {
    for_each = each.value

    content {
      actions   = statement.value
      resources = [local.resources[statement.key]]
    }
  }
}

resource "aws_iam_role" "process" {
  for_each = local.rights

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "process" {
  for_each = local.rights

  name   = "what-it-calls"
  role   = aws_iam_role.process[each.key].id
  policy = data.aws_iam_policy_document.rights[each.key].json
}
