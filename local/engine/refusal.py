"""The service's errors, as it words them. Every refusal of the engine is one of these."""

from __future__ import annotations


class Refusal(Exception):
    """An error reply: HTTP status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message


def no_key() -> Refusal:
    return Refusal(401, "InvalidApiKey", "No API-key provided.")


def wrong_key() -> Refusal:
    return Refusal(401, "InvalidApiKey", "Invalid API-key provided.")


def model_not_found() -> Refusal:
    return Refusal(404, "ModelNotFound", "Model not exist.")


def missing(parameter: str) -> Refusal:
    message = f'Required parameter "{parameter}" missing or invalid, please check the request parameters.'
    return Refusal(400, f"BadRequest.Empty{parameter.capitalize()}", message)


def not_json() -> Refusal:
    return Refusal(400, "InvalidParameter", "Required body invalid, please check the request body format.")


def invalid(message: str) -> Refusal:
    return Refusal(400, "InvalidParameter", message)


def invalid_url() -> Refusal:
    return Refusal(400, "InvalidURL", "The provided URL does not appear to be valid. Ensure it is correctly formatted.")


def download_failed() -> Refusal:
    return Refusal(
        400,
        "InvalidParameter.DataInspection",
        "Unable to download the media resource during the data inspection process.",
    )


def download_timed_out() -> Refusal:
    return Refusal(
        400,
        "InvalidParameter.DataInspection",
        "Download the media resource timed out during the data inspection process.",
    )


def undecodable() -> Refusal:
    return invalid("Failed to decode the image during the data inspection.")


def over_rate() -> Refusal:
    return Refusal(429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.")


def internal() -> Refusal:
    return Refusal(500, "InternalError", "An internal error has occured, please try again later.")
