output "names" {
  description = "Physical names of the KCL's tables."
  value       = sort([for table in aws_dynamodb_table.this : table.name])
}
