"""`/collection`. Metadata is replaced here, not merged."""

from starlette.responses import Response

from memcairn.api.zep.answers import as_json, as_json_list, ok
from memcairn.api.zep.call import Call
from memcairn.api.zep.schemas import CollectionUpdate, NewCollection
from memcairn.api.zep.views import collection_view
from memcairn.core import collections as core
from memcairn.domain.errors import Invalid


async def add(call: Call) -> Response:
    new = await call.body(NewCollection)
    name = call.path("name")
    if new.name.lower() != name.lower():
        raise Invalid(f"The name in the body, {new.name[:100]!r}, must be the one in the path.")
    await core.add_collection(
        call.deps,
        call.principal,
        name,
        description=new.description,
        metadata=new.metadata,
        embedding_dimensions=new.embedding_dimensions,
        is_auto_embedded=new.is_auto_embedded,
    )
    return ok()


async def get(call: Call) -> Response:
    return as_json(collection_view(await core.get_collection(call.deps, call.principal, call.path("name"))))


async def update(call: Call) -> Response:
    """Description and metadata; whatever else the client sends along, `is_auto_embedded` above all, is ignored."""
    given = await call.body(CollectionUpdate)
    await core.update_collection(
        call.deps, call.principal, call.path("name"), description=given.description, metadata=given.metadata
    )
    return ok()


async def list_all(call: Call) -> Response:
    return await as_json_list(await core.all_collections(call.deps, call.principal), collection_view)


async def delete(call: Call) -> Response:
    await core.delete_collection(call.deps, call.principal, call.path("name"))
    return ok()


async def create_index(call: Call) -> Response:
    """Nothing to do: every collection is searched exactly, and at once."""
    await core.get_collection(call.deps, call.principal, call.path("name"))
    return ok()
