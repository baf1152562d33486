"""Every setting, read once from the environment by the composition root and the command line."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from memcairn.domain.errors import Invalid

PREFIX = "MEMCAIRN_"
DEFAULT_PORT = 8642
_POSTGRES = ("postgresql://", "postgres://", "postgresql+psycopg://")


class Settings(BaseSettings):
    """Read from `MEMCAIRN_<NAME>`; an unknown name with this prefix is an error, so that a typo cannot pass unseen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = DEFAULT_PORT
    """The port to listen on; 0 takes a free one."""
    data_dir: Path = Path("memcairn-data")
    """The folder of the SQLite database."""
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    """`sqlite:///path` or `postgresql://…`. Default: `memory.db` in the data folder."""
    database_connections: Annotated[int, Field(ge=2, le=1_000)] = 10
    """Connections to Postgres that this process may hold, half of them for reads and half for writes."""
    database_timeout_seconds: Annotated[float, Field(ge=1, le=3_600)] = 30
    """How long one statement on Postgres may take before it is stopped and the request answered 503."""
    api_key: SecretStr | None = None
    """The first admin key of the org `default`, whatever its shape. Without it one is made and shown once."""
    embedder: str = "static"
    """What turns text into vectors: `static` (built in), `fastembed:<model or folder>`, `openai:<model>`."""
    embedder_base_url: str | None = None
    """Address of an endpoint that speaks OpenAI's `/embeddings`, such as `http://127.0.0.1:8080/v1`."""
    embedder_api_key: SecretStr | None = None
    """The key for that endpoint, or for OpenAI."""
    embedder_dimensions: Annotated[int, Field(ge=8, le=8_192)] | None = None
    """Width to ask an endpoint for; without it the model's own, which the server asks for as it starts."""
    embedder_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    """How long an endpoint may take for a batch of texts."""
    embedder_query_seconds: Annotated[float, Field(gt=0, le=60)] = 2
    """How long an endpoint may take for a question; a search then goes on by words alone."""
    embedder_retries: Annotated[int, Field(ge=0, le=10)] = 3
    """Further tries for a batch that an endpoint failed, behind `Retry-After` or growing pauses."""
    embedder_batch: Annotated[int, Field(ge=1, le=2_048)] = 64
    """Texts sent to an endpoint at once."""
    reranker: str | None = None
    """A second look at the best hits: `fastembed:<model or folder>`, or the address of a `/rerank` endpoint."""
    reranker_api_key: SecretStr | None = None
    """The key for that endpoint."""
    reranker_model: str | None = None
    """The model to name to that endpoint, where it wants one."""
    reranker_seconds: Annotated[float, Field(gt=0, le=60)] = 0.5
    """How long a search waits for the reranker; the first ranking stands after that."""
    reranker_weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    """What the reranker says beside the first ranking; 1: its order alone."""
    reranker_candidates: Annotated[int, Field(ge=2, le=200)] = 30
    """Hits of the first ranking that the reranker reads at least."""
    summary_window: Annotated[int, Field(ge=2, le=1_000)] = 12
    """Unsummarised messages of a session at which the older half of them is folded into a new summary."""
    promotion_min_actors: Annotated[int, Field(ge=2, le=1_000)] = 3
    """Different people who must hold the same memory before it rises to their role or team."""
    tokenizer: Path | None = None
    """A `tokenizer.json` to count tokens with (extra `tokens`); without one they are estimated."""
    purge_interval: Annotated[float, Field(ge=0, le=525_600)] = 60
    """Minutes between two purges; 0: only on demand."""
    purge_after: Annotated[int, Field(ge=0, le=315_360_000)] = 0
    """Seconds something stays restorable after it was deleted; the purge then removes it for good."""
    rate_limit_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Requests an org may make in a minute, at once or spread; without it there is no limit."""
    quota_api_calls: Annotated[int, Field(ge=0)] | None = None
    """Requests an org may make in a calendar month (UTC); without it, as with the quotas below, there is no limit."""
    quota_events_ingested: Annotated[int, Field(ge=0)] | None = None
    """Events an org may send in a month."""
    quota_memories_stored: Annotated[int, Field(ge=0)] | None = None
    """Memories with which an org may still send events."""
    quota_search_queries: Annotated[int, Field(ge=0)] | None = None
    """Searches an org may make in a month."""
    quota_llm_tokens: Annotated[int, Field(ge=0)] | None = None
    """Tokens of language models that may be spent on an org in a month."""
    keys_per_org: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Usable keys an org may make over the API; the command line makes more."""
    memsy_plan: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")] = "self-hosted"
    """What `/memsy` calls its plan. `free` takes no `org_id` with events and searches, as the free plan of Memsy."""
    memsy_content_chars: Annotated[int, Field(ge=1, le=32_000)] = 8_000
    """The longest content of an event at `/memsy`, in characters."""
    worker: bool = True
    """Whether `serve` processes events, or leaves them to `memcairn worker`."""
    worker_process: bool | None = None
    """Whether `serve` processes events in a second process beside its own; by default where there are several cores."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe log line to write."""
    log_json: bool | None = None
    """Log lines as JSON; by default when standard error is not a terminal."""
    cache_mb: Annotated[int, Field(ge=8, le=65_536)] = 768
    """The most memory that recently searched scopes may take, in MiB. An org of a million memories takes about 550; one
    that does not fit into four fifths of this is searched on disk when all of it is asked for, which takes seconds."""
    max_body_mb: Annotated[float, Field(gt=0, le=256)] = 8
    """The largest request body, in MiB."""
    header_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 10
    """How long a client may take to send the head of a request."""
    body_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    """How long a client may take to send the body of a request."""
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """Connections open at once; more are turned away."""
    max_concurrent_requests: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Requests under way at once; more are answered 503 with `Retry-After`, and while several keys ask, so is a key of
    which half as many wait already."""

    @property
    def postgres_url(self) -> str | None:
        """The address of the Postgres database, if the data is in one."""
        return self.url if self.url is not None and self.url.startswith(_POSTGRES) else None

    @property
    def database_name(self) -> str:
        """Where the data is, as it may be shown: without password and options."""
        if self.postgres_url is None:
            return str(self.sqlite_path)
        parts = urlsplit(self.postgres_url)
        place = parts.netloc.rpartition("@")[2]
        user = f"{parts.username}@" if parts.username else ""
        return f"postgresql://{user}{place}{parts.path}"

    @property
    def sqlite_path(self) -> Path:
        """The SQLite file: from the URL if there is one, else in the data folder. Invalid if the data is elsewhere."""
        url = self.url
        if url is None:
            return self.data_dir / "memory.db"
        if not url.startswith("sqlite:///"):
            raise Invalid(
                "DATABASE_URL names no SQLite database, and this needs one. Use sqlite:///path/to/file.db, or leave it "
                "unset."
                if self.postgres_url is not None
                else "DATABASE_URL names a database this installation cannot open. Use sqlite:///path/to/file.db or "
                "postgresql://user:password@host:5432/name, or leave it unset.",
                code="database_url",
            )
        return Path(url.removeprefix("sqlite:///"))

    @property
    def url(self) -> str | None:
        return None if self.database_url is None else self.database_url.get_secret_value()


def load(overrides: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process; `overrides` (from the command line) win. Invalid says which variable is wrong."""
    _refuse_unknown(os.environ if environ is None else environ)
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    if "data_dir" in given:
        given.setdefault("database_url", None)  # a folder on the command line wins over DATABASE_URL
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        shown = name if name.isupper() else PREFIX + name.upper()
        raise Invalid(f"The setting {shown} is not usable: {first['msg']}.", code="invalid_setting") from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} - {PREFIX + "DATABASE_URL"} | {"DATABASE_URL"}
    known |= {PREFIX + "BASE_URL"}  # read by the client, which may run in the same environment
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in known or name.startswith(PREFIX + "TEST_"):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else " `memcairn doctor` lists the settings there are."
        raise Invalid(f"The environment variable {name} is not a setting of Memcairn.{hint}", code="unknown_setting")
