output "bucket" {
  description = "Name of the archive's bucket."
  value       = aws_s3_bucket.archive.bucket
}

output "bucket_arn" {
  description = "ARN of the archive's bucket."
  value       = aws_s3_bucket.archive.arn
}
