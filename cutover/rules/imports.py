"""What is taken over as it stands: what may not differ, what may not stand in the state yet, how its owner lets go.

Pure, over properties as the provider has them. Refuses to own when it is asked (cutover/engine/import_hooks.py), and
which ids fit which names (settings/imports.py).

The engine imports whatever has the id that it is given, then changes it to what the program says, without a word; and
where the state has another id under the name, it deletes that one (seen on CLI 3.259.0).
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from cutover.rules.whose import controllers
from settings.imports import LISTENER_RULE, RECORD, kinds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.imports import Import

_LETTING_GO = {
    "terraform": (
        "In Terraform, apply `removed { from = ADDRESS  lifecycle { destroy = false } }` for each of them, in the run "
        "after this import: until then its next apply would take them back, the weights too"
    ),
    "cloudformation": (
        "In CloudFormation, set DeletionPolicy: Retain on each of them, update, then take them out of the template and "
        "update again: until then its next update would take them back, the weights too"
    ),
    "controller": (
        "The controller must have let go already, its tags off and its Ingress gone without it (docs/adoption.md has "
        "the order): one that still knows them deletes every rule that is not its own"
    ),
    "none": "Nobody keeps them, says the file, so there is nobody who has to let go",
}
_FILLED_IN = {"region"}  # by the provider, where the program names none

SAME_AGAIN = (
    "the update after its import says the same again: ELB told its one group twice, or a duration of a stickiness that "
    "is off, or nothing of the secret of a login, which is the file's from now on. No request is answered otherwise."
)


def told(wanted: Import) -> str:
    """Say what a run does while ``import`` stands, and how the former owner lets go."""
    return (
        f"import stands in the file: {', '.join(wanted.ids)} are taken over as they are, and this run may do nothing "
        f"else. {_LETTING_GO[wanted.former_owner]}. Once an update has passed, take import out again."
    )


def differences(identity: str, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return what an update right after the import would change, one line each; empty where it says the same again.

    Saying the same again is what a rule needs that forwards: of a single group ELB answers twice, alone and in a list,
    and the provider imports both; a stickiness that is off has a duration; and the secret of a login is told nobody.
    What the program does not name is told only where nothing that it names differs: mostly AWS filled that in.
    """
    before, after = _bare(live), _bare(wanted)
    named = [line for key in sorted(after) for line in _differing(key, before.get(key), after[key])]
    named += _retagged(identity, live.get("tagsAll") or {}, wanted.get("tagsAll") or {})
    if named:
        return named
    left = sorted(before.keys() - after.keys() - _FILLED_IN)
    if left or "actions" in wanted:
        return [line for key in left for line in _differing(key, before[key], None)]
    return ["the provider would change it, and does not say what: pulumi preview --diff shows what it compares"]


def refusal(name: str, identity: str, lines: list[str], tags: Mapping[str, str], owner: str) -> str:
    """Say that what is imported is not what the stack would make."""
    if keeper := controllers(tags):
        return (
            f"{name} is kept by {keeper} still, as its tags say. Both would change it. Let the controller go first "
            "(docs/adoption.md has the order), then import. Nothing was changed in AWS"
        )
    by = "" if owner == "none" else f" by {owner}"
    listed = "".join(f"\n  {line}" for line in lines)
    return (
        f"{name} ({identity}) is not as the stack would make it, so a change would follow its import:{listed}\n"
        f"  Write here, in the stack file, what is there, or change it there{by}. Nothing was changed in AWS. Where it "
        "is the stack's already, take import out of the file, and run the same again"
    )


def without_conditions(lines: list[str]) -> list[str]:
    """Return lines without the values of conditions, of which one holds the secret of previews."""
    sealed = "conditions: they differ; their values hold the secret of previews, and are not shown"
    return list(dict.fromkeys(sealed if line.startswith("conditions") else line for line in lines))


