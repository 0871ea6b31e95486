"""Events become answers: the Redis ruleset, the catalogue in PostgreSQL, the usage tables in DynamoDB."""
