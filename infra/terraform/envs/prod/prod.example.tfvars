# The variables of one deployment. Copy this file to prod.tfvars and replace every value.
region     = "eu-central-1"
prefix     = "mailtumble-example"
recipients = ["house.example"]

# false until everything else is ready; then true, for good. Every apply repeats what stands here.
activate_rule_set = false

image      = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mailtumble@sha256:0000000000000000000000000000000000000000000000000000000000000000"
vpc_id     = "vpc-0123456789abcdef0"
subnet_ids = ["subnet-0123456789abcdef0", "subnet-0fedcba9876543210"]

secrets = {
  MAILTUMBLE_ADDRESS_KEY = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mailtumble/address-key-AbCdEf"
}

alarm_actions = ["arn:aws:sns:eu-central-1:123456789012:people"]
