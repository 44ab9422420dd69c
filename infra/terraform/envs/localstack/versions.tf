terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80, < 6.0"
    }
  }

  # The state of what is thrown away lies in a file; -backend-config="path=FILE" puts
  # it out of the checkout (see README.md).
  backend "local" {}
}
