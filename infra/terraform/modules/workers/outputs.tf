output "cluster" {
  description = "Name of the ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "services" {
  description = "Names of the ECS services, by worker."
  value       = { for name, service in aws_ecs_service.worker : name => service.name }
}

output "role_arns" {
  description = "ARNs of the workers' roles, by worker."
  value       = { for name, role in aws_iam_role.worker : name => role.arn }
}

output "log_groups" {
  description = "Names of the log groups, by worker."
  value       = { for name, group in aws_cloudwatch_log_group.worker : name => group.name }
}

output "security_group_id" {
  description = "The workers' security group: to let them in at VPC endpoints."
  value       = aws_security_group.workers.id
}
