"""A hook reads what the engine has sealed, and what nobody knows yet is still unknown to it."""

from __future__ import annotations

import asyncio

from pulumi import Output, ResourceHookArgs
from pulumi.output import Unknown

from cutover.engine.unsealed import unsealed


def test_a_property_that_holds_a_secret_is_read_with_all_that_is_in_it() -> None:
    async def read() -> ResourceHookArgs:
        groups = [{"arn": Unknown(), "weight": 0}, {"arn": "old", "weight": 100}]
        actions = [{"authenticateOidc": {"clientSecret": "s"}}, {"forward": {"targetGroups": groups}}]
        sealed = {"actions": Output.secret(actions), "priority": 5}
        return await unsealed(ResourceHookArgs("urn", "id", "web-weighted", "rule", new_inputs=sealed))

    args = asyncio.run(read())
    assert args.new_inputs
    assert args.new_inputs["priority"] == 5
    new, old = args.new_inputs["actions"][1]["forward"]["targetGroups"]
    assert isinstance(new["arn"], Unknown)
    assert old == {"arn": "old", "weight": 100}
    assert (args.name, args.id, args.old_inputs, args.old_outputs) == ("web-weighted", "id", None, None)
