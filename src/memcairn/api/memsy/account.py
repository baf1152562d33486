"""The control plane: who asks, what was used, API keys, and the billing this server does not do."""

from datetime import UTC, datetime, timedelta

from starlette.responses import JSONResponse, Response

from memcairn.api.memsy.call import Call
from memcairn.api.memsy.errors import RefusalError, invalid
from memcairn.api.memsy.schemas import InterestNote, NewKey
from memcairn.api.memsy.values import zulu
from memcairn.api.memsy.views import key_view, point_view, use_view
from memcairn.core import keys
from memcairn.core.interest import express_interest, has_expressed_interest
from memcairn.core.usage import key_usage, usage_summary, usage_timeseries
from memcairn.domain.errors import Forbidden
from memcairn.domain.interest import Interest
from memcairn.domain.keys import ApiKey, KeyScope
from memcairn.domain.usage import Dimension, Granularity, next_month

GRANULARITIES = {"daily": Granularity.DAY, "hourly": Granularity.HOUR}
INTEREST_PATH = "/interest/pro"
ADMIN_ROLE, MEMBER_ROLE = "org:admin", "org:member"
_KEYS_AT_ONCE = 200


async def who_am_i(call: Call) -> Response:
    """Open to every valid key. A key stands for its org: there are no people with addresses behind it."""
    principal = call.principal
    is_admin = KeyScope.ADMIN in principal.scopes
    me = {
        "customer_id": principal.org_id,
        "email": "",
        "tier": call.terms.plan,
        "is_superadmin": False,
        "org_id": principal.org_id,
        "is_billing_admin": is_admin,
        "user_id": principal.key_id,
        "org_role": ADMIN_ROLE if is_admin else MEMBER_ROLE,
    }
    return JSONResponse(me)


async def get_summary(call: Call) -> Response:
    summary = await usage_summary(call.deps, call.principal)
    period = {"period_start": zulu(summary.start), "period_end": zulu(summary.end)}
    dimensions = [use_view(use) for use in summary.dimensions]
    return JSONResponse({"org_id": summary.org_id, "tier": call.terms.plan, **period, "dimensions": dimensions})


async def get_timeseries(call: Call) -> Response:
    """Both ends of the period belong to it; a day is meant whole."""
    word = call.choice("granularity", GRANULARITIES, "daily") or "daily"
    dimension = call.choice("dimension", [each.value for each in Dimension])
    start, end = _start_of(call.text("period_start")), _end_of(call.text("period_end"))
    if start is not None and end is None:
        end = next_month(call.deps.clock.now())
    series = await usage_timeseries(
        call.deps,
        call.principal,
        granularity=GRANULARITIES[word],
        dimension=None if dimension is None else Dimension(dimension),
        start=start,
        end=end,
    )
    points = [point_view(point, series.granularity) for point in series.points]
    return JSONResponse({"org_id": series.org_id, "granularity": word, "data": points})


async def list_keys(call: Call) -> Response:
    """Every key that was made, those that open nothing any more included."""
    found: list[ApiKey] = []
    cursor = None
    while True:
        page = await keys.own_keys(call.deps, call.principal, limit=_KEYS_AT_ONCE, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    now = call.deps.clock.now()
    shown = [key_view(key, now) for key in found]
    return JSONResponse({"keys": shown, "max_keys": page.limit, "active_count": page.active})


async def create_key(call: Call) -> Response:
    """The answer is the only place where the key itself is ever shown."""
    new = await call.body(NewKey)
    try:
        made = await keys.issue_key(
            call.deps, call.principal, name=new.name, scopes=frozenset(new.scopes), expires_at=new.expires_at
        )
    except Forbidden as error:
        if error.code != "key_limit_reached":
            raise
        page = await keys.own_keys(call.deps, call.principal, limit=1)
        raise RefusalError(403, error.code, error.message, limit=page.limit, current=page.active) from None
    return JSONResponse({"raw_key": made.raw_key} | key_view(made.key, call.deps.clock.now()))


async def delete_key(call: Call) -> Response:
    """Ends the key at once; 404 for one that is unknown or has ended before."""
    await keys.end_key(call.deps, call.principal, call.path("key_id"))
    return Response(status_code=204)


async def get_key_usage(call: Call) -> Response:
    series = await key_usage(call.deps, call.principal, call.path("key_id"))
    return JSONResponse({"usage": [point_view(point, series.granularity) for point in series.points]})


async def get_billing(_call: Call) -> Response:
    message = "Billing is off on this server: there is nothing to pay for."
    raise RefusalError(403, "billing_not_enabled", message, interest_path=INTEREST_PATH)


async def list_invoices(_call: Call) -> Response:
    return JSONResponse([])


async def post_interest(call: Call) -> Response:
    """Kept for whoever runs this server; said again, it replaces what was said before."""
    given = await call.body(InterestNote)
    await express_interest(call.deps, call.principal, Interest(**given.model_dump()))
    return JSONResponse({"message": "Thank you. Your interest is recorded on this server."})


async def get_interest(call: Call) -> Response:
    return JSONResponse({"expressed": await has_expressed_interest(call.deps, call.principal)})


def _start_of(text: str | None) -> datetime | None:
    return None if text is None else _moment(text, "period_start")


def _end_of(text: str | None) -> datetime | None:
    """The moment after the last one meant."""
    if text is None:
        return None
    moment = _moment(text, "period_end")
    try:
        return moment + (timedelta(days=1) if len(text.strip()) <= len("2026-03-01") else timedelta(microseconds=1))
    except OverflowError:
        raise invalid("The query parameter 'period_end' lies too far in the future.") from None


def _moment(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(f"The query parameter {name!r} must be a date such as 2026-03-01.") from None
