"""template.yaml as plain values: intrinsic functions in their long form, Fn::ForEach unrolled."""

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
LOOP = "Fn::ForEach::Tasks"
NO_VALUE = {"Ref": "AWS::NoValue"}


class Loader(yaml.SafeLoader):
    """Reads !Ref and its kind, which YAML itself doesn't know."""


def intrinsic(loader: Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".")
    return {tag if tag == "Ref" else f"Fn::{tag}": value}


Loader.add_multi_constructor("!", intrinsic)


def load() -> dict[str, Any]:
    template: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506  a SafeLoader
    return template


def decided(value: Any, conditions: dict[str, bool]) -> Any:
    """Every Fn::If decided; what is AWS::NoValue then is not there."""
    if isinstance(value, list):
        return [kept for member in value if (kept := decided(member, conditions)) != NO_VALUE]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::If"}:
        condition, if_true, if_false = value["Fn::If"]
        return decided(if_true if conditions[condition] else if_false, conditions)
    return {name: kept for name, member in value.items() if (kept := decided(member, conditions)) != NO_VALUE}


def resources(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every resource, those of the loop included, as CloudFormation would see them."""
    unrolled: dict[str, dict[str, Any]] = {}
    for name, resource in template["Resources"].items():
        if name != LOOP:
            unrolled[name] = resource
            continue
        variable, members, body = resource
        for member in members:
            text = (
                json.dumps(body).replace(f"${{{variable}}}", member).replace(f'{{"Ref": "{variable}"}}', f'"{member}"')
            )
            unrolled |= simplified(json.loads(text), template["Mappings"])
    return unrolled


def simplified(value: Any, mappings: dict[str, Any]) -> Any:
    """Look-ups done, and Fn::Sub without variables as the text that it is."""
    if isinstance(value, list):
        return [simplified(member, mappings) for member in value]
    if not isinstance(value, dict):
        return value
    value = {name: simplified(member, mappings) for name, member in value.items()}
    match value:
        case {"Fn::FindInMap": [mapping, first, second]}:
            return mappings[mapping][first][second]
        case {"Fn::Sub": str(text)} if "${" not in text:
            return text
    return value


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The properties of every resource of one type."""
    return {
        name: resource.get("Properties", {})
        for name, resource in resources(template).items()
        if resource["Type"] == f"AWS::{kind}"
    }


def functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every function's properties, with what Globals gives to all."""
    common = template["Globals"]["Function"]
    merged = {}
    for name, own in of_type(template, "Serverless::Function").items():
        variables = {**variables_of(common), **variables_of(own)}
        merged[name] = {**common, **own, "Environment": {"Variables": variables}}
    return merged


def variables_of(function: dict[str, Any]) -> dict[str, Any]:
    return dict(function.get("Environment", {}).get("Variables", {}))


def statements(function: dict[str, Any]) -> list[dict[str, Any]]:
    """With every permission that some condition gives."""
    found = [statement for policy in function.get("Policies", []) for statement in policy["Statement"]]
    return [decided(statement, {"HasKmsKey": True}) for statement in found]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def target(reference: Any) -> str:
    """The logical id that !Ref or !GetAtt names."""
    return str(reference["Ref"] if "Ref" in reference else reference["Fn::GetAtt"][0])
