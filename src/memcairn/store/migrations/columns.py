"""Column types as revisions use them; a type that changes gets a new name here, so that old revisions keep theirs."""

from memcairn.store.schema import Document, UtcDateTime

__all__ = ["Document", "UtcDateTime"]
