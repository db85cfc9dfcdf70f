"""The splitter's settings as template.yaml has them, without a stack: its variables, from the parameters' defaults."""

from collections.abc import Mapping
from typing import Any

import yaml

from commands.errors import CommandError
from local.stack import ROOT

TEMPLATE = ROOT / "template.yaml"


class ParameterError(CommandError):
    """There is no such parameter, or its value is none that the splitter could work with."""


class Loader(yaml.SafeLoader):
    """CloudFormation's short forms: {tag: value}."""


def short_form(loader: Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    raise yaml.constructor.ConstructorError(None, None, f"!{tag} of a mapping", node.start_mark)


Loader.add_multi_constructor("!", short_form)


def splitter_variables(given: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that follow from parameters; those that name resources are left out.

    Raises ParameterError for a parameter that the template does not have.
    """
    template = yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader)  # noqa: S506  a SafeLoader
    parameters = {name: of.get("Default") for name, of in template["Parameters"].items()}
    if unknown := sorted(set(given) - set(parameters)):
        raise ParameterError(f"template.yaml has no parameter {unknown[0]}.")
    values = {**parameters, **given}
    functions = (template["Globals"]["Function"], template["Resources"]["SplitterFunction"]["Properties"])
    said = {name: value for function in functions for name, value in function["Environment"]["Variables"].items()}
    found = {
        name: str(values[value["Ref"]])
        for name, value in said.items()
        if isinstance(value, dict) and value.get("Ref") in values
    }
    return found | {"DEPLOYED_TASKS": ",".join(template["Mappings"]["Deployed"]["Tasks"]["Keys"])}
