"""Plans of the environments, made without an AWS account and without a network.

The provider is the real one. All that it asks AWS for a plan of new resources is who calls; a small
server on 127.0.0.1 answers that.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[3]
TERRAFORM: Final = ROOT / "tools/terraform.sh"
_WITHIN_S: Final = 600
_OVERRIDE: Final = 'terraform {\n  backend "local" {}\n}\n'
_CALLER: Final = b"""\
<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:iam::123456789012:user/planner</Arn>
    <UserId>AIDAEXAMPLE</UserId>
    <Account>123456789012</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>
"""


class PlanRefused(Exception):  # noqa: N818 - what happened
    """Terraform made no plan; the text is what it printed."""


class _Sts(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        known = b"Action=GetCallerIdentity" in body
        self.send_response(200 if known else 400)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(_CALLER) if known else 0))
        self.end_headers()
        if known:
            self.wfile.write(_CALLER)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Keep quiet: the tests' output is about the plan."""


@contextmanager
def identity_server() -> Iterator[str]:
    """Answer GetCallerIdentity on a free port; yield the endpoint."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sts)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Planner:
    """An environment in a copy of the configuration, whose state would be a file."""

    def __init__(self, folder: Path, environment: str, endpoint: str) -> None:
        """Copy the configuration and initialise it.

        Args:
            folder: an empty folder for the copy and for Terraform's data.
            environment: the name of a folder in ``infra/terraform/envs``.
            endpoint: where STS answers.
        """
        self._folder = folder
        copy = folder / "terraform"
        shutil.copytree(
            ROOT / "infra/terraform",
            copy,
            ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"),
        )
        self.configuration = copy / "envs" / environment
        (self.configuration / "backend_override.tf").write_text(_OVERRIDE, encoding="utf-8")
        kept = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("AWS_", "TF_VAR_", "TF_CLI_ARGS"))
        }
        self._environment = {
            **kept,
            "TF_DATA_DIR": str(folder / "data"),
            "AWS_ACCESS_KEY_ID": "planner",
            "AWS_SECRET_ACCESS_KEY": "planner",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_STS": endpoint,
        }
        self._run("init", "-input=false", "-no-color")

    def plan(self, *arguments: str) -> dict[str, Any]:
        """Return the plan of making everything, as ``terraform show -json`` prints it.

        Raises:
            PlanRefused: Terraform refuses the configuration or the variables.
        """
        saved = str(self._folder / "plan")
        self._run("plan", "-input=false", "-no-color", "-lock=false", f"-out={saved}", *arguments)
        plan: dict[str, Any] = json.loads(self._run("show", "-json", saved))
        return plan

    def _run(self, *arguments: str) -> str:
        ran = subprocess.run(
            [TERRAFORM, f"-chdir={self.configuration}", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
        if ran.returncode:
            raise PlanRefused(ran.stdout + ran.stderr)
        return ran.stdout
