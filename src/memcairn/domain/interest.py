"""Interest in a plan this server does not sell, kept for whoever runs it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interest:
    """Whom to write to, and what about."""

    email: str
    name: str
    company: str | None = None
    use_case: str | None = None
    notes: str | None = None
