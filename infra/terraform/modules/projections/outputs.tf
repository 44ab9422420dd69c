output "names" {
  description = "Physical names of the tables, by short name."
  value       = { for name, table in aws_dynamodb_table.this : name => table.name }
}

output "arns" {
  description = "ARNs of the tables, by short name."
  value       = { for name, table in aws_dynamodb_table.this : name => table.arn }
}
