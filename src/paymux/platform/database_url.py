"""The servers that a database's URL names: a primary and its standbys, each to be asked for itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

USUAL_PORT = "5432"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens: a host, or the folder of its socket, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def servers_of(url: str) -> tuple[Server, ...]:
    """The servers of a PostgreSQL URL in its order, read as asyncpg reads it; none where neither URL nor PGHOST names any.

    Raises ValueError on what can't be read.
    """
    parts = urlsplit(url)
    if "@" in parts.path + parts.fragment:
        raise ValueError("the @ stands behind a sign that ends the password")
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    named, ports = parts.netloc[parts.netloc.find("@") + 1 :], ""
    if named:
        hosts = [(unquote(host), port) for host, port in _hosts_and_ports(named)]
    elif "service" in asked and "host" not in asked:
        return ()  # a file of the system's own names them
    else:
        hosts, ports = _hosts_and_ports(asked.get("host") or os.environ.get("PGHOST", "")), asked.get("port", "")
    if any("@" in host for host, _ in hosts):
        raise ValueError("no host's name has an @: it is the password's")
    usual = (ports or os.environ.get("PGPORT") or USUAL_PORT).split(",")
    if len(usual) == 1:
        usual *= len(hosts)
    return tuple(
        Server(host, int(other if ports else port or other)) for (host, port), other in zip(hosts, usual, strict=True)
    )


def asks_for_a_kind(url: str) -> bool:
    """Whether the URL, or the environment, says which of several servers is meant."""
    return "target_session_attrs" in parse_qs(urlsplit(url).query) or "PGTARGETSESSIONATTRS" in os.environ


def _hosts_and_ports(named: str) -> list[tuple[str, str]]:
    return [_host_and_port(one) for one in named.split(",")] if named else []


def _host_and_port(one: str) -> tuple[str, str]:
    if one.startswith("/"):
        return one, ""
    if one.startswith("["):
        host, _, port = one[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = one.partition(":")
    return host, port
