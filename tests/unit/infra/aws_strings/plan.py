"""The strings of a plan, as ``terraform show -json`` prints it, judged by the rules.

A value is *configured* if the configuration says something about its attribute; what nobody
configures and what is not known before the apply is an output of AWS's, such as an ARN, and does
not reach AWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.unit.infra.aws_strings.rule import Attributes, Map, Rule

POLICY_DOCUMENT: Final = "aws_iam_policy_document"
"""The one data source whose strings reach AWS: as the policies of resources."""


@dataclass(slots=True)
class Findings:
    """What a judgement of plans has found."""

    faults: list[str] = field(default_factory=list)
    judged: set[tuple[str, str]] = field(default_factory=set)
    """The type and path of every attribute that was checked, or that is known after the apply."""
    deferred: set[tuple[str, str]] = field(default_factory=set)
    """Configured attributes whose values are known only after the apply."""


@dataclass(frozen=True, slots=True)
class _Resource:
    address: str
    type: str
    known: dict[str, Any]
    unknown: dict[str, Any]
    expressions: dict[str, Any]


def judge(
    plan: Mapping[str, Any],
    table: Mapping[str, Attributes],
    after_apply: Mapping[str, Mapping[str, str]],
    findings: Findings,
) -> None:
    """Check every string of a plan that reaches AWS.

    Args:
        plan: the JSON of ``terraform show -json PLAN``.
        table: rules by resource type and attribute path.
        after_apply: configured attributes whose values only an apply knows, by resource type and
            path, each with the reason.
        findings: collects faults, and what was met.
    """
    for resource in _resources(plan):
        rules = table.get(resource.type)
        if rules is None:
            findings.faults.append(f"{resource.address}: no rules for the type {resource.type}")
            continue
        _judge_known(resource, rules, findings)
        listed = after_apply.get(resource.type, {})
        for path in _unknown(resource.unknown, resource.expressions):
            findings.judged.add((resource.type, path))
            findings.deferred.add((resource.type, path))
            if path not in listed:
                findings.faults.append(
                    f"{resource.address}: {path} is known only after the apply: list it with a "
                    "reason, or make it known"
                )


def _judge_known(resource: _Resource, rules: Attributes, findings: Findings) -> None:
    for path, rule, value in _strings(resource.known, rules):
        findings.judged.add((resource.type, path))
        if rule is None:
            findings.faults.append(f"{resource.address}: no rule for {path} ({value!r})")
        elif (fault := rule.fault(value)) is not None:
            findings.faults.append(f"{resource.address}: {path} {value!r} {fault} ({rule.source})")


def _resources(plan: Mapping[str, Any]) -> Iterator[_Resource]:
    expressions = dict(_expressions(plan["configuration"]["root_module"], ""))
    for each in plan["resource_changes"]:
        change = each["change"]
        reaches_aws = each["mode"] == "managed" or each["type"] == POLICY_DOCUMENT
        if reaches_aws and change["after"] is not None:
            yield _Resource(
                each["address"],
                each["type"],
                change["after"],
                change["after_unknown"],
                expressions[_without_index(each["address"])],
            )


def _expressions(module: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in module.get("resources", []):
        yield prefix + each["address"], each.get("expressions", {})
    for name, call in module.get("module_calls", {}).items():
        yield from _expressions(call["module"], f"{prefix}module.{name}.")


def _without_index(address: str) -> str:
    kept, depth = [], 0
    for character in address:
        depth += character == "["
        if not depth:
            kept.append(character)
        depth -= character == "]"
    return "".join(kept)


def _strings(
    value: Any,  # noqa: ANN401 - JSON
    rules: Attributes,
    path: str = "",
) -> Iterator[tuple[str, Rule | None, str]]:
    rule = rules.get(path)
    if isinstance(value, str):
        yield path, None if isinstance(rule, Map) else rule, value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each, rules, f"{path}[]")
    elif isinstance(value, dict) and isinstance(rule, Map):
        for key, each in value.items():
            yield path, rule.key, key
            yield path, rule.value, each
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _strings(each, rules, f"{path}.{key}" if path else key)


def _unknown(marks: Any, expressions: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield the paths of what is configured, and known only after the apply."""
    if marks is True:
        yield path
    elif isinstance(marks, list):
        # A block that is written once is one mapping of expressions, or one in a list.
        inner = expressions[0] if isinstance(expressions, list) and expressions else expressions
        for each in marks:
            yield from _unknown(each, inner, f"{path}[]")
    elif isinstance(marks, dict):
        for key, each in marks.items():
            deeper = f"{path}.{key}" if path else key
            if not isinstance(expressions, dict) or "references" in expressions:
                yield from _unknown(each, expressions, deeper)  # no telling: taken as configured
            elif key in expressions:
                yield from _unknown(each, expressions[key], deeper)
