"""Whether a port to listen on can be had, said in one sentence when not."""

from __future__ import annotations

import errno
import socket


class PortTaken(Exception):
    """A port can't be listened on: the sentence says why and which setting changes it."""


def demand_free(name: str, host: str, port: int) -> None:
    """Raises PortTaken. `name` is the setting's, for the sentence."""
    if fault := refusal(name, host, port):
        raise PortTaken(fault)


def refusal(name: str, host: str, port: int) -> str | None:
    """Why nothing can listen there; None when something can."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            return f"Port {port} is taken: stop what uses it, or set {name} to another port."
        return f"Port {port} of {host} can't be opened ({fault.strerror}): set PAYMUX_HOST or {name} to another."
    return None
