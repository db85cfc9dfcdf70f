"""The clients that the wiring makes, by region and endpoint: where they and the URLs that they sign go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from pagewise.aws import wiring
from pagewise.aws.buckets import S3Pages
from pagewise.aws.wiring import is_loopback, reachable
from pagewise.qwen.fitting import ImageTransport
from pagewise.qwen.settings import EngineSettings

# Those before 2019 and after, which an account opts in to; China, a partition of its own.
REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-1", "me-central-1", "ap-southeast-7", "cn-north-1"]
BUCKET = "pagewise-pages-123456789012-x"


@pytest.fixture
def pages_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], S3Pages]]:
    def made(region: str, endpoint: str) -> S3Pages:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        wiring.client.cache_clear()
        return S3Pages(wiring.client("s3"), BUCKET)

    yield made
    wiring.client.cache_clear()


@pytest.mark.parametrize("region", REGIONS)
def test_a_page_s_url_names_the_bucket_s_own_region(pages_of: Callable[[str, str], S3Pages], region: str) -> None:
    url = urlsplit(pages_of(region, "").url("documents/d/pages/00001.png", 60))
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    assert (url.scheme, url.netloc) == ("https", f"{BUCKET}.s3.{region}.{suffix}")
    assert url.path == "/documents/d/pages/00001.png"
    assert f"%2F{region}%2Fs3%2Faws4_request" in url.query


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:4566", "http://localhost:4566", "http://host.docker.internal:80"]
)
def test_an_endpoint_of_one_s_own_has_the_bucket_in_the_path(
    pages_of: Callable[[str, str], S3Pages], endpoint: str
) -> None:
    assert pages_of("us-east-1", endpoint).url("documents/x", 60).startswith(f"{endpoint}/{BUCKET}/documents/x?")


def test_a_url_of_this_machine_is_none_for_an_engine_elsewhere() -> None:
    elsewhere = EngineSettings("https://dashscope-intl.aliyuncs.com/api/v1", "m")
    here = EngineSettings("http://127.0.0.1:4567/api/v1", "m")
    assert reachable(elsewhere, "http://127.0.0.1:4566").image_transport is ImageTransport.BASE64
    assert reachable(here, "http://127.0.0.1:4566").image_transport is ImageTransport.AUTO
    assert reachable(elsewhere, "https://s3.eu-central-1.amazonaws.com").image_transport is ImageTransport.AUTO
    assert is_loopback("http://localhost:1")
