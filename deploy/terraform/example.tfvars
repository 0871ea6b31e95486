region                 = "us-east-1"
vpc_id                 = "vpc-0123456789abcdef0"
private_subnet_ids     = ["subnet-0123456789abcdef0", "subnet-0fedcba9876543210"]
node_security_group_id = "sg-0123456789abcdef0"
oidc_provider_arn      = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
