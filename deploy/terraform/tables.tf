# As `togglemaster analytics setup` makes them: a test holds both together.
resource "aws_dynamodb_table" "usage" {
  name                        = "${var.name}-usage"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "part"
  range_key                   = "place"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "part"
    type = "S"
  }

  attribute {
    name = "place"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

resource "aws_dynamodb_table" "records" {
  name                        = "${var.name}-records"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "flag"
  range_key                   = "at_event"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "flag"
    type = "S"
  }

  attribute {
    name = "at_event"
    type = "S"
  }

  attribute {
    name = "subject_key"
    type = "S"
  }

  global_secondary_index {
    name            = "by_subject"
    hash_key        = "subject_key"
    range_key       = "at_event"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}
