"""Receives paymux's webhooks and prints them: python3 webhook_receiver.py [PORT]. Nothing but Python's own library.

It shows the check that a shop needs (Standard Webhooks, docs/integrate.md): the signature is over the raw body, and an
old message is refused. The secret is the demo merchant's unless WEBHOOK_SECRET names another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("WEBHOOK_SECRET", "whsec_ZGVtby13ZWJob29rLXNlY3JldA==")
TOLERANCE = 300
"""Seconds that a message's time may be off: whoever records one can't send it again next week."""


def is_authentic(body: bytes, headers: Mapping[str, str], secret: str, now: float) -> bool:
    """Whether one of the signatures is the secret's, over this body at a time near `now` (seconds since 1970).

    The names of `headers` are in lower case.
    """
    sent = headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs(now - int(sent)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id', '')}.{sent}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    return any(hmac.compare_digest(expected, one.encode()) for one in headers.get("webhook-signature", "").split())


def say(line: str) -> None:
    """Print a line in one piece: several events come at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to an authentic event and 401 to any other; prints a line for each."""

    def do_POST(self) -> None:
        """Check, print, answer. A real shop queues its work here and does it after the answer."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        authentic = is_authentic(body, headers, SECRET, time.time())
        if authentic:
            event = json.loads(body)
            data = event["data"]
            say(f"{event['event']} of {data['orderReference']}, sequence {data['sequence']}: {data.get('status')}")
        else:
            say("REFUSED: the signature or the time is wrong")
        self.send_response(204 if authentic else 401)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing beside the lines above."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    say(f"Waiting for webhooks at http://127.0.0.1:{port}/")
    server.serve_forever()
