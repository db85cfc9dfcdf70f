"""The functions' roles: their credentials, where the emulator enforces each role's permissions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.emulator.deployment import Function
from local.emulator.process import Emulator

# AWS covers these APIs by one action; the emulator asks for an action of the API's own name:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
ASKED_BESIDES = {"sqs:SendMessage": "sqs:SendMessageBatch"}
# And it asks for every resource where AWS asks for the path's.
ASKED_FOR_ALL = frozenset({"ssm:GetParametersByPath"})
SESSION = "runner"

Policies = dict[str, dict[str, Any]]


class Roles:
    """Makes every function's role one that the runner may assume, as the Lambda service does."""

    def __init__(self, emulator: Emulator, functions: Mapping[str, Function]) -> None:
        self._iam = emulator.client("iam")
        self._sts = emulator.client("sts")
        self._names = {name: function.role.rpartition("/")[2] for name, function in functions.items()}
        for name, function in functions.items():
            self._trust(self._names[name], function.role)
            self.put_policies(name, self.policies(name))

    def variables(self, function: Function) -> dict[str, str]:
        """The role's credentials, as Lambda hands them to an environment."""
        given = self._sts.assume_role(RoleArn=function.role, RoleSessionName=SESSION)["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def policies(self, function: str) -> Policies:
        """The function's own policies by name."""
        role = self._names[function]
        names = self._iam.list_role_policies(RoleName=role)["PolicyNames"]
        return {name: self._iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}

    def put_policies(self, function: str, policies: Policies) -> None:
        for name, document in policies.items():
            asked = document | {"Statement": [with_what_is_asked(one) for one in document["Statement"]]}
            self._iam.put_role_policy(RoleName=self._names[function], PolicyName=name, PolicyDocument=json.dumps(asked))

    def _trust(self, role: str, arn: str) -> None:
        principal = {"AWS": f"arn:aws:iam::{arn.split(':')[4]}:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        self._iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))


def with_what_is_asked(statement: Mapping[str, Any]) -> dict[str, Any]:
    actions = list(actions_of(statement))
    besides = [ASKED_BESIDES[action] for action in actions if action in ASKED_BESIDES]
    everywhere = {"Resource": "*"} if ASKED_FOR_ALL.intersection(actions) else {}
    return {**statement, **everywhere, "Action": list(dict.fromkeys([*actions, *besides]))}


def actions_of(statement: Mapping[str, Any]) -> Iterator[str]:
    actions = statement["Action"]
    yield from [actions] if isinstance(actions, str) else actions
