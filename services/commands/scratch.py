"""Settings of a system that is started only to be measured."""

import os
from pathlib import Path

from services.core.settings import Settings

# What a measurement may share with the running system: nothing that it would change.
SHARED = ("models", "rasa", "embeddings.db")


def scratch_settings(own: Settings, folder: Path) -> Settings:
    """Settings of a fresh system in `folder` on the embedded defaults, beside the installation of `own`."""
    own.var_dir.mkdir(parents=True, exist_ok=True)
    for name in SHARED:
        target = own.var_dir / name
        if name != "embeddings.db":
            target.mkdir(exist_ok=True)
        (folder / name).symlink_to(target)
    fresh = {name: "" for name in ("database_url", "redis_url", "rasa_url", "action_url", "sandbox_url")}
    os.environ.pop("DATABASE_URL", None)
    return Settings.model_validate(
        {"HUIYING_VAR": folder, "embedding_model": own.embedding_model, "city_dir": own.city_dir, **fresh}
    )
