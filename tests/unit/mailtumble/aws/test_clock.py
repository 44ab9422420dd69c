"""AWS's time, from the replies that boto3's clients get anyway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, cast

import boto3
import pytest
from botocore.config import Config

from mailtumble.aws.clock import AwsClock, machine_time
from schemas.values import SECOND_US

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OFF_S = 30


class Server(ThreadingHTTPServer):
    """``date``: what it sends as Date, if not its own time."""

    date: str | None = None


class Ahead(BaseHTTPRequestHandler):
    """An AWS whose clock is half a minute ahead, unless its server is told another date."""

    def do_POST(self) -> None:
        """ListTables of an account without any."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response_only(200)
        date = cast("Server", self.server).date
        usual = formatdate(time.time() + OFF_S, usegmt=True)
        self.send_header("Date", usual if date is None else date)
        self.send_header("Content-Length", "17")
        self.end_headers()
        self.wfile.write(b'{"TableNames":[]}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """It listens on a free port."""
    made = Server(("127.0.0.1", 0), Ahead)
    thread = Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def client(server: Server) -> Iterator[DynamoDBClient]:
    """A client of it."""
    made = boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=60, read_timeout=60),
    )
    yield made
    made.close()


def test_a_clock_that_is_off_is_set_right(client: DynamoDBClient) -> None:
    """To within a second by one reply, and never further off by more of them."""
    clock = AwsClock()
    clock.listen(client)
    assert abs(clock.now() - machine_time()) < SECOND_US
    client.list_tables()
    assert abs(clock.now() - machine_time() - OFF_S * SECOND_US) <= SECOND_US
    for _ in range(30):
        client.list_tables()
        time.sleep(0.01)
    assert abs(clock.now() - machine_time() - OFF_S * SECOND_US) <= SECOND_US


@pytest.mark.parametrize("date", ["yesterday", "", None])
def test_other_dates_change_nothing(
    client: DynamoDBClient, server: Server, date: str | None
) -> None:
    """No date, and one that agrees with this machine."""
    server.date = formatdate(time.time(), usegmt=True) if date is None else date
    clock = AwsClock()
    clock.listen(client)
    client.list_tables()
    assert clock.correction == 0


def test_no_reply_is_nothing_to_learn_from(client: DynamoDBClient, server: Server) -> None:
    """The connection is refused."""
    server.shutdown()
    server.server_close()
    clock = AwsClock()
    clock.listen(client)
    with pytest.raises(Exception, match="Could not connect"):
        client.list_tables()
    assert clock.correction == 0
