"""The portal's own keys: one list that signs cookies, one that encrypts secrets at rest.

Each list's first key is the one in use; the rest still open what older keys closed. Keys live in the data
directory, readable by its owner alone, never in the database, so a stolen backup of the database opens nothing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from portal.config import Settings

SECRET_FILE = "secret.keys"
ENCRYPTION_FILE = "encryption.keys"


class KeyProblem(Exception):
    """The keys cannot be used; the text says what an operator must do."""


class Vault:
    """Encrypts and decrypts texts for storage, with the newest key first."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise KeyProblem(
                "An encryption key is not usable: each must be 32 bytes in URL-safe base64. "
                f"Check PORTAL_ENCRYPTION_KEYS or {ENCRYPTION_FILE}."
            ) from error

    def close(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, closed: str) -> str:
        """Raises `KeyProblem` when none of the keys fits."""
        try:
            return self._fernet.decrypt(closed.encode()).decode()
        except InvalidToken as error:
            raise KeyProblem(
                "A stored secret cannot be opened with the present encryption keys. "
                "Put the earlier key back into the list, behind the current one."
            ) from error

    def renew(self, closed: str) -> str:
        """The same secret under the newest key."""
        try:
            return self._fernet.rotate(closed.encode()).decode()
        except InvalidToken as error:
            raise KeyProblem("A stored secret cannot be opened with the present encryption keys.") from error


def secret_keys(settings: Settings) -> tuple[str, ...]:
    return settings.secret_keys or _kept(settings.keys_dir / SECRET_FILE, lambda: secrets.token_urlsafe(48))


def encryption_keys(settings: Settings) -> tuple[str, ...]:
    return settings.encryption_keys or _kept(
        settings.keys_dir / ENCRYPTION_FILE, lambda: Fernet.generate_key().decode()
    )


def rotate(settings: Settings) -> None:
    """Put a new key in front of both lists. Raises `KeyProblem` when the keys come from the environment."""
    if settings.secret_keys or settings.encryption_keys:
        raise KeyProblem(
            "The keys come from the environment: put a new one in front of PORTAL_SECRET_KEYS and "
            "PORTAL_ENCRYPTION_KEYS yourself, then run this again with --re-encrypt-only."
        )
    for name, make in (
        (SECRET_FILE, lambda: secrets.token_urlsafe(48)),
        (ENCRYPTION_FILE, lambda: Fernet.generate_key().decode()),
    ):
        path = settings.keys_dir / name
        kept = _kept(path, make)
        _write(path, (make(), *kept))


def _kept(path: Path, make: Callable[[], str]) -> tuple[str, ...]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            _write(path, (make(),), exclusive=True)
        except FileExistsError:
            pass  # another process of this portal was quicker on the first start; its key is the key
    keys = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    if not keys:
        raise KeyProblem(f"{path.name} in the keys directory is empty. Restore it from where you keep your keys.")
    return keys


def _write(path: Path, keys: tuple[str, ...], exclusive: bool = False) -> None:
    target = path if exclusive else path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC)
    handle = os.open(target, flags, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write("\n".join(keys) + "\n")
    if not exclusive:
        os.replace(target, path)
