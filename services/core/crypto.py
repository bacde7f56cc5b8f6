"""Encryption at rest, keyed hashes and signed references, all derived from the settings' secret keys.

The first key of the list encrypts and signs; the others still decrypt and verify, so that a key is
rotated by putting a new one in front.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous import BadSignature, URLSafeSerializer

from services.core.errors import Forbidden, NotFound

REFERENCE_SECONDS = 15 * 60


class Reference(NamedTuple):
    """Who a Rasa turn speaks for: the conversation and the message's sequence number in it."""

    conversation_id: str
    message_seq: int


def _derive(secret: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())


class Secrets:
    """All that is done with the secret keys (`secret_keys`: newest first, each of at least 32 characters).

    `hash_secret` is the key that keyed hashes were first made with, once it is no longer in the list.
    """

    def __init__(self, secret_keys: list[str], hash_secret: str = "") -> None:
        if not secret_keys or any(len(key) < 32 for key in [*secret_keys, hash_secret or secret_keys[0]]):
            raise ValueError("a secret key needs at least 32 characters")
        fernets = [Fernet(base64.urlsafe_b64encode(_derive(key, "at-rest"))) for key in secret_keys]
        self._newest = fernets[0]
        self._fernet = MultiFernet(fernets)
        # The hash key must not change with a rotation, or nothing would be found again: it hangs on the oldest key,
        # or on the one that is kept for it when that key has left the list.
        self._hash_key = _derive(hash_secret or secret_keys[-1], "keyed-hash")
        self.newest_mark = hashlib.sha256(_derive(secret_keys[0], "mark")).hexdigest()[:16]
        self._signing_keys = [_derive(key, "reference").hex() for key in reversed(secret_keys)]
        self._serializer = URLSafeSerializer(self._signing_keys, salt="conversation-reference")

    def encrypt(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Raises ValueError when no key of the list fits."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken:
            raise ValueError("stored text cannot be decrypted with the configured secret keys") from None

    def encrypt_bytes(self, content: bytes) -> str:
        return self._fernet.encrypt(content).decode()

    def decrypt_bytes(self, token: str) -> bytes:
        """Raises ValueError when no key of the list fits."""
        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            raise ValueError("stored content cannot be decrypted with the configured secret keys") from None

    def is_newest(self, token: str) -> bool:
        """Whether the newest key made this."""
        try:
            self._newest.decrypt(token.encode())
        except InvalidToken:
            return False
        return True

    def renew(self, token: str) -> str:
        """The same text, encrypted with the newest key. Raises ValueError when no key of the list fits."""
        try:
            return self._fernet.rotate(token.encode()).decode()
        except InvalidToken:
            raise ValueError("stored text cannot be decrypted with the configured secret keys") from None

    def keyed_hash(self, text: str) -> str:
        """HMAC-SHA256 in hex, to find an encrypted identifier again without storing it."""
        return hmac.new(self._hash_key, text.encode(), hashlib.sha256).hexdigest()

    def sign_reference(self, conversation_id: str, message_seq: int, now: datetime) -> str:
        """A reference that `verify_reference` accepts for 15 minutes."""
        expires = int(now.timestamp()) + REFERENCE_SECONDS
        signed = self._serializer.dumps([conversation_id, message_seq, expires])
        return signed.decode() if isinstance(signed, bytes) else signed

    def verify_reference(self, reference: str, now: datetime) -> Reference:
        """Raises Forbidden when the reference is forged or has expired."""
        try:
            conversation_id, message_seq, expires = self._serializer.loads(reference)
        except (BadSignature, ValueError, TypeError):
            raise Forbidden("会话凭据无效") from None
        if now.timestamp() > expires:
            raise Forbidden("会话凭据已过期")
        return Reference(str(conversation_id), int(message_seq))

    def sign_link(self, purpose: str, values: Sequence[str | int], expires: datetime) -> str:
        """A text for an address that `read_link` of the same purpose turns back until it expires."""
        signed = URLSafeSerializer(self._signing_keys, salt=f"link-{purpose}").dumps(
            [*values, int(expires.timestamp())]
        )
        return signed.decode() if isinstance(signed, bytes) else signed

    def read_link(self, purpose: str, link: str, now: datetime) -> list[str | int]:
        """Raises NotFound for a link that is forged, of another purpose, or expired."""
        try:
            values: list[str | int]
            *values, expires = URLSafeSerializer(self._signing_keys, salt=f"link-{purpose}").loads(link)
            over = now.timestamp() > float(expires)
        except (BadSignature, ValueError, TypeError):
            raise NotFound("链接无效") from None
        if over:
            raise NotFound("链接已过期")
        return values


def new_token() -> str:
    """A bearer token with 256 bits of randomness."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Bearer tokens are stored as their SHA-256 only; they are random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_or_create_secret(path: Path) -> str:
    """The installation's own secret key, made at the first start (mode 0600) and kept."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    made = secrets.token_urlsafe(48)
    temporary = path.with_suffix(f".{secrets.token_hex(4)}")
    temporary.touch(mode=0o600)
    temporary.write_text(made)
    try:
        # A hard link fails when another process was first, where a rename would replace its key.
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_text().strip()
