"""Describing roles and teams: their names, what matters there, and the prompt that promotion follows.

Every org member may read the descriptions, an admin key may change them; memories are not touched by any of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.deps import Deps
from memcairn.core.idempotency import Repeatable, once
from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.groups import Group, GroupKind
from memcairn.domain.ids import new_id
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.prompts import Prompt, manual_prompt, written_prompt
from memcairn.store import groups, locks


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Some descriptions of a list, in its order; without a `next_cursor` they are the last."""

    items: Sequence[Group]
    next_cursor: str | None


async def create_group(
    deps: Deps,
    principal: Principal,
    kind: GroupKind,
    *,
    name: str,
    focus: str = "",
    group_id: str | None = None,
    promotion_prompt: str | None = None,
    repeatable: Repeatable | None = None,
) -> Group:
    """Describe a role or team; without `group_id` it gets a new one, without a prompt the one its template writes.

    Memories may carry the id already. Conflict when the id is described already.
    """
    principal.require(KeyScope.ADMIN)
    prompt = written_prompt(kind.level, name, focus) if promotion_prompt is None else manual_prompt(promotion_prompt)
    now = deps.clock.now()

    def effect(connection: Connection) -> dict[str, Any]:
        group = Group(
            org_id=principal.org_id,
            kind=kind,
            group_id=group_id or new_id(),
            name=name,
            focus=focus,
            promotion_prompt=prompt.text,
            prompt_meta=prompt.meta,
            created_at=now,
            updated_at=now,
        )
        if groups.get(connection, principal.org_id, kind, group.group_id) is not None:
            raise _taken(kind, group.group_id)
        groups.add(connection, group)
        return _as_json(group)

    def save(connection: Connection) -> Any:
        return once(connection, deps, principal, repeatable, lambda: effect(connection))

    return _from_json(await deps.db.write(save))


async def get_group(deps: Deps, principal: Principal, kind: GroupKind, group_id: str) -> Group:
    """The description of that id; NotFound if the org has none."""
    principal.require(KeyScope.READ)
    return await deps.db.read(_require, principal.org_id, kind, group_id)


async def list_groups(
    deps: Deps, principal: Principal, kind: GroupKind, *, limit: int, cursor: str | None = None
) -> GroupPage:
    """Descriptions in the order they were made."""
    principal.require(KeyScope.READ)
    of = {"groups": kind.value}
    after = None
    if cursor is not None:
        made_at, group_id = cursors.decode(cursor, of, length=2)
        after = groups.GroupMark(cursors.moment(made_at), str(group_id))
    found = await deps.db.read(groups.page, principal.org_id, kind, limit=limit + 1, after=after)
    if len(found) <= limit:
        return GroupPage(found, None)
    last = found[limit - 1]
    return GroupPage(found[:limit], cursors.encode([last.created_at.isoformat(), last.group_id], of))


async def groups_from(deps: Deps, principal: Principal, kind: GroupKind, *, skip: int, limit: int) -> list[Group]:
    """The same list without its first `skip`."""
    principal.require(KeyScope.READ)
    return await deps.db.read(groups.page, principal.org_id, kind, limit=limit, skip=skip)


async def update_group(
    deps: Deps, principal: Principal, kind: GroupKind, group_id: str, values: Mapping[str, str]
) -> Group:
    """Set `name`, `focus` or `promotion_prompt`. A prompt set here stays until it is regenerated; without one, the old
    one stays, whatever else changes.
    """
    principal.require(KeyScope.ADMIN)
    changed = described(values)

    def save(connection: Connection) -> Group:
        locks.alone(connection, principal.org_id, "descriptions")
        before = _require(connection, principal.org_id, kind, group_id)
        if not changed:
            return before
        groups.change(connection, principal.org_id, kind, group_id, {**changed, "updated_at": deps.clock.now()})
        return _require(connection, principal.org_id, kind, group_id)

    return await deps.db.write(save)


async def regenerate_prompt(deps: Deps, principal: Principal, kind: GroupKind, group_id: str) -> Group:
    """Have the template write the prompt anew from name and focus, over a manual one too."""
    principal.require(KeyScope.ADMIN)

    def save(connection: Connection) -> Group:
        locks.alone(connection, principal.org_id, "descriptions")
        group = _require(connection, principal.org_id, kind, group_id)
        values = prompt_values(written_prompt(kind.level, group.name, group.focus))
        groups.change(connection, principal.org_id, kind, group_id, values | {"updated_at": deps.clock.now()})
        return _require(connection, principal.org_id, kind, group_id)

    return await deps.db.write(save)


async def delete_group(deps: Deps, principal: Principal, kind: GroupKind, group_id: str) -> None:
    """Remove the description; memories of the role or team stay as they are. NotFound if there is none."""
    principal.require(KeyScope.ADMIN)

    def save(connection: Connection) -> None:
        _require(connection, principal.org_id, kind, group_id)
        groups.remove(connection, principal.org_id, kind, group_id)

    await deps.db.write(save)


def described(values: Mapping[str, str]) -> dict[str, Any]:
    """What setting these fields of a description writes."""
    written: dict[str, Any] = {name: value for name, value in values.items() if name in ("name", "focus")}
    if "promotion_prompt" in values:
        written |= prompt_values(manual_prompt(values["promotion_prompt"]))
    return written


def prompt_values(prompt: Prompt) -> dict[str, Any]:
    """The columns a prompt is kept in."""
    return {"promotion_prompt": prompt.text, "prompt_meta": dict(prompt.meta)}


def _require(connection: Connection, org_id: str, kind: GroupKind, group_id: str) -> Group:
    found = groups.get(connection, org_id, kind, group_id)
    if found is not None:
        return found
    if kind is GroupKind.ROLE:
        raise NotFound(
            f"No role {group_id!r} is described. Events may carry its id all the same.", code="role_not_found"
        )
    raise NotFound(f"No team {group_id!r} is described. Events may carry its id all the same.", code="team_not_found")


def _taken(kind: GroupKind, group_id: str) -> Conflict:
    if kind is GroupKind.ROLE:
        return Conflict(
            f"The role {group_id!r} is described already. Update it, or choose another id.", code="role_exists"
        )
    return Conflict(f"The team {group_id!r} is described already. Update it, or choose another id.", code="team_exists")


def _as_json(group: Group) -> dict[str, Any]:
    values = {name: getattr(group, name) for name in Group.__slots__}
    times = {name: values[name].isoformat() for name in ("created_at", "updated_at")}
    return values | times | {"kind": group.kind.value, "prompt_meta": dict(group.prompt_meta)}


def _from_json(values: Mapping[str, Any]) -> Group:
    times = {name: datetime.fromisoformat(values[name]) for name in ("created_at", "updated_at")}
    return Group(**{**values, **times, "kind": GroupKind(values["kind"])})
