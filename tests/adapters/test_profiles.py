"""Profiles in Parameter Store."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from commands.profiles import ProfileError, put_profile
from local.emulator.process import client, free_port
from pagewise.aws.profiles import SsmProfiles
from pagewise.errors import Configuration, StorageBusy
from pagewise.options.profiles import load_profile
from tests.deployed import Deployed


def test_what_make_profile_puts_is_what_the_splitter_reads(deployed: Deployed) -> None:
    ssm = deployed.client("ssm")
    put_profile(ssm, "pagewise", "receipts")
    put_profile(ssm, "pagewise", "tables")
    profiles = SsmProfiles(ssm, deployed.variables("SplitterFunction")["PROFILES_PATH"])
    text = profiles.text("receipts")
    assert text is not None
    assert load_profile("receipts", text).enable_rotate
    assert profiles.text("nobody") is None


def test_a_stack_without_profiles_has_none(deployed: Deployed) -> None:
    assert SsmProfiles(deployed.client("ssm"), "/nowhere/profiles").text("receipts") is None


def test_a_profile_that_is_not_there_is_not_put(deployed: Deployed) -> None:
    with pytest.raises(ProfileError, match="receipts"):
        put_profile(deployed.client("ssm"), "pagewise", "nobody")


class Denial(BaseHTTPRequestHandler):
    """Parameter Store's answer to a role without ssm:GetParametersByPath."""

    def do_POST(self) -> None:
        self.send_response(400)
        self.end_headers()
        self.wfile.write(b'{"__type": "AccessDeniedException"}')

    def log_message(self, *_: object) -> None:
        pass


def test_parameters_that_may_not_be_read_are_a_matter_of_configuration() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Denial) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        ssm = client("ssm", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(Configuration, match="AccessDeniedException"):
            SsmProfiles(ssm, "/pagewise/profiles").text("receipts")
        server.shutdown()


def test_parameters_that_cannot_be_read_are_tried_again() -> None:
    with pytest.raises(StorageBusy):
        SsmProfiles(client("ssm", f"http://127.0.0.1:{free_port()}"), "/pagewise/profiles").text("receipts")
