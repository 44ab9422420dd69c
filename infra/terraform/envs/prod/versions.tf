terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 6.0"
    }
  }

  # Which bucket is the deployment's own affair: terraform init -backend-config=FILE
  # (see README.md). The lock is an object beside the state.
  backend "s3" {
    key          = "mailtumble/prod.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}
