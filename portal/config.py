"""Every setting of the portal, typed and named once. The only reader of the environment.

Settings come from environment variables; what is not set has a default that is right for a small firm on one
machine. Keys are the exception: they are made on first start in the data directory (see `portal.keys`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from environs import Env

MAIL_PORTS = {"smtp": 587, "smtps": 465}
BAD_MAIL_URL = (
    "PORTAL_MAIL_URL cannot be understood. Write smtp://user:password@host:587, or smtps:// for a server that speaks "
    "TLS from the start; characters such as @ and / in the password are written %40 and %2F."
)


@dataclass(frozen=True)
class VendorApp:
    """The credentials under which this portal is registered with a vendor.

    An empty `client_id` means: not given by environment, an admin may enter it on the app's panel.
    """

    client_id: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class SingleSignOn:
    """OpenID Connect sign-in. Off unless an issuer is given."""

    issuer: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    label: str = "single sign-on"

    @property
    def is_on(self) -> bool:
        return bool(self.issuer and self.client_id)


@dataclass(frozen=True)
class MailServer:
    """Where outgoing mail is handed in, and under which address it comes. Off unless both are given."""

    host: str = ""
    port: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    is_tls: bool = False  # from the first byte (smtps); else it is begun where the server offers it
    sender: str = ""

    @property
    def is_on(self) -> bool:
        return bool(self.host and self.sender)


@dataclass(frozen=True)
class Settings:
    data_dir: Path
    database_url: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 5000
    public_url: str = "http://localhost:5000"
    proxies: int = 0
    demo: bool = False
    scheduler: bool = True
    tick_seconds: float = 30.0
    sandbox_port: int = 5055
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    encryption_keys: tuple[str, ...] = field(default=(), repr=False)
    idle_limit: timedelta = timedelta(minutes=30)
    absolute_limit: timedelta = timedelta(hours=12)
    log_level: str = "INFO"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # as it was, for the apps' own settings
    sso: SingleSignOn = SingleSignOn()
    mail: MailServer = MailServer()

    def of_app(self, name: str, default: str) -> str:
        """A setting that an app's adapter declares, such as its base address; an empty one counts as not set."""
        return self.environment.get(name, "").strip() or default

    def registration(self, vendor: str) -> VendorApp:
        """What the environment gives as this portal's registration with a vendor: QUICKBOOKS_CLIENT_ID and _SECRET."""
        prefix = vendor.upper()
        return VendorApp(self.of_app(f"{prefix}_CLIENT_ID", ""), self.of_app(f"{prefix}_CLIENT_SECRET", ""))

    @property
    def is_https(self) -> bool:
        """Whether people reach the portal over TLS; decides on secure cookies and HSTS."""
        return urlsplit(self.public_url).scheme == "https"

    @property
    def keys_dir(self) -> Path:
        return self.data_dir / "keys"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"


def from_environment() -> Settings:
    """Read the settings. Raises `environs.EnvError` naming the variable when a value cannot be understood."""
    env = Env()
    data_dir = Path(env.str("PORTAL_DATA_DIR", "var")).resolve()
    port = env.int("PORT", 5000)
    return Settings(
        data_dir=data_dir,
        database_url=_with_driver(env.str("PORTAL_DATABASE_URL", f"sqlite:///{data_dir / 'portal.db'}")),
        host=env.str("HOST", "127.0.0.1"),
        port=port,
        public_url=env.str("PORTAL_PUBLIC_URL", f"http://localhost:{port}").rstrip("/"),
        proxies=env.int("PORTAL_PROXIES", 0),
        demo=env.bool("PORTAL_DEMO", False),
        scheduler=env.bool("PORTAL_SCHEDULER", True),
        tick_seconds=env.float("PORTAL_TICK_SECONDS", 30.0),
        sandbox_port=env.int("SANDBOX_PORT", 5055),
        secret_keys=tuple(env.list("PORTAL_SECRET_KEYS", [])),
        encryption_keys=tuple(env.list("PORTAL_ENCRYPTION_KEYS", [])),
        idle_limit=timedelta(minutes=env.int("PORTAL_IDLE_MINUTES", 30)),
        absolute_limit=timedelta(hours=env.int("PORTAL_SESSION_HOURS", 12)),
        log_level=env.str("PORTAL_LOG_LEVEL", "INFO").upper(),
        environment=dict(os.environ),
        sso=SingleSignOn(
            issuer=env.str("OIDC_ISSUER", ""),
            client_id=env.str("OIDC_CLIENT_ID", ""),
            client_secret=env.str("OIDC_CLIENT_SECRET", ""),
            label=env.str("OIDC_LABEL", "single sign-on"),
        ),
        mail=mail_server(env.str("PORTAL_MAIL_URL", ""), env.str("PORTAL_MAIL_FROM", "")),
    )


def mail_server(url: str, sender: str) -> MailServer:
    """What PORTAL_MAIL_URL and PORTAL_MAIL_FROM say. Raises ValueError, which never repeats the address: a password may
    stand in it."""
    url, sender = url.strip(), sender.strip()
    if not url:
        return MailServer()
    if not re.fullmatch(r"[!-;=?A-~]+@[A-Za-z0-9.-]+", sender):
        raise ValueError("PORTAL_MAIL_FROM must be the address mail comes from, such as billing@example.com.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(BAD_MAIL_URL) from None
    if parts.scheme not in MAIL_PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(BAD_MAIL_URL)
    return MailServer(
        host=host, port=port or MAIL_PORTS[parts.scheme], user=unquote(parts.username or ""),
        password=unquote(parts.password or ""), is_tls=parts.scheme == "smtps", sender=sender,
    )  # fmt: skip


def _with_driver(url: str) -> str:
    """Hosting panels hand out `postgres://` and `postgresql://`; SQLAlchemy wants the driver named."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url
