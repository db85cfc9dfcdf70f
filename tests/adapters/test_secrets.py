"""The engine's API key in Secrets Manager, in the emulator."""

from __future__ import annotations

import asyncio
import json

import pytest

from pagewise.aws.secrets import ApiKey
from pagewise.errors import Configuration
from tests.deployed import Deployed


def stored(deployed: Deployed, name: str, **secret: str | bytes) -> ApiKey:
    client = deployed.emulator.client("secretsmanager")
    client.create_secret(Name=name, **secret)
    return ApiKey(client, name)


@pytest.mark.parametrize(
    ("name", "text", "key"),
    [
        ("plain", "sk-1", "sk-1"),
        ("lines", "  sk-2\n", "sk-2"),
        ("console", json.dumps({"QWEN_API_KEY": "sk-3"}), "sk-3"),
        ("odd", "{sk-4", "{sk-4"),
    ],
)
def test_a_key_is_the_secrets_text_or_the_only_member_of_it(deployed: Deployed, name: str, text: str, key: str) -> None:
    assert asyncio.run(stored(deployed, f"key-{name}", SecretString=text)()) == key


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("binary", {"SecretBinary": b"sk-5"}),
        ("two", {"SecretString": json.dumps({"a": "sk-6", "b": "sk-7"})}),
        ("none", {"SecretString": "{}"}),
        ("number", {"SecretString": json.dumps({"a": 8})}),
    ],
)
def test_a_secret_that_is_no_key_is_a_matter_of_configuration(
    deployed: Deployed, name: str, secret: dict[str, str | bytes]
) -> None:
    with pytest.raises(Configuration) as raised:
        asyncio.run(stored(deployed, f"no-key-{name}", **secret)())
    assert raised.value.reason == "api_key_malformed"
    assert "as plain text" in raised.value.message
    assert "sk-" not in raised.value.message
