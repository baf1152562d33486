"""Connecting, keys, the calls on the client itself, and chat history the way frameworks use the client."""

import warnings
from typing import Any

from zep_python import NotFoundError, ZepClient  # type: ignore[import-not-found]  # see caller.py
from zep_python.exceptions import ZepClientError  # type: ignore[import-not-found]  # see caller.py
from zep_python.memory import Memory, MemorySearchPayload, Session  # type: ignore[import-not-found]  # see caller.py
from zep_python.message import Message  # type: ignore[import-not-found]  # see caller.py

from tests.vendor.zep.caller import Caller

Facts = dict[str, Any]


async def connecting(do: Caller) -> Facts:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stranger = ZepClient(f"{do.url}/zep")
    try:
        ZepClient(do.url)
        elsewhere = None
    except ZepClientError as error:
        elsewhere = type(error).__name__
    wrong = ZepClient(f"{do.url}/zep/", "mc_nobody")
    return {
        "warnings": [str(each.message) for each in caught],
        "no_zep_there": elsewhere,
        "no_key": await do.refusal(stranger.memory, "list_sessions"),
        "wrong_key": await do.refusal(wrong.user, "list"),
    }


async def calls_on_the_client(do: Caller) -> Facts:
    """The older spelling of the memory calls."""
    client, session_id = do.client, do.id("older")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        await do(client, "add_session", Session(session_id=session_id))
        await do(client, "add_memory", session_id, Memory(messages=[Message(role="human", content="Hello there")]))
        found = await do(client, "search_memory", session_id, MemorySearchPayload(text="hello"), 1)
        return {
            "session": (await do(client, "get_session", session_id)).session_id == session_id,
            "memory": [each.content for each in (await do(client, "get_memory", session_id, lastn=1)).messages],
            "found": [each.message["content"] for each in found],
            "deleted": await do(client, "delete_memory", session_id),
        }


class ChatHistory:
    """Keeps a chat as LangChain's history on this client does: one message a call, everything read from memory."""

    def __init__(self, do: Caller, session_id: str) -> None:
        self._do = do
        self._session_id = session_id

    async def add(self, role: str, content: str) -> None:
        memory = Memory(messages=[Message(role=role, content=content, metadata={})])
        await self._do(self._do.client.memory, "add_memory", self._session_id, memory)

    async def messages(self) -> list[list[str]]:
        try:
            memory = await self._do(self._do.client.memory, "get_memory", self._session_id)
        except NotFoundError:
            return []
        summary = [["system", memory.summary.content]] if memory.summary and memory.summary.content else []
        return summary + [[each.role, each.content] for each in memory.messages]

    async def clear(self) -> None:
        try:
            await self._do(self._do.client.memory, "delete_memory", self._session_id)
        except NotFoundError:
            return


async def chat_history(do: Caller) -> Facts:
    history = ChatHistory(do, do.id("chat"))
    before = await history.messages()
    await history.add("human", "What is a cairn?")
    await history.add("ai", "")
    await history.add("ai", "A pile of stones that marks a way.")
    said = await history.messages()
    await history.clear()
    await history.clear()
    cleared = await history.messages()
    await history.add("human", "Again.")
    return {"before": before, "said": said, "cleared": cleared, "after": await history.messages()}


SCENARIOS = [connecting, calls_on_the_client, chat_history]
