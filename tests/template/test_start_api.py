"""events/start-api.yaml is the review function of template.yaml, with the same routes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.template.cloudformation import Loader, load, of_type, resources

ROOT = Path(__file__).parents[2]


def start_api() -> Any:
    return yaml.load((ROOT / "events/start-api.yaml").read_text(), Loader)  # noqa: S506  a SafeLoader


def test_sam_local_serves_the_routes_that_are_deployed() -> None:
    deployed = {route["RouteKey"] for route in of_type(load(), "ApiGatewayV2::Route").values()}
    events = resources(start_api())["ReviewFunction"]["Properties"]["Events"].values()
    assert {f"{one['Properties']['Method']} {one['Properties']['Path']}" for one in events} == deployed


def test_sam_local_runs_the_function_that_is_deployed() -> None:
    template = load()
    shared, ours = template["Globals"]["Function"], resources(template)["ReviewFunction"]["Properties"]
    theirs = resources(start_api())["ReviewFunction"]["Properties"]
    assert (ROOT / "events" / theirs["CodeUri"]).resolve() == (ROOT / ours["CodeUri"]).resolve()
    assert theirs["Timeout"] == ours["Timeout"]
    for name in ("Runtime", "Handler", "MemorySize", "Layers"):
        assert theirs[name] == shared[name]
    variables = {*shared["Environment"]["Variables"], *ours["Environment"]["Variables"]}
    # --env-vars sets those alone that the template names.
    assert set(theirs["Environment"]["Variables"]) == variables | {"AWS_ENDPOINT_URL"}
