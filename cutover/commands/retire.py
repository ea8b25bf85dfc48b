"""`cutover retire KEY`: prove that nothing uses a cluster, take it out of the stack, and tell what it left behind.

Owns the order of the steps and what is asked and shown. Refuses to own the reasons against it (retire.py).

The order, and why: nothing is changed before the last reason is gone and the key is typed. Protection is lifted by an
`up` of its own, since the engine refuses to remove what the state protects. The plan is judged before the targets are
drained: drained targets come back by themselves only hours later, and until then nobody could go back. They are drained
before the removal is applied: a deleted binding deregisters them without waiting. Meanwhile somebody may go back to the
cluster: AWS is read at each look, and what was drained is registered again when that ends early. Up to there the stack
file is put back byte for byte when anything is wrong; from there on it stays edited, and the same command goes on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cutover.aws import usage
from cutover.aws.account import read
from cutover.aws.leftovers import Sweep, sweep
from cutover.aws.session import LiveError
from cutover.aws.writes import WriteError, Writes
from cutover.commands.confirmed import Confirmed
from cutover.commands.opened import opened
from cutover.commands.retire_shown import refuse, report, show, typed
from cutover.commands.terminal import (
    Code,
    FolderOption,
    JsonOption,
    StackOption,
    say,
    stop,
)
from cutover.ending import undisturbed
from cutover.rules import history
from cutover.rules import retire as rules
from cutover.rules.gate import REFUSES
from cutover.rules.judgement import Kind, drops_a_mesh, kind, touched, violations
from cutover.rules.missing import TARGETS
from cutover.rules.retire import Word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from cutover.aws.writes import Target
    from cutover.commands.opened import Opened
    from cutover.rules.run import Run

_DROP_THE_MESH = {"PULUMI_K8S_DELETE_UNREACHABLE": "true"}
_LOOK_SECONDS = 2.0
_LATE_SECONDS = 60.0  # that ELB may take beyond the deregistration delay


def retire(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The cluster, such as v1-35.")],
    stack: StackOption = None,
    folder: FolderOption = Path(),
    *,
    acknowledge: Annotated[
        list[Word] | None,
        typer.Option("--acknowledge", "-a", metavar="WORD", help="A reason that may be so. Can be given again."),
    ] = None,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="KEY", help="The cluster's key again, so it is not asked.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that nothing uses a cluster, take it away, and list what it left behind.

    Refused while anything speaks against it: each reason has numbers and a cure.
    Then its entries leave the stack file, the plan is judged, its targets are
    drained, and the plan is applied. Interrupted, run the same again.

    Example: cutover retire v1-35 -s prod --acknowledge jobs
    JSON: docs/json.md
    """
    with opened("retire", folder, stack, as_json=as_json) as here:
        its_project = here.project
        with its_project.alone():
            here.check_settled()
            file, settings, updates = its_project.content(), here.settings, its_project.history()
            if key not in settings.clusters and not history.known(updates, key, its_project.name):
                stop(
                    Code.USAGE,
                    f"There is no cluster {key} in {its_project.file_name}, and no update ever had one. Nothing was "
                    f"changed. There are {', '.join(settings.clusters)}",
                )
            entry = history.last_entry(updates, key, its_project.name)
            retirement = _Retirement(here, key, entry)
            zero_since = history.zero_since(updates, key, its_project.name)
            retirement.prove(zero_since, set(acknowledge or ()), as_json=as_json)
            goes = f"{key} will be {'taken out of the stack' if retirement.made_elsewhere else 'deleted'}"
            typed(key, goes, confirm)
            retirement.look_again(as_json=as_json)
            retirement.check_same(file)
            retirement.lift()
            deleted = retirement.remove()
        report(key, deleted, retirement.look_back(), as_json=as_json)
        if retirement.made_elsewhere:
            say("The cluster itself is its maker's, and stands as it was. Of it the stack has nothing any more.")


