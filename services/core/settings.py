"""One typed settings object, read once in a composition root.

Environment variables win over `var/runtime.json`, which a running `huiying up` leaves for commands started
beside it (addresses of its internal services; readable by its owner only) and that counts only while it runs.
"""

import fcntl
import json
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from services.core.addresses import networks
from services.core.crypto import read_or_create_secret
from services.core.limits import PerAddress

RUNTIME_FILE = "runtime.json"
LOCK_FILE = "running.lock"


class Settings(BaseSettings):
    """Every setting, by environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore")

    var_dir: Path = Field(Path("var"), validation_alias="HUIYING_VAR")
    database_url: str = ""
    redis_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    city_dir: Path | None = None
    city_name: str = "示范市"

    embedding_model: str = ""
    reranker_model: str = ""

    rasa_url: str = ""
    rasa_token: SecretStr = SecretStr("")
    action_url: str = ""
    sandbox_url: str = ""
    connector_secrets: dict[str, SecretStr] = Field({}, description="by name; CONNECTOR_SECRET_NAME wins")
    sms_url: str = Field("", description="gateway of text messages; empty: the sandbox")
    smtp_url: SecretStr = Field(SecretStr(""), description="smtp://host:25, smtps://name:password@host:465")
    mail_sender: str = Field("", description="the address that mail comes from")
    wechat_url: str = Field("https://api.weixin.qq.com", description="of official accounts")
    wecom_url: str = Field("https://qyapi.weixin.qq.com", description="of group robots of enterprise WeChat")
    worker_heartbeat_seconds: float = 5.0

    secret_keys: SecretStr = SecretStr("")
    hash_secret: SecretStr = Field(SecretStr(""), description="the first secret key, once it has left SECRET_KEYS")
    secure_cookies: bool = False

    trusted_proxies: str = Field("", description="addresses and networks whose X-Forwarded-For and -Proto count")
    allowed_hosts: str = Field("", description="names that the service answers to; empty: its own loopback, else any")
    metrics_token: SecretStr = Field(SecretStr(""), description="who may read /metrics; empty: this machine alone")

    turn_seconds: float = Field(10.0, description="a turn is bounded by this (DESIGN, life of a message, 9)")
    patience_seconds: float = Field(2.0, description="after this the citizen reads 正在查询")
    claim_lapse_minutes: int = 15
    message_limit: int = Field(2000, description="characters of one message")
    conversations_per_minute: int = Field(600, ge=1, description="opened from one address")
    logins_at_once: int = Field(2, ge=1, description="passwords checked at the same time, each 64 MB and a core")
    logins_waiting: int = Field(8, ge=0, description="that wait for it; others are told to come back")
    logins_per_minute: int = Field(60, ge=1, description="of one name from one address")
    wrong_passwords: int = Field(10, ge=1, description="of one name from one address, before each further one waits")
    wrong_passwords_of_name: int = Field(30, ge=1, description="from addresses that it never logged in from")
    wrong_passwords_of_address: int = Field(60, ge=1, description="for names that never logged in from there")
    alarms_per_address: int = Field(10, ge=1, description="urgent cases an hour that are believed at once")
    additions_per_address: int = Field(300, ge=1, description="words and files an hour for cases")
    wrong_guesses_per_address: int = Field(100, ge=1, description="lookups an hour that find nothing or do not fit")
    identifiers_per_address: int = Field(400, ge=1, description="different numbers a day that are looked up")
    body_limit: int = Field(64 * 1024, description="bytes of a JSON request body")
    attachment_limit: int = Field(12 * 1024 * 1024, description="bytes of a photo or document that a citizen sends")
    upload_limit: int = Field(32 * 1024 * 1024, description="bytes of an uploaded file")

    @model_validator(mode="after")
    def _fill_defaults(self) -> "Settings":
        self.var_dir = self.var_dir.absolute()
        if not self.database_url:
            self.database_url = f"sqlite:///{self.var_dir / 'huiying.db'}"
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _RuntimeFile(settings_cls, env_settings, init_settings)

    @classmethod
    def of_own(cls) -> "Settings":
        """The settings of a process that starts the others: nothing of what a running one left for its company."""
        return _OwnSettings()

    @field_validator("trusted_proxies")
    @classmethod
    def _only_networks(cls, value: str) -> str:
        networks(value)
        return value

    @property
    def per_address(self) -> PerAddress:
        return PerAddress(
            alarms=self.alarms_per_address,
            additions=self.additions_per_address,
            wrong_guesses=self.wrong_guesses_per_address,
            identifiers=self.identifiers_per_address,
        )

    def secret_key_list(self) -> list[str]:
        """The secret keys, newest first: from SECRET_KEYS (comma-separated), else the installation's own file."""
        given = [key.strip() for key in self.secret_keys.get_secret_value().split(",") if key.strip()]
        return given or [read_or_create_secret(self.var_dir / "secret.key")]


class _OwnSettings(Settings):
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings


def is_running(var_dir: Path) -> bool:
    """Whether a supervisor, or what it started, still works with the data in `var_dir`: then its lock is held."""
    try:
        with (var_dir / LOCK_FILE).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # held, or nobody's to look at
        return True
    return False


class _RuntimeFile(PydanticBaseSettingsSource):
    """`var/runtime.json` of the supervisor that runs on this machine, when there is one."""

    def __init__(self, settings_cls: type[BaseSettings], *stronger: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._stronger = stronger

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # this source answers as a whole

    def __call__(self) -> dict[str, Any]:
        var_dir = Path("var")
        for source in self._stronger:
            found = source().get("HUIYING_VAR") or source().get("var_dir")
            if found:
                var_dir = Path(found)
        if not is_running(var_dir):
            # Left behind by one that was killed: its addresses lead nowhere, or to somebody else.
            return {}
        try:
            content = json.loads((var_dir / RUNTIME_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return {key: value for key, value in content.items() if key in Settings.model_fields}
