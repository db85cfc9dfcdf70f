"""What is checked before a deployment begins: whether the stack's name has room in the names of its buckets."""

from __future__ import annotations

import pytest

from commands.deployed import LONGEST_BUCKET_NAME, StackError, check_name, configured_name
from local.stack import ROOT

ACCOUNT = "123456789012"


@pytest.mark.parametrize(("region", "room"), [("ap-southeast-1", 27), ("us-east-1", 32), ("cn-northwest-1", 27)])
def test_a_stack_s_name_has_the_room_that_its_buckets_leave(region: str, room: int) -> None:
    check_name("s" * room, ACCOUNT, region)
    assert len(f"{'s' * room}-uploads-{ACCOUNT}-{region}") == LONGEST_BUCKET_NAME
    with pytest.raises(StackError, match=f"has {room + 1} characters. In {region} at most {room} pass"):
        check_name("s" * (room + 1), ACCOUNT, region)


@pytest.mark.parametrize("name", ["Pagewise", "1pagewise", "page_wise"])
def test_a_stack_is_named_as_buckets_can_be(name: str) -> None:
    with pytest.raises(StackError, match="lower-case"):
        check_name(name, ACCOUNT, "us-east-1")


@pytest.mark.parametrize(
    ("environment", "stack"), [("default", "pagewise"), ("dev", "pagewise-dev"), ("prod", "pagewise")]
)
def test_every_environment_s_stack_fits_into_every_region(environment: str, stack: str) -> None:
    assert configured_name(environment, ROOT / "samconfig.toml") == stack
    check_name(stack, ACCOUNT, "ap-southeast-1")


def test_an_environment_that_is_not_there_is_told() -> None:
    with pytest.raises(StackError, match="no environment staging"):
        configured_name("staging", ROOT / "samconfig.toml")
