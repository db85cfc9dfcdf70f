"""The meaning of the engine's failures: the one function that decides whether a call is tried again.

The HTTP status decides first, then the code: a permanent quota failure comes as 429, and a 400 can carry an
InternalError code. Codes of the native protocol are in CamelCase, those of the compatible one in snake_case.
"""

from __future__ import annotations

from pagewise.errors import Configuration, PagewiseError, Permanent, Throttled, Transient
from pagewise.strict_json import fit

CONFIGURATION_CODES = frozenset(
    {
        "InvalidApiKey",
        "invalid_api_key",
        "AccessDenied",
        "access_denied",
        "AccessDenied.Unpurchased",
        "Model.AccessDenied",
        "Workspace.AccessDenied",
        "AllocationQuota.FreeTierOnly",
        "ModelNotFound",
        "model_not_found",
        "model_not_supported",
        "WorkSpaceNotFound",
        "Arrearage",
        "CommodityNotPurchased",
        "PrepaidBillOverdue",
        "PostpaidBillOverdue",
    }
)
# Causes outside any page: payment, key, access, path, method, a proxy's own login.
CONFIGURATION_STATUSES = frozenset({401, 402, 403, 404, 405, 407})
THROTTLING_CODES = ("Throttling", "limit_requests", "limit_burst_rate", "insufficient_quota")
# The service could not fetch the image, or not in time: one more try may do.
DOWNLOAD_CODES = frozenset({"InvalidParameter.DataInspection", "InvalidURL.Timeout"})
# The same under another code, as the compatible protocol words it.
DOWNLOAD_MESSAGES = ("Unable to download the media resource", "Download the media resource timed out")
TRANSIENT_STATUSES = frozenset({408, 409, 425})
SERVER_CODES = (
    "InternalError",
    "internal_error",
    "internal_server_error",
    "SystemError",
    "ModelServiceFailed",
    "ModelServingError",
    "ModelUnavailable",
    "RequestTimeOut",
)
# The service's codes for a page that it will never read.
PAGE_CODES = frozenset(
    {
        "InvalidParameter",
        "InternalError.Algo.InvalidParameter",
        "invalid_request_error",
        "invalid_parameter_error",
        "DataInspectionFailed",
        "data_inspection_failed",
        "InvalidURL",
        "BadRequest.EmptyParameters",
    }
)
SUB_CODES = frozenset({"InternalError.Algo", "InternalError.Timeout"})
# Any other engine may send any other code.
KNOWN_CODES = CONFIGURATION_CODES | DOWNLOAD_CODES | PAGE_CODES | SUB_CODES | {*THROTTLING_CODES, *SERVER_CODES}
MESSAGE_CHARACTERS = 300
# A code is a word; it becomes the reason in receipts and events.
CODE_CHARACTERS = 100


def failure(status: int, code: str, message: str, retry_after: float | None = None) -> PagewiseError:
    """The error for an answer that is not a result.

    Parameters
    ----------
    status: of HTTP; 200 for an answer that carries a code, or no output, all the same.
    code: the service's own, such as `Throttling.RateQuota`; empty where the body was not the service's.
    retry_after: seconds, if the server said so.
    """
    code, message = fit(code[:CODE_CHARACTERS]), fit(message[:MESSAGE_CHARACTERS])
    said = f"{code or 'no code'} (HTTP {status}): {message}".rstrip(": ")
    reason = code or f"http_{status}"
    if code in CONFIGURATION_CODES or free_quota_is_used_up(status, message):
        return Configuration(reason, f"The engine refuses this account; check key, region, model and bill: {said}")
    if status in CONFIGURATION_STATUSES or 300 <= status < 400:
        return Configuration(reason, f"The engine has no such address or refuses it; check base URL and key: {said}")
    if status == 429 or code.startswith(THROTTLING_CODES):
        return Throttled(reason, f"The engine's rate limit is reached: {said}", retry_after)
    if code in DOWNLOAD_CODES or (status == 400 and message.startswith(DOWNLOAD_MESSAGES)):
        return Transient(reason, f"The engine could not fetch the image: {said}", retry_after, once=True)
    if is_servers_own(status, code):
        return Transient(reason, f"The engine failed: {said}", retry_after)
    return Permanent(reason, f"The engine refuses this page: {said}")


def free_quota_is_used_up(status: int, message: str) -> bool:
    return status == 429 and "Free allocated quota exceeded" in message


def is_servers_own(status: int, code: str) -> bool:
    """Failures of the server itself. A 400 is about the request, with any InternalError code; a reply of HTTP 200 that
    is no result says nothing about the page unless its code does."""
    if status >= 500 or status in TRANSIENT_STATUSES:
        return True
    if status == 400 and code.endswith("InvalidParameter"):
        return False
    return code.startswith(SERVER_CODES) or (status == 200 and not code)
