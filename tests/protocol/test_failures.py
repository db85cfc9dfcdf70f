"""Every code of the error table, driven through the client by an engine that answers so: what comes out, after how many
requests. 1: raised at once; 2: tried once more, then permanent; 3: retried to the end."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from pagewise.errors import Configuration, PagewiseError, Permanent, Throttled, Transient
from pagewise.qwen.failures import failure
from tests.engine.asking import Engine
from tests.protocol.conftest import address, asked, behave, question

# The engine's name for a misbehaviour, its code in each protocol, the class that comes out, and the requests made.
TABLE: list[tuple[str, str, str, type[PagewiseError], int]] = [
    ("throttled", "Throttling", "limit_requests", Throttled, 1),
    ("rate_quota", "Throttling.RateQuota", "limit_requests", Throttled, 1),
    ("burst_rate", "Throttling.BurstRate", "limit_burst_rate", Throttled, 1),
    ("allocation_quota", "Throttling.AllocationQuota", "insufficient_quota", Throttled, 1),
    ("request_timed_out", "RequestTimeOut", "RequestTimeOut", Transient, 3),
    ("internal_error", "InternalError", "internal_error", Transient, 3),
    ("algorithm_error", "InternalError.Algo", "InternalError.Algo", Transient, 3),
    ("algorithm_timeout", "InternalError.Timeout", "InternalError.Timeout", Transient, 3),
    ("system_error", "SystemError", "SystemError", Transient, 3),
    ("model_failed", "ModelServiceFailed", "ModelServiceFailed", Transient, 3),
    ("request_timeout", "RequestTimeOut", "RequestTimeOut", Transient, 3),
    ("bad_gateway", "http_502", "http_502", Transient, 3),
    ("gateway_timeout", "http_504", "http_504", Transient, 3),
    ("html_in_200", "http_502", "http_502", Transient, 3),
    ("serving_error", "ModelServingError", "ModelServingError", Transient, 3),
    ("unavailable", "ModelUnavailable", "ModelUnavailable", Transient, 3),
    ("error_in_200", "InternalError", "internal_error", Transient, 3),
    ("cut", "connection", "connection", Transient, 3),
    ("invalid_parameter", "InvalidParameter", "invalid_parameter_error", Permanent, 1),
    (
        "algorithm_parameter",
        "InternalError.Algo.InvalidParameter",
        "InternalError.Algo.InvalidParameter",
        Permanent,
        1,
    ),
    ("inspection_failed", "DataInspectionFailed", "data_inspection_failed", Permanent, 1),
    ("inspection_download", "InvalidParameter.DataInspection", "invalid_parameter_error", Permanent, 2),
    ("url_timeout", "InvalidURL.Timeout", "InvalidURL.Timeout", Permanent, 2),
    ("invalid_key", "InvalidApiKey", "invalid_api_key", Configuration, 1),
    ("access_denied", "AccessDenied", "access_denied", Configuration, 1),
    ("unpurchased", "AccessDenied.Unpurchased", "AccessDenied.Unpurchased", Configuration, 1),
    ("model_denied", "Model.AccessDenied", "Model.AccessDenied", Configuration, 1),
    ("workspace_denied", "Workspace.AccessDenied", "Workspace.AccessDenied", Configuration, 1),
    ("free_tier_only", "AllocationQuota.FreeTierOnly", "AllocationQuota.FreeTierOnly", Configuration, 1),
    ("model_not_found", "ModelNotFound", "model_not_found", Configuration, 1),
    ("workspace_not_found", "WorkSpaceNotFound", "WorkSpaceNotFound", Configuration, 1),
    ("arrears", "Arrearage", "Arrearage", Configuration, 1),
    ("not_purchased", "CommodityNotPurchased", "CommodityNotPurchased", Configuration, 1),
    ("prepaid_overdue", "PrepaidBillOverdue", "PrepaidBillOverdue", Configuration, 1),
    ("postpaid_overdue", "PostpaidBillOverdue", "PostpaidBillOverdue", Configuration, 1),
    ("free_quota_exceeded", "Throttling.AllocationQuota", "insufficient_quota", Configuration, 1),
]


@pytest.mark.parametrize("protocol", ["native", "compatible"])
@pytest.mark.parametrize(
    ("name", "code", "compatible_code", "expected", "requests"), TABLE, ids=[row[0] for row in TABLE]
)
def test_the_table(
    canned: Engine,
    protocol: str,
    name: str,
    code: str,
    compatible_code: str,
    expected: type[PagewiseError],
    requests: int,
) -> None:
    behave(canned, {"name": name, "times": None})
    with pytest.raises(PagewiseError) as raised:
        asked(address(canned), question(), protocol)
    assert type(raised.value) is expected
    assert raised.value.reason == (code if protocol == "native" else compatible_code)
    assert canned.http.get("/requests").json()["total"] == requests


MESSAGES_ABOUT_A_PAGE = [
    "The image length and width do not meet the model restrictions. [height:10 or width:10 must be larger than 10]",
    "Exceeded limit on max bytes per data-uri item : 10485760",
    "Failed to decode the image during the data inspection.",
]


@pytest.mark.parametrize("message", MESSAGES_ABOUT_A_PAGE)
@pytest.mark.parametrize("code", ["InvalidParameter", "invalid_request_error", "invalid_parameter_error"])
def test_what_is_about_a_page_is_permanent_and_says_so(code: str, message: str) -> None:
    error = failure(400, code, message)
    assert type(error) is Permanent
    assert message in error.message


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}, Permanent),  # vLLM
        (
            404,
            {"error": {"message": 'model "x" not found', "type": "api_error", "code": None}},
            Configuration,
        ),  # Ollama
        (404, {"detail": "Not Found"}, Configuration),  # any FastAPI server: a wrong base URL
        (500, {"error": "out of memory"}, Transient),
        (422, {"detail": [{"msg": "extra fields not permitted"}]}, Permanent),
        (200, {"error": {"message": "overloaded", "type": "internal_server_error"}}, Transient),
        (301, {}, Configuration),
        (402, {"error": {"message": "Insufficient balance"}}, Configuration),
        (429, {"error": {"message": "slow down", "type": "rate_limit_error"}}, Throttled),
    ],
)
def test_errors_of_other_compatible_servers(status: int, body: dict[str, Any], expected: type[PagewiseError]) -> None:
    with pytest.raises(PagewiseError) as raised:
        asked(lambda _: httpx.Response(status, json=body), question(), "compatible")
    assert type(raised.value) is expected


def test_a_message_is_cut_and_never_holds_the_key_or_the_page(canned: Engine) -> None:
    behave(canned, {"name": "error", "status": 400, "code": "InvalidParameter", "message": "x" * 5_000})
    with pytest.raises(Permanent) as raised:
        asked(address(canned), question())
    assert len(raised.value.message) < 400
    assert "sk-any" not in raised.value.message
