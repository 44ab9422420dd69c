"""SES: does mail come in, may it go out, and is it heard what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mailtumble.doctor.findings import APPLY, Finding, Mark, Setup, fail, ok, warn
from mailtumble.ports.survey import Destination, ReceiptRule, RuleSet

QUOTA_WARN: Final = 0.9
EVENTS: Final = frozenset({"DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"})
"""Without these an outcome that nobody knows is never settled, and no address is suppressed."""
SIGNED: Final = "SUCCESS"
DOMAINS_MAX: Final = 20
"""So many identities are looked at; SES answers one call a second in the long run."""
PRODUCTION: Final = (
    "ask for production access: SES console, Account dashboard, or aws sesv2 put-account-details"
)


def receiving(setup: Setup) -> Iterator[Finding]:
    """The active rule set has a rule that stores mail in our bucket and tells our topic."""
    for finding in _receiving(setup, setup.survey.active_rule_set()):
        yield _for_emulators(setup, finding)


def _receiving(setup: Setup, active: RuleSet | None) -> Iterator[Finding]:
    part, name = "receipt rules", setup.definition.ses.rule_set
    if active is None:
        yield fail(
            part,
            "no receipt rule set is active: SES receives nothing",
            f"terraform apply, then aws ses set-active-receipt-rule-set --rule-set-name {name}",
        )
        return
    ours = [rule for rule in active.rules if _is_ours(setup, rule)]
    if not ours:
        yield fail(
            part,
            f"no rule of {active.name} puts mail into {setup.named('mail')} and tells the topic"
            f" {setup.named('inbound')}",
            f"make the rule set {name} the active one, or add the rule to {active.name}",
        )
    elif not any(rule.enabled for rule in ours):
        yield fail(part, f"the rule {ours[0].name} of {active.name} is off", "enable the rule")
    else:
        domains = ", ".join(ours[0].recipients) or "every verified domain"
        yield ok(part, f"{active.name}: {ours[0].name} takes mail for {domains}")


def _is_ours(setup: Setup, rule: ReceiptRule) -> bool:
    topic = rule.topic_arn.rpartition(":")[2]
    return rule.bucket == setup.named("mail") and topic == setup.named("inbound")


def feedback(setup: Setup) -> Iterator[Finding]:
    """The configuration set tells our topic what becomes of mail."""
    part, name = "configuration set", setup.settings.configuration_set
    if not name:
        yield fail(
            part,
            "the setting configuration_set is empty: bounces are never heard of",
            "set MAILTUMBLE_CONFIGURATION_SET",
        )
        return
    finding = _feedback(setup, name, setup.survey.destinations(name))
    yield _for_emulators(setup, finding)


def _feedback(setup: Setup, name: str, found: tuple[Destination, ...] | None) -> Finding:
    part, topic = "configuration set", setup.named("feedback")
    if found is None:
        return fail(part, f"there is no configuration set {name}: every send is refused", APPLY)
    ours = [each for each in found if each.topic_arn.rpartition(":")[2] == topic and each.enabled]
    if not ours:
        return fail(
            part,
            f"{name} tells the topic {topic} nothing",
            f"add an event destination for {topic} (terraform apply)",
        )
    missing = EVENTS - frozenset().union(*(each.events for each in ours))
    if missing:
        return fail(
            part,
            f"{name} does not tell of {', '.join(sorted(missing))}",
            f"add them to the event destination {ours[0].name} (terraform apply)",
        )
    return ok(part, f"{name} tells {topic}")


def identities(setup: Setup) -> Iterator[Finding]:
    """SES may send for the domain of every alias, and signs."""
    aliases = [entry.alias for entry in setup.aliases().list()]
    domains = sorted({alias.rpartition("@")[2] for alias in aliases})
    if not domains:
        yield warn(
            "identities",
            "there is no alias: all mail is unroutable",
            "add one: mailtumble aliases add info@house.example you@example.com",
        )
    for domain in domains[:DOMAINS_MAX]:
        yield _for_emulators(setup, _identity(setup, domain))
    if len(domains) > DOMAINS_MAX:
        left = len(domains) - DOMAINS_MAX
        yield ok("identities", f"{left} more domains of aliases were not looked at")


def _identity(setup: Setup, domain: str) -> Finding:
    part, found = f"identity {domain}", setup.survey.identity(domain)
    if found is None:
        return fail(
            part,
            "SES does not know the domain: mail from its aliases is refused",
            f"verify it: add {domain} to Terraform's recipients, or aws sesv2"
            f" create-email-identity --email-identity {domain}",
        )
    if not found.verified:
        return fail(
            part,
            f"not verified (DKIM: {found.dkim or 'none'})",
            "put the CNAME records for DKIM into the domain's DNS (Terraform's outputs list them)",
        )
    if found.dkim != SIGNED:
        return warn(
            part,
            f"verified, but mail is not signed (DKIM: {found.dkim or 'none'})",
            "put the CNAME records for DKIM into the domain's DNS (Terraform's outputs list them)",
        )
    return ok(part, "verified, DKIM signs")


def sending(setup: Setup) -> Iterator[Finding]:
    """Out of the sandbox, enabled, with quota left."""
    account = setup.survey.account()
    if account.enabled is False:
        yield fail(
            "sending",
            "SES has paused the account's sending",
            "see the SES console, Account dashboard, Reputation metrics, for the reason",
        )
    if account.production is False:
        yield _for_emulators(
            setup,
            fail("sandbox", "SES sends to verified addresses only: the account is new", PRODUCTION),
        )
    quota = f"{account.max_send_rate:g} a second, {account.max_24h:g} in 24 hours"
    if account.max_24h < 0:  # "unlimited", SES API reference, SendQuota
        yield ok("quota", f"{account.max_send_rate:g} a second, no limit in 24 hours")
    elif account.sent_24h >= QUOTA_WARN * account.max_24h:
        yield warn(
            "quota",
            f"{quota}, of which {account.sent_24h:g} are used",
            "ask for more in the Service Quotas console; mail beyond waits for its turn",
        )
    else:
        yield ok("quota", f"{quota}, of which {account.sent_24h:g} are used")


def _for_emulators(setup: Setup, finding: Finding) -> Finding:
    """Only the real SES receives by rules, and knows domains: elsewhere nothing hangs on it."""
    if finding.mark is not Mark.FAIL or not setup.survey.is_emulated("SESV2"):
        return finding
    return warn(finding.part, finding.told, "nothing with this emulator; on AWS: " + finding.todo)
