"""The HTTP API as it is deployed: off unless asked for, who is let in, what is logged, what is bounded."""

from __future__ import annotations

import json
import re
from typing import Any

from pagewise.use_cases.show import LINK_SECONDS
from tests.template.cloudformation import load, of_type, resources

# Of an access log: nothing that a caller or a document says.
LOGGED = {"requestId", "routeKey", "status", "authorizer.error", "requestTime"}


def only(kind: str) -> Any:
    (found,) = of_type(load(), kind).values()
    return found


def test_all_of_it_is_behind_one_parameter_that_is_off() -> None:
    template = load()
    assert template["Parameters"]["Api"]["Default"] == "false"
    of_the_api = [
        resource
        for name, resource in resources(template).items()
        if resource["Type"].startswith(("AWS::ApiGatewayV2::", "AWS::Cognito::")) or name.startswith("Review")
    ]
    assert len(of_the_api) >= 14
    assert {resource["Condition"] for resource in of_the_api} == {"HasApi", "HasUserPool"}


def test_every_route_wants_a_token_but_the_page_its_files_and_where_to_sign_in() -> None:
    routes = of_type(load(), "ApiGatewayV2::Route").values()
    without = {route["RouteKey"] for route in routes if route.get("AuthorizationType") != "JWT"}
    assert without == {"GET /", "GET /web/{name}", "GET /config"}
    assert "ANY /{proxy+}" in {route["RouteKey"] for route in routes}
    configuration = only("ApiGatewayV2::Authorizer")["JwtConfiguration"]
    assert len(configuration["Audience"]) == 1
    assert "Fn::If" in configuration["Issuer"]


def test_requests_are_bounded_and_logged_without_words_of_anybody() -> None:
    stage = only("ApiGatewayV2::Stage")
    assert 0 < stage["DefaultRouteSettings"]["ThrottlingRateLimit"] <= 100
    assert 0 < stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] <= 200
    log = stage["AccessLogSettings"]["Format"]
    assert set(re.findall(r"\$context\.([\w.]+)", log)) == LOGGED
    assert set(json.loads(log).values()) == {f"$context.{name}" for name in LOGGED}
    groups = of_type(load(), "Logs::LogGroup")
    assert groups["ReviewApiLogGroup"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert "KmsKeyId" in groups["ReviewApiLogGroup"]


def test_page_and_api_are_one_origin_so_that_no_other_is_allowed() -> None:
    assert "CorsConfiguration" not in only("ApiGatewayV2::Api")


def test_the_function_ends_before_api_gateway_stops_to_wait() -> None:
    assert resources(load())["ReviewFunction"]["Properties"]["Timeout"] < 30


def test_links_end_within_a_quarter_of_an_hour() -> None:
    assert 0 < LINK_SECONDS <= 15 * 60


def test_nobody_signs_up_by_themselves() -> None:
    pool, client = only("Cognito::UserPool"), only("Cognito::UserPoolClient")
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"]
    assert (client["AllowedOAuthFlows"], client["GenerateSecret"]) == (["code"], False)
    assert client["PreventUserExistenceErrors"] == "ENABLED"
