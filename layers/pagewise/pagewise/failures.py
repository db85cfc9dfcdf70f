"""What the engine's failures mean: the one function that decides whether a call is tried again.

The HTTP status decides first, then the code: a permanent quota failure comes as 429, and a 400 can carry an
InternalError code.
"""

from __future__ import annotations

from pagewise.errors import Configuration, PagewiseError, Permanent, Throttled, Transient

CONFIGURATION_CODES = frozenset(
    {
        "InvalidApiKey",
        "invalid_api_key",
        "AccessDenied",
        "AccessDenied.Unpurchased",
        "Model.AccessDenied",
        "Workspace.AccessDenied",
        "AllocationQuota.FreeTierOnly",
        "ModelNotFound",
        "model_not_found",
        "WorkSpaceNotFound",
        "Arrearage",
        "CommodityNotPurchased",
        "PrepaidBillOverdue",
        "PostpaidBillOverdue",
    }
)
# The service could not fetch the image, or not in time: one more try may do.
DOWNLOAD_CODES = frozenset({"InvalidParameter.DataInspection", "InvalidURL.Timeout"})
TRANSIENT_STATUSES = frozenset({408, 409, 500, 502, 503, 504})
MESSAGE_CHARACTERS = 300


def failure(status: int, code: str, message: str, retry_after: float | None = None) -> PagewiseError:
    """The error for an answer that is not a result.

    Parameters
    ----------
    status: of HTTP; 200 for an answer that carries a code all the same.
    code: the service's own, such as `Throttling.RateQuota`; empty where the body was not the service's.
    retry_after: seconds, if the server said so.
    """
    said = f"{code or 'no code'} (HTTP {status}): {message[:MESSAGE_CHARACTERS]}".rstrip(": ")
    reason = code or f"http_{status}"
    if code in CONFIGURATION_CODES or status in (401, 403) or free_quota_is_used_up(status, message):
        return Configuration(reason, f"The engine refuses this account: {said}")
    if status == 404:
        return Configuration(reason, f"The engine has no such model or path; check the base URL and the model: {said}")
    if status == 429 or code.startswith("Throttling"):
        return Throttled(reason, f"The engine's rate limit is reached: {said}", retry_after)
    if code in DOWNLOAD_CODES:
        return Transient(reason, f"The engine could not fetch the image: {said}", retry_after)
    if status in TRANSIENT_STATUSES or status >= 500 or is_server_code(status, code):
        return Transient(reason, f"The engine failed: {said}", retry_after)
    return Permanent(reason, f"The engine refuses this page: {said}")


def free_quota_is_used_up(status: int, message: str) -> bool:
    return status == 429 and "Free allocated quota exceeded" in message


SERVER_CODES = (
    "InternalError",
    "SystemError",
    "ModelServiceFailed",
    "ModelServingError",
    "ModelUnavailable",
    "RequestTimeOut",
)


def is_server_code(status: int, code: str) -> bool:
    """Codes of the server's own failures, whatever status brings them, except that 400 with
    InternalError.Algo.InvalidParameter is about the request."""
    return code.startswith(SERVER_CODES) and not (status == 400 and code.endswith("InvalidParameter"))
