"""botocore's data after trim.py: smaller, and to its clients the same."""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore
import pytest

LAYER = Path(__file__).parents[2] / "layers/pagewise"
DATA = Path(botocore.__file__).with_name("data")
SERVICES = re.findall(r"^SERVICES := (.*)$", (LAYER / "Makefile").read_text(), re.MULTILINE)[0].split()
REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-5", "il-central-1", "cn-north-1", "us-gov-west-1")
ASKED = """
import json, sys
from botocore.session import get_session

def members(shape, depth=4):
    inner = getattr(shape, "members", {}) if depth else {}
    return [getattr(shape, "type_name", None), {name: members(member, depth - 1) for name, member in inner.items()}]

session = get_session()
found = {}
for service in sys.argv[1].split(","):
    clients = {region: session.create_client(service, region_name=region) for region in sys.argv[2].split(",")}
    model = next(iter(clients.values())).meta.service_model
    found[service] = {
        "endpoints": {region: client.meta.endpoint_url for region, client in clients.items()},
        "operations": {
            name: [members(model.operation_model(name).input_shape), members(model.operation_model(name).output_shape)]
            for name in model.operation_names
        },
        "paginated": sorted(filter(clients["us-east-1"].can_paginate, clients["us-east-1"].meta.method_to_api_mapping)),
    }
print(json.dumps(found, sort_keys=True))
"""


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of files that are linked to an installer's cache, as uv's are."""
    folder, cache = tmp_path_factory.mktemp("layer"), tmp_path_factory.mktemp("cache")
    shutil.copytree(Path(botocore.__file__).parent, cache / "botocore")
    shutil.copytree(cache / "botocore", folder / "botocore", copy_function=os.link)
    subprocess.run([sys.executable, LAYER / "trim.py", folder / "botocore/data", *SERVICES], check=True)
    assert not filecmp.dircmp(DATA, cache / "botocore/data").diff_files
    return folder


def asked(*paths: Path) -> Any:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    command = [sys.executable, "-c", ASKED, ",".join(SERVICES), ",".join(REGIONS)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_clients_of_trimmed_models_have_the_same_endpoints_operations_and_shapes(trimmed: Path) -> None:
    before = asked()
    assert before["sqs"]["endpoints"]["cn-north-1"] == "https://sqs.cn-north-1.amazonaws.com.cn"
    assert "PutItem" in before["dynamodb"]["operations"]
    assert asked(trimmed) == before


def test_what_no_client_reads_is_gone(trimmed: Path) -> None:
    data = trimmed / "botocore/data"
    assert {path.name for path in data.iterdir() if path.is_dir()} == set(SERVICES)
    assert sum(path.stat().st_size for path in data.rglob("*") if path.is_file()) < 1_500_000
    assert (DATA / "endpoints.json").stat().st_size > 20 * (data / "endpoints.json").stat().st_size