def _retagged(identity: str, live: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield how tags differ, with the commands that give a thing those that the stack would give it."""
    lacking = {key: value for key, value in wanted.items() if live.get(key) != value}
    more = [key for key in live if key not in wanted]
    of_elb = ":elasticloadbalancing:" in identity
    if lacking:
        tags = " ".join(shlex.quote(f"Key={key},Value={value}") for key, value in sorted(lacking.items()))
        command = f"elbv2 add-tags --resource-arns {identity}" if of_elb else f"ec2 create-tags --resources {identity}"
        yield f"tags: {', '.join(sorted(lacking))} are not there as here. aws {command} --tags {tags}"
    if more:
        keys = " ".join(shlex.quote(key if of_elb else f"Key={key}") for key in sorted(more))
        command = (
            f"elbv2 remove-tags --resource-arns {identity} --tag-keys"
            if of_elb
            else f"ec2 delete-tags --resources {identity} --tags"
        )
        yield f"tags: {', '.join(sorted(more))} are there and not here. aws {command} {keys}"


def beside(name: str) -> str:
    """Say that something would be made in the update that takes things over."""
    return (
        f"{name} would be made in the update that takes things over, and import allows nothing beside it. Add its id "
        "to import.ids if it stands, take what needs it out of the file until import is out again, or (a certificate) "
        "write certificateArn. Nothing was changed in AWS"
    )


def standing(wanted: Import, taken_over: frozenset[str], clusters: list[str], state: Mapping[str, Any]) -> list[str]:
    """Return why things may not be taken over while the state has what it has, by URN as the engine tells it."""
    known = {(urn.split("::")[2].rpartition("$")[2], urn.rpartition("::")[2]): one for urn, one in state.items()}
    found: list[str] = []
    for name, identity in wanted.ids.items():
        for kind in kinds_of(identity):
            had = _id_in(kind, known[kind, name]["outputs"]) if (kind, name) in known else identity
            if had != identity:
                found.append(
                    f"import.ids.{name} is {identity}, and the stack has {had} under that name. The engine would "
                    f"delete that one. Take {name} out of import, or give its route or load balancer away first: "
                    "cutover disown NAME"
                )
    previews = [
        (route, preview)
        for route in sorted(taken_over)
        for preview in (f"{route}-{cluster}-preview" for cluster in clusters)
        if (LISTENER_RULE, preview) in known and preview not in wanted.ids
    ]
    found += [
        f"import.ids names parts of {route}, and the stack has {preview} already. It would be deleted, since "
        "nothing of a route but what is imported is declared meanwhile. Give all of it away first: cutover disown "
        f"{route}"
        for route, preview in previews
    ]
    return found


def _id_in(kind: str, outputs: Mapping[str, Any]) -> str:
    if kind == RECORD:
        return f"{outputs.get('zoneId')}_{outputs.get('name')}_{outputs.get('type')}"
    arn = str(outputs.get("securityGroupRuleId") or outputs.get("arn") or "")
    return arn if ":elasticloadbalancing:" in arn else arn.rpartition("/")[2]


def _bare(value: Any) -> Any:
    """Return properties without what says nothing, and without tags, which are told apart."""
    if isinstance(value, dict):
        # The order of actions is that in which they stand in the list, and a secret is told nobody.
        silent = {"__defaults", "tags", "tagsAll", "order", "clientSecret"}
        silent |= {"duration"} if value.get("enabled") is False else set()
        silent |= {"targetGroupArn"} if "forward" in value else set()
        return {key: _bare(one) for key, one in value.items() if key not in silent and one != []}
    return [_bare(one) for one in value] if isinstance(value, list) else value


def _differing(path: str, live: Any, wanted: Any) -> Iterator[str]:
    if isinstance(live, dict) and isinstance(wanted, dict):
        for key in sorted({*live, *wanted}):
            yield from _differing(f"{path}.{key}", live.get(key), wanted.get(key))
    elif isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        if sorted(map(_shown, live)) != sorted(map(_shown, wanted)):
            for place, (one, other) in enumerate(zip(live, wanted, strict=True)):
                yield from _differing(f"{path}[{place}]", one, other)
    elif live != wanted:
        yield f"{path}: {_shown(live)} there, {_shown(wanted)} here"


def _shown(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return "nothing" if value is None else json.dumps(int(value) if whole else value, sort_keys=True)
