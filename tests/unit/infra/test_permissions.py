"""The file of permissions: about what there is, and without a grant that nobody accounts for."""

from __future__ import annotations

from mailtumble.definition import load_definition
from tests.permissions import read_permissions

WORKERS = {"core", "sender", "archive", "intake"}
WORDS_LEAST = 8


def _known() -> set[str]:
    defined = load_definition()
    names = {f"stream/{defined.stream.name}", "ses/identities", "ses/account"}
    names |= {f"table/{table.name}" for table in defined.tables}
    names |= {f"queue/{queue.name}" for queue in defined.queues}
    names |= {f"{kind}/{bucket}" for bucket in defined.buckets for kind in ("bucket", "objects")}
    return names


def test_each_worker_has_its_own() -> None:
    """No worker is forgotten, and none is there that doesn't run."""
    assert set(read_permissions()) == WORKERS


def test_every_resource_is_of_the_definition() -> None:
    """A misspelt one would be granted on nothing, or stop Terraform."""
    known = _known()
    strangers = {
        (worker, resource)
        for worker, permissions in read_permissions().items()
        for resource, _ in permissions.granted()
        if resource not in known | {f"leases/{worker}"}
    }
    assert strangers == set()


def test_every_action_is_named_whole() -> None:
    """No wildcard: it would grant what nobody has measured."""
    actions = {action for each in read_permissions().values() for _, action in each.granted()}
    assert [action for action in actions if "*" in action or ":" not in action] == []


def test_what_is_not_measured_has_a_reason_in_words() -> None:
    """And nothing is both measured and excused."""
    for permissions in read_permissions().values():
        assert not permissions.reasons.keys() & (permissions.calls | permissions.kcl_calls)
        for grant, reason in permissions.reasons.items():
            assert len(reason.split()) >= WORDS_LEAST, grant


def test_only_the_sender_sends() -> None:
    """With raw content v2's SendEmail asks for SendRawEmail as well; both are granted, to one."""
    permissions = read_permissions()
    senders = {
        worker: {action for resource, action in each.granted() if resource == "ses/identities"}
        for worker, each in permissions.items()
    }
    assert senders.pop("sender") == {"ses:SendEmail", "ses:SendRawEmail"}
    assert not any(senders.values())