@dataclass
class _Retirement:
    here: Opened
    key: str
    entry: Mapping[str, Any]  # what the stack was last told of the cluster, which the file may have no more

    def __post_init__(self) -> None:
        past = None if self._in_file else self.entry.get("name") or self.entry.get("existing", {}).get("name")
        self._name = past or self.here.settings.eks_name(self.key)
        self._eks = usage.Usage(self.here.account).cluster(self._name)
        self._live = self.here.live
        self._writes = Writes(self.here.account, self.here.settings.owner)
        self._seen = read(self._live, self.here.settings, everything=True)
        self._found = self._seen.found
        self._unreachable = ""
        self._unchanged = "Nothing was changed"

    @property
    def _in_file(self) -> bool:
        return self.key in self.here.settings.clusters

    @property
    def made_elsewhere(self) -> bool:
        """Whether the cluster is somebody else's, and stays: only what the stack has in it goes."""
        return self.key in self.here.settings.existing_clusters or (not self._in_file and "existing" in self.entry)

    @property
    def _protected(self) -> bool:
        """Whether the stack file refuses the cluster's deletion."""
        own = self.here.settings.own_clusters.get(self.key)
        return bool(own and own.deletion_protection)

    @property
    def _dead_mesh(self) -> str | None:
        """The mesh that the cluster's own controller cannot take out of AWS, since nothing reaches its API."""
        if not self._unreachable or self.here.settings.mesh.kind == "none":
            return None
        return self.here.settings.mesh_name(self.key) if self._in_file else self.entry.get("meshName") or self._name

    def prove(self, zero_since: datetime | None, words: set[Word], *, as_json: bool) -> None:
        """End the command unless no reason is left but those that are acknowledged."""
        here = self.here.named
        asked, stays = (self.here.account, self._seen, self.key, self._name), self.made_elsewhere
        case = usage.case(*asked, stack=here, zero_since=zero_since, stays=stays)
        self._unreachable = case.unreachable
        if holding := rules.held(self._found, self.key, self.here.named):
            refuse(self.key, [holding], Code.BUSY, as_json=as_json)
        if lock := self.here.project.locked():
            stop(
                Code.BUSY,
                f"The state of {self.here.settings.stack} is locked by {lock}. Nothing was changed. "
                f"{lock.cure(self.here.named)}; then run the same again",
            )
        every = rules.reasons(case)
        if against := [reason for reason in every if reason.word not in words]:
            refuse(self.key, against, Code.REFUSED, as_json=as_json)
        for reason in every:
            say(f"Acknowledged: {reason.what}.")

    def look_again(self, *, as_json: bool) -> None:
        """End the command where GitOps, minutes later, has brought back what it had taken out of the cluster."""
        minutes = self.here.settings.retirement.look_again_minutes
        if not minutes or not rules.by_gitops(self.here.settings, self.key):
            return
        say(f"GitOps may bring bindings back, so its targets are looked for once more, in {minutes} min.")
        time.sleep(minutes * 60)
        self._seen = read(self._live, self.here.settings, everything=True)
        if back := list(rules.bound(self._seen, self.key)):
            refuse(self.key, back, Code.REFUSED, as_json=as_json)

    def check_same(self, file: bytes) -> None:
        """End the command if what it was proved on has changed while somebody thought about the answer."""
        Confirmed(file, self._found).check(self.here.project, self._live.find())

    def lift(self) -> None:
        """Apply what lifts the cluster's protection, which a shift of rules alone leaves on it, and nothing else."""
        if not self._in_file:
            return
        if self._unreachable:
            say(f"Where the Kubernetes API of {self.key} is silent, the engine waits 12 s for each object inside.")
        with self.here.project.tentative(say) as keep:
            if self._protected:
                self.here.project.write(f"clusters.{self.key}.deletionProtection", "false")
            plan = self._sound(self.here.project.preview())
            if any(not rules.lifts(step, self.key) for step in touched(plan)):
                stop(
                    Code.REFUSED,
                    f"The stack file says more than was applied ({plan.summary()}), so that the plan would not be of "
                    f"{self.key} alone. Nothing was changed. Apply that first (pulumi up -s {self.here.named}), "
                    "then run the same again",
                )
            keep()
        if touched(plan) or plan.kept:
            say(f"Lifting the protection of {self.key}.")
            self._applied(self.here.project.up())
            of_file = ", in the stack file too" if self._protected else ""
            self._unchanged = f"The protection of {self.key} is lifted{of_file}, and nothing else was changed"

    def remove(self) -> int:
        """Take the cluster out of file and AWS, and return how many resources were deleted."""
        variables = _DROP_THE_MESH if self._dead_mesh else {}
        with self.here.project.tentative(say) as keep, self.here.project.environment(variables):
            if self._in_file:
                self.here.project.remove(rules.keys(self.here.settings, self.key))
            judged = self.here.project.content()
            plan = self._sound(self.here.project.preview())
            own = replace(plan, steps=tuple(step for step in plan.steps if not drops_a_mesh(step)))
            if not touched(own):
                keep()
                return self._settled(plan)
            if kind(own) is not Kind.RETIRE:
                stop(
                    Code.REFUSED,
                    f"The plan is no retirement but {kind(own)} ({plan.summary()}). {self._unchanged}. See what "
                    f"else the stack file wants (pulumi preview -s {self.here.named}), apply that first, then run "
                    "the same again",
                )
            show(plan)
            drained = self._drain()
            if self.here.project.content() != judged:
                self._register(drained)
                stop(
                    Code.BUSY,
                    f"{self.here.file_name} has been edited since its plan was judged, so that was not applied. "
                    f"{self._unchanged}. Run the same again",
                )
            keep()
        with self.here.project.environment(variables):
            try:
                run = self.here.project.up()
            except KeyboardInterrupt:
                self._give_back(drained)
                raise
            if run.failure:
                self._give_back(drained)
            self._applied(run)
        if variables:
            self._settled(run)
        return sum(step.op == "delete" for step in run.steps)

    def look_back(self) -> Sweep:
        """Look for what the cluster left behind; one that stays leaves nothing."""
        self._forget()
        if self.made_elsewhere:
            return Sweep((), ())
        issuer = (self._eks or {}).get("identity", {}).get("oidc", {}).get("issuer")
        return sweep(self.here.account, self._name, issuer, self._dead_mesh)

    def _forget(self) -> None:
        """Take away what probes saw in the cluster: another may have its key one day."""
        try:
            self._writes.forget(self.key, [name for name, route in self.here.settings.routes.items() if route.probes])
        except WriteError as error:
            say(f"What probes saw in {self.key} is still written down in SSM: {error}", "yellow")

    def _settled(self, run: Run) -> int:
        """Take back from the clusters that stay what dropped the mesh, if it is still on them."""
        if touched(run):
            say("Once more, so that no other cluster's objects are dropped when its API does not answer.")
            self._applied(self.here.project.up())
        return 0

    def _sound(self, plan: Run) -> Run:
        """End the command if a plan failed, or would do to others what it may not."""
        if plan.failure:
            code = Code.REFUSED if REFUSES in plan.failure else Code.FAILED
            stop(
                code,
                f"{plan.failure.rstrip()}\nThe plan failed. {self._unchanged}. Mend that, then run the same again",
            )
        if broken := violations(plan, self._found.serving, set(self._found.rules)):
            listed = "\n  ".join(str(violation) for violation in broken)
            stop(Code.REFUSED, f"{self._unchanged}. The plan may not be applied:\n  {listed}")
        return plan

    def _applied(self, run: Run) -> Run:
        if run.failure:
            stop(
                Code.FAILED,
                f"{run.failure.rstrip()}\nThe update stopped halfway: what was done stays done. Mend what it says, "
                f"then run the same again; it goes on from there: cutover retire {self.key} -s {self.here.named}",
            )
        return run

    def _drain(self) -> Mapping[str, list[Target]]:
        """Drain the cluster's targets and return them; where that ends early, they are registered again."""
        groups = [arn for arn, group in self._found.groups.items() if group.cluster == self.key]
        try:
            targets = self._writes.registered(groups)
            self._check_idle()
            try:
                self._writes.drain(targets)
                self._wait(groups)
            except BaseException:
                with undisturbed():
                    self._register(targets)
                raise
        except WriteError as error:
            stop(Code.FAILED, f"The targets of {self.key} could not be drained: {error}. Run the same again")
        return targets

    def _wait(self, groups: Sequence[str]) -> None:
        """Wait until nothing drains any more, and nobody has gone back to the cluster."""
        delays = (route.deregistration_delay for route in self.here.settings.routes.values())
        patience = max(delays, default=0) + _LATE_SECONDS
        end = time.monotonic() + patience
        while left := self._writes.draining(groups):
            self._check_idle()
            if time.monotonic() > end:
                stop(
                    Code.FAILED,
                    f"{left} targets of {self.key} are still draining after {patience:.0f} s. The stack file is as "
                    "it was. Run the same again",
                )
            say(f"{left} targets of {self.key} finish their requests.")
            time.sleep(_LOOK_SECONDS)
        self._check_idle()

    def _check_idle(self) -> None:
        if reason := rules.needed(self._live.find(), self.key, self.here.named):
            stop(
                Code.BUSY,
                f"Somebody has gone back to {self.key} meanwhile, so it stays, and the stack file is as it was: "
                f"{reason}",
            )

    def _give_back(self, targets: Mapping[str, list[Target]]) -> None:
        """Give the cluster its targets again where somebody has gone back to it while its removal failed."""
        try:
            found = self._live.find()
        except LiveError as error:
            say(f"Nothing tells whether somebody has gone back to {self.key}: {error}", "yellow")
            return
        if reason := rules.needed(found, self.key, self.here.named):
            say(f"Somebody has gone back to {self.key} meanwhile: {reason}", "yellow")
            self._register({group: every for group, every in targets.items() if group in found.groups})

    def _register(self, targets: Mapping[str, list[Target]]) -> None:
        try:
            self._writes.register(targets)
        except WriteError as error:
            say(
                f"Of the targets of {self.key}, some could not be registered again ({error}); the others are. "
                f"Its controller does so when it begins anew: {TARGETS}",
                "red",
            )
        else:
            say(f"The targets of {self.key} are registered again.", "yellow")
