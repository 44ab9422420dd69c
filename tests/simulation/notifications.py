"""What SES puts onto the queue: mails it took in, and what became of those it sent.

Shapes: SES developer guide, "Contents of notifications for Amazon SES email receiving" and
"Examples of event data that Amazon SES publishes to Amazon SNS".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from schemas.values import SECOND_US

if TYPE_CHECKING:
    from mailtumble.ports.world import OutgoingMail

_FIELDS: Final = {
    "Send": "send",
    "Delivery": "delivery",
    "DeliveryDelay": "deliveryDelay",
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Reject": "reject",
}


def received(name: str, recipient: str, subject: str, bucket: str, at: int) -> str:
    """SES took the mail ``name`` in for ``recipient``; its bytes lie under ``inbound/``."""
    return json.dumps(
        {
            "notificationType": "Received",
            "mail": {
                "timestamp": _iso(at),
                "source": "somebody@elsewhere.example",
                "messageId": name,
                "commonHeaders": {"subject": subject},
            },
            "receipt": {
                "timestamp": _iso(at),
                "recipients": [recipient],
                "action": {"type": "S3", "bucketName": bucket, "objectKey": f"inbound/{name}"},
            },
        }
    )


def feedback(kind: str, mail: OutgoingMail, message_id: str, at: int) -> str:
    """SES's event of this kind about a mail that it accepted under ``message_id``."""
    detail = {
        "timestamp": _iso(at),
        "bounceType": "Permanent",
        "feedbackId": f"{kind}-{message_id}",
    }
    return json.dumps(
        {
            "eventType": kind,
            "mail": {
                "timestamp": _iso(at),
                "messageId": message_id,
                "tags": {name: [value] for name, value in mail.tags.items()},
            },
            _FIELDS[kind]: detail,
        }
    )


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND_US, UTC).isoformat(timespec="milliseconds")
