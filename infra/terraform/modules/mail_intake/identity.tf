# The recipients' domains: mail is received for them, and forwarded in their name.

locals {
  # info@house.example and .house.example (its subdomains) are of the domain house.example.
  domains = toset([
    for recipient in var.recipients : trimprefix(lower(reverse(split("@", recipient))[0]), ".")
  ])
  managed = {
    v1 = toset([for domain in local.domains : domain if var.manage_identities && var.ses_api == "v1"])
    v2 = toset([for domain in local.domains : domain if var.manage_identities && var.ses_api == "v2"])
  }

  identity_arns = {
    for domain in local.domains : domain => join(":", [
      "arn", data.aws_partition.current.partition, "ses", data.aws_region.current.name, local.account,
      "identity/${domain}",
    ])
  }
}

resource "aws_sesv2_email_identity" "this" {
  for_each = local.managed.v2

  email_identity = each.key

  dkim_signing_attributes {
    next_signing_key_length = "RSA_2048_BIT"
  }
}

resource "aws_sesv2_email_identity_mail_from_attributes" "this" {
  for_each = local.managed.v2

  email_identity         = aws_sesv2_email_identity.this[each.key].email_identity
  mail_from_domain       = "${var.mail_from_subdomain}.${each.key}"
  behavior_on_mx_failure = "USE_DEFAULT_VALUE" # a fault in DNS must not stop the mail
}

resource "aws_ses_domain_identity" "this" {
  for_each = local.managed.v1

  domain = each.key
}

resource "aws_ses_domain_dkim" "this" {
  for_each = local.managed.v1

  domain = aws_ses_domain_identity.this[each.key].domain
}

resource "aws_ses_domain_mail_from" "this" {
  for_each = local.managed.v1

  domain                 = aws_ses_domain_identity.this[each.key].domain
  mail_from_domain       = "${var.mail_from_subdomain}.${each.key}"
  behavior_on_mx_failure = "UseDefaultValue"
}

locals {
  dkim_tokens = merge(
    { for domain, made in aws_sesv2_email_identity.this : domain => made.dkim_signing_attributes[0].tokens },
    { for domain, made in aws_ses_domain_dkim.this : domain => made.dkim_tokens },
  )
  region = data.aws_region.current.name

  dns_records = flatten([
    for domain in local.domains : concat(
      [{
        name  = domain
        type  = "MX"
        value = "10 inbound-smtp.${local.region}.amazonaws.com"
        why   = "Mail to the domain goes to SES. The last record to set: the mail comes here from then on."
      }],
      # v1 verifies a domain by a record of its own, v2 by the DKIM records.
      [for made in [lookup(aws_ses_domain_identity.this, domain, null)] : {
        name  = "_amazonses.${domain}"
        type  = "TXT"
        value = made.verification_token
        why   = "SES verifies that the domain is yours."
      } if made != null],
      [for token in lookup(local.dkim_tokens, domain, []) : {
        name  = "${token}._domainkey.${domain}"
        type  = "CNAME"
        value = "${token}.dkim.amazonses.com"
        why   = "SES signs forwarded mail for the domain (DKIM), and verifies that it is yours."
      }],
      var.manage_identities ? [
        {
          name  = "${var.mail_from_subdomain}.${domain}"
          type  = "MX"
          value = "10 feedback-smtp.${local.region}.amazonses.com"
          why   = "Bounces of forwarded mail go to SES (custom MAIL FROM)."
        },
        {
          name  = "${var.mail_from_subdomain}.${domain}"
          type  = "TXT"
          value = "v=spf1 include:amazonses.com ~all"
          why   = "Forwarded mail passes SPF."
        },
      ] : [],
      [{
        name  = "_dmarc.${domain}"
        type  = "TXT"
        value = "v=DMARC1; p=none"
        why   = "Advice, where there is none yet: receivers report nothing and reject nothing. Tighten it to p=quarantine once DKIM passes."
      }],
    )
  ])
}
