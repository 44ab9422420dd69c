"""LocalStack's process, as ``tools/localstack.sh start`` runs it: by LocalStack's own Python.

It leads a session of its own, so that a terminal's Ctrl-C doesn't reach it, and mends this:

- S3's large objects lie below ``TMPDIR``. LocalStack puts them into one fixed folder, where two
  instances would remove each other's buckets.
- SES's quota is a sandbox's, 1 mail a second and 200 a day. LOCALSTACK_SES_QUOTA gives another.
- SES deletes a receipt rule. Terraform's destroy needs it, and LocalStack answers 501.
- It runs on Python 3.12 too. LocalStack imports one name from a module that has it since 3.13.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

if not hasattr(warnings, "deprecated"):
    from typing_extensions import deprecated

    warnings.deprecated = deprecated

from localstack.runtime.main import main
from localstack.services.s3 import provider
from moto.core.responses import ActionResult, EmptyResult
from moto.ses import models, responses


def given_quota(backend: models.SESBackend) -> models.SESQuota:
    """SES's quota, as LOCALSTACK_SES_QUOTA gives it: mails a second and mails a day."""
    quota = models.SESQuota(backend.sent_message_count)
    rate, a_day = os.environ["LOCALSTACK_SES_QUOTA"].split("/")
    quota.max_send_rate, quota.max24_hour_send = float(rate), float(a_day)
    return quota


def delete_receipt_rule(request: responses.EmailResponse) -> ActionResult:
    """SES's DeleteReceiptRule; that a rule isn't there is no error (SES API reference)."""
    given = request._get_param  # noqa: SLF001 - moto's own way for what it doesn't have yet
    rule_set, name = (
        request.backend.describe_receipt_rule_set(given("RuleSetName")),
        given("RuleName"),
    )
    rule_set.rules = [rule for rule in rule_set.rules if rule["Name"] != name]
    return EmptyResult()


if __name__ == "__main__":
    if os.getsid(0) != os.getpid():
        os.setsid()
    responses.EmailResponse.delete_receipt_rule = delete_receipt_rule
    if os.environ.get("LOCALSTACK_SES_QUOTA"):
        models.SESBackend.get_send_quota = given_quota
    provider.DEFAULT_S3_TMP_DIR = str(Path(tempfile.gettempdir()) / "s3")
    main()
