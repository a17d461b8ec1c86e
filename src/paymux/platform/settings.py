"""The settings of an installation: read once, from the environment, every field with its unit and reason."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Mode(StrEnum):
    """`sandbox` plays every provider itself; `live` moves real money and loads nothing of the sandbox (K4)."""

    SANDBOX = "sandbox"
    LIVE = "live"


class Settings(BaseSettings):
    """One installation's settings. Every field is the environment variable `PAYMUX_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="PAYMUX_", extra="ignore", frozen=True)

    mode: Mode = Field(
        Mode.SANDBOX,
        description="`sandbox` plays every provider itself; `live` moves real money. A database keeps its mode.",
    )
    host: str = Field("127.0.0.1", description="Address that the API (and the sandbox) listens on.")
    port: int = Field(8080, ge=1, le=65535, description="Port of the API.")
    sandbox_port: int = Field(8090, ge=1, le=65535, description="Port of the sandbox with its simulators.")
    public_url: str = Field("", description="Where shoppers and providers reach the API; default http://HOST:PORT.")
    sandbox_url: str = Field("", description="Where the sandbox is reached; default http://127.0.0.1:SANDBOX_PORT.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks of your own proxies, comma-separated: only from them is X-Forwarded-For believed.",
    )
    home: Path = Field(Path(".paymux"), description="Folder of the data, the key file and the sandbox's own store.")
    database_url: str = Field("", description="A PostgreSQL of yours, 15 or later; default: the embedded one.")
    keys_file: Path | None = Field(None, description="The key ring; default HOME/keys.json in sandbox mode.")
    keys: SecretStr | None = Field(
        None, description="The key ring itself, as the key file's JSON, in place of a file. A change needs a restart."
    )
    allow_embedded: bool = Field(False, description="Live mode on the embedded database needs this said.")
    callback_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Hosts or networks that callbacks may reach although they are private, comma-separated."
    )
    provider_hosts: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        description="Another base URL for a connector's host, e.g. through an egress proxy: klarna=https://…,tabby=https://…",
    )
    log_level: str = Field("INFO", description="Least level that is logged: DEBUG, INFO, WARNING or ERROR.")
    log_format: str = Field("auto", pattern="^(auto|json|text)$", description="`auto`: text on a terminal, else JSON.")

    max_requests: int = Field(
        200,
        ge=5,
        le=10_000,
        description="Requests that one API process works on at once; those over it are answered 503. New orders leave a fifth free.",
    )
    body_timeout: float = Field(10.0, gt=0, description="Seconds in which a request's whole body must have come.")
    write_rate: float = Field(
        50.0,
        ge=0,
        description="Writes a second per merchant and API process; bursts of ten seconds' worth pass. 0: no limit.",
    )
    token_rate: float = Field(
        10.0, ge=0, description="`POST /token` a second per address and client id; bursts as above. 0: no limit."
    )
    database_pool: int = Field(10, ge=2, le=200, description="Connections per process at most, and one beside them.")
    database_wait: float = Field(
        1.5, gt=0, description="Seconds that a request waits for a database connection before it is answered 503."
    )
    job_concurrency: int = Field(40, ge=20, le=1000, description="Jobs that one worker runs at once at most.")
    provider_connect_timeout: float = Field(5.0, gt=0, description="Seconds to open a connection to a provider.")
    provider_timeout: float = Field(
        70.0, gt=0, description="Seconds for a provider's whole answer (Afterpay names 70)."
    )
    provider_calls: int = Field(
        50,
        ge=1,
        le=10_000,
        description="Calls to one provider's host at once per process; as many more wait two seconds.",
    )
    provider_failures: int = Field(
        20,
        ge=1,
        description="Calls to a provider's host that fail in a row (no connection, time-out, 5xx) before none goes out.",
    )
    provider_pause: float = Field(
        5.0, ge=0, description="Seconds that none goes out then, until one tries whether it is back."
    )
    delivery_timeout: float = Field(15.0, gt=0, description="Seconds in which a merchant's endpoint must answer.")
    call_log_days: int = Field(
        400,
        ge=30,
        description="Days that a call to a provider is kept in `provider_calls`: longer than anybody disputes a payment.",
    )
    lease: float = Field(30.0, gt=0, description="Seconds after its holder's death until a claim lapses.")
    race_wait: float = Field(10.0, ge=0, description="Seconds that a return waits for a confirm already under way.")
    shutdown_grace: float = Field(20.0, ge=0, description="Seconds that running requests and jobs get to end.")
    sandbox_hold: float = Field(75.0, gt=0, description="Seconds that a simulated time-out holds its answer back.")
    sandbox_slow: float = Field(3.0, ge=0, description="Seconds that the simulated fault `slow` takes.")
    crash_points: Path | None = Field(
        None, description="Folder in which a file named like a crash point ends the process there; sandbox mode only."
    )

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError(f"{value!r} is none of DEBUG, INFO, WARNING and ERROR")
        return value.upper()

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            try:
                network = ip_network(part, strict=False)
            except ValueError:
                raise ValueError(
                    f"{part!r} is neither an address nor a network, such as 10.0.0.1 or 10.0.0.0/8"
                ) from None
            if network.prefixlen == 0:
                raise ValueError(f"{part!r} is everybody: then any caller could give himself any address")
        return value

    @field_validator("callback_allow", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("provider_hosts", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return dict(part.strip().split("=", 1) for part in value.split(",") if "=" in part)

    @model_validator(mode="after")
    def _one_ring(self) -> Settings:
        if self.keys is not None and self.keys_file is not None:
            raise ValueError("PAYMUX_KEYS and PAYMUX_KEYS_FILE can't both be set: which of them would count?")
        return self

    @property
    def sandbox(self) -> bool:
        """Whether this installation plays the providers itself."""
        return self.mode is Mode.SANDBOX

    @cached_property
    def base_url(self) -> str:
        """The public URL of the API, without a trailing slash."""
        return (self.public_url or f"http://{_reachable(self.host)}:{self.port}").rstrip("/")

    @cached_property
    def sandbox_base_url(self) -> str:
        """The URL of the sandbox, without a trailing slash."""
        return (self.sandbox_url or f"http://{_reachable(self.host)}:{self.sandbox_port}").rstrip("/")

    @cached_property
    def keys_path(self) -> Path | None:
        """Where the key ring is; None when PAYMUX_KEYS holds it, and in live mode when nobody said (refused at start, K4)."""
        if self.keys_file is not None or self.keys is not None:
            return self.keys_file
        return self.home / "keys.json" if self.sandbox else None


def described(names: Iterable[str]) -> list[str]:
    """A line per setting, for help and documents: `PAYMUX_PORT  what it means [default]`."""
    lines = []
    for name in names:
        field = Settings.model_fields[name]
        lines.append(f"PAYMUX_{name.upper()}  {field.description} [{default_of(name)}]")
    return lines


def default_of(name: str) -> str:
    """A setting's default as it would be written; `none` when there is none."""
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    return "none" if default is None or default == "" or default == () or default == {} else str(default)


def _reachable(host: str) -> str:
    """A host to call for a host to listen on: the wildcard addresses can't be called."""
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104
