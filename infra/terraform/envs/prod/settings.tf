# The environment of a worker, or of a command on your own machine: docs/reference/settings.md.

locals {
  settings = merge(
    {
      AWS_REGION = var.region
      # The alarms and the scaling live by them.
      MAILTUMBLE_CLOUDWATCH_METRICS = "on"
      MAILTUMBLE_PREFIX             = var.prefix
      MAILTUMBLE_REGION             = var.region
      MAILTUMBLE_CONFIGURATION_SET  = module.feedback.configuration_set
      MAILTUMBLE_INTAKE_QUEUE_URL   = module.mail_intake.queue_urls["intake"]
      MAILTUMBLE_SNS_TOPICS         = join(",", [module.mail_intake.topic_arn, module.feedback.topic_arn])
    },
    var.settings,
  )
}
