"""`/connectors`, as a deployment without connectors answers: nothing is connected, and nothing can be."""

from starlette.responses import JSONResponse, Response

from memcairn.api.memsy.call import Call
from memcairn.api.memsy.errors import RefusalError
from memcairn.api.memsy.schemas import S3Configuration


async def list_providers(_call: Call) -> Response:
    return JSONResponse({"providers": []})


async def get_status(_call: Call) -> Response:
    return JSONResponse({"connected": False, "display_name": None})


async def connect(call: Call) -> Response:
    provider = call.path("provider")
    if provider == "s3":
        message = "S3 is not connected by consent but with credentials: use /connectors/s3/configure."
        raise RefusalError(400, "provider_without_oauth", message)
    message = f"This server has no app registered with a provider {provider[:40]!r}, so nobody could consent to it."
    raise RefusalError(400, "provider_not_configured", message)


async def configure_s3(call: Call) -> Response:
    """The configuration is checked, and then refused: none of it is kept."""
    await call.body(S3Configuration)
    raise RefusalError(
        403,
        "feature_not_available",
        "The configuration is well formed, but this server has no connectors yet. Nothing of it was stored; send what "
        "the bucket holds through /ingest.",
        feature="connectors",
        current_tier=call.terms.plan,
        upgrade_url=None,
    )


async def list_all(_call: Call) -> Response:
    return JSONResponse([])


async def unknown(_call: Call) -> Response:
    """Every connector is, since there are none."""
    raise RefusalError(404, "connector_not_found", "There is no such connector.")
