"""Models as responses, encoded once."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, TypeAdapter

_FIELDS = TypeAdapter(dict[str, Any])


def answer(model: BaseModel, status: int = 200) -> Response:
    """The model as JSON. Returned instead of the model itself, it is not validated a second time."""
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


def answer_of(fields: dict[str, Any]) -> Response:
    """The fields of a model as JSON, for answers of which many are given and much is in each."""
    return Response(_FIELDS.dump_json(fields), media_type="application/json")
