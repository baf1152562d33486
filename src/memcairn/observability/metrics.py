"""What is counted and measured, in the text format Prometheus scrapes.

Every label has a closed set of values, so a client cannot grow the output; every series that can be named beforehand
starts at zero, so a rate is right from the first scrape; no method raises, so counting never breaks what is counted.
"""

import functools
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"
"""The label of whatever is not in the closed set."""
MAX_ROUTES = 300
MAX_KEPT = 100_000
"""Measurements kept for another process; what comes after them is dropped until they are taken."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REFUSALS = frozenset({"busy", "body_too_large", "body_too_slow", "encoding"})
INGEST_OUTCOMES = frozenset({"accepted", "collapsed"})
JOB_STATES = frozenset({"queued", "running", "dead"})
JOB_OUTCOMES = frozenset({"done", "retried", "dead", "lost"})
MEMORY_ACTIONS = frozenset({"added", "strengthened", "superseded", "promoted", "decayed", "forgotten"})
PROVIDER_CALLS = frozenset({"embed", "chat", "rerank"})

_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_JOB_SECONDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
_LAG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600)
_GROUP_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

log = logging.getLogger(__name__)

P = ParamSpec("P")

Measurement = tuple[str, list[Any], dict[str, Any]]
"""The method that was called, and with what: as JSON would hold it."""


Metric = TypeVar("Metric", Counter, Histogram)


def _quietly(emit: Callable[Concatenate["Metrics", P], None]) -> Callable[Concatenate["Metrics", P], None]:
    @functools.wraps(emit)
    def quiet(self: "Metrics", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            emit(self, *args, **kwargs)
            if self._kept is not None and len(self._kept) < MAX_KEPT:
                self._kept.append((emit.__name__, [*args], {**kwargs}))
        except Exception:  # telemetry must not break what it measures
            log.debug("a measurement was dropped", exc_info=True)

    return quiet


class Metrics:
    """The counters of one server; each instance has its own registry, so two servers in one process stay apart.

    With `kept`, measurements are also kept until `take`, for another process to `repeat` and to show.
    """

    def __init__(self, *, kept: bool = False) -> None:
        self.registry = CollectorRegistry()
        self._kept: list[Measurement] | None = [] if kept else None
        self._routes: set[str] = set()
        self._children: dict[tuple[object, tuple[str, ...]], Any] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._make_http()
        self._make_work()
        self._start_at_zero()

    def render(self) -> bytes:
        """Everything in the Prometheus text format; serve it as `CONTENT_TYPE`."""
        return generate_latest(self.registry)

    def take(self) -> list[Measurement]:
        """What was measured since the last time."""
        taken, self._kept = self._kept or [], [] if self._kept is not None else None
        return taken

    def repeat(self, measured: Iterable[Measurement]) -> None:
        """Count here what was measured elsewhere; what is no measurement of this version is left out."""
        for name, args, kwargs in measured:
            if name in _MEASUREMENTS:
                _MEASUREMENTS[name](self, *args, **kwargs)

    @_quietly
    def request_started(self) -> None:
        self._in_flight.inc()

    @_quietly
    def request_finished(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` is the template, never the path: the first `MAX_ROUTES` are told apart."""
        self._in_flight.dec()
        method, route = _one_of(METHODS, method), self._known_route(route)
        self._child(self._requests, method, route, str(status)).inc()
        self._child(self._request_seconds, method, route).observe(seconds)

    @_quietly
    def request_refused(self, reason: str) -> None:
        """A request turned away before any route saw it: one of `REFUSALS`."""
        self._refused.labels(_one_of(REFUSALS, reason)).inc()

    @_quietly
    def events_ingested(self, accepted: int, *, collapsed: int = 0) -> None:
        self._child(self._events, "accepted").inc(accepted)
        self._child(self._events, "collapsed").inc(collapsed)

    @_quietly
    def event_searchable(self, lag_seconds: float) -> None:
        """An event was processed; the lag counts from its commit."""
        self._lag.observe(max(0.0, lag_seconds))

    @_quietly
    def searched(self, seconds: float, *, hits: int) -> None:
        self._search_seconds.observe(seconds)
        self._hits.inc(hits)

    @_quietly
    def memories_changed(self, action: str, count: int = 1) -> None:
        """`action` is one of `MEMORY_ACTIONS`."""
        self._memories.labels(_one_of(MEMORY_ACTIONS, action)).inc(count)

    @_quietly
    def jobs_counted(self, by_state: Mapping[str, int]) -> None:
        """The queue as it is now; states of `JOB_STATES` that are not given are empty."""
        for state in JOB_STATES:
            self._jobs.labels(state).set(by_state.get(state, 0))

    @_quietly
    def job_finished(self, outcome: str, seconds: float) -> None:
        """`outcome` is one of `JOB_OUTCOMES`; a lost job is one whose lease somebody else took over."""
        self._job_seconds.labels(_one_of(JOB_OUTCOMES, outcome)).observe(seconds)

    @_quietly
    def write_committed(self, callers: int, seconds: float) -> None:
        """One sync of the database on behalf of `callers` that wrote together."""
        self._write_group.observe(callers)
        self._write_seconds.observe(seconds)

    @_quietly
    def provider_called(self, call: str, seconds: float, *, failed: bool = False) -> None:
        """`call` is one of `PROVIDER_CALLS`."""
        call = _one_of(PROVIDER_CALLS, call)
        self._provider_seconds.labels(call).observe(seconds)
        self._provider_failures.labels(call).inc(int(failed))

    def _make_http(self) -> None:
        registry = self.registry
        self._requests = Counter(
            "memcairn_http_requests", "Answered requests.", ["method", "route", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "memcairn_http_request_seconds",
            "Time to answer, from the headers to the last byte.",
            ["method", "route"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self._in_flight = Gauge("memcairn_http_requests_in_flight", "Requests being served.", registry=registry)
        self._refused = Counter(
            "memcairn_http_refused", "Requests turned away before any route.", ["reason"], registry=registry
        )

    def _make_work(self) -> None:
        registry = self.registry
        self._events = Counter("memcairn_events_ingested", "Events taken in.", ["outcome"], registry=registry)
        self._lag = Histogram(
            "memcairn_event_lag_seconds",
            "From commit to processed.",
            buckets=_LAG_SECONDS,
            registry=registry,
        )
        self._search_seconds = Histogram(
            "memcairn_search_seconds", "Time of one search.", buckets=_REQUEST_SECONDS, registry=registry
        )
        self._hits = Counter("memcairn_search_hits", "Hits handed out.", registry=registry)
        self._memories = Counter("memcairn_memory_changes", "Changes to memories.", ["action"], registry=registry)
        self._jobs = Gauge("memcairn_jobs", "Jobs in the queue.", ["state"], registry=registry)
        self._job_seconds = Histogram(
            "memcairn_job_seconds", "Time of one attempt.", ["outcome"], buckets=_JOB_SECONDS, registry=registry
        )
        self._write_group = Histogram(
            "memcairn_write_group_size", "Writers that shared one commit.", buckets=_GROUP_SIZES, registry=registry
        )
        self._write_seconds = Histogram(
            "memcairn_write_seconds", "Time of one commit.", buckets=_REQUEST_SECONDS, registry=registry
        )
        self._provider_seconds = Histogram(
            "memcairn_provider_seconds", "Time of one call.", ["call"], buckets=_JOB_SECONDS, registry=registry
        )
        self._provider_failures = Counter(
            "memcairn_provider_failures", "Calls that failed.", ["call"], registry=registry
        )

    def _start_at_zero(self) -> None:
        for family, labels in (
            (self._refused, REFUSALS),
            (self._events, INGEST_OUTCOMES),
            (self._memories, MEMORY_ACTIONS),
            (self._jobs, JOB_STATES),
            (self._job_seconds, JOB_OUTCOMES),
            (self._provider_seconds, PROVIDER_CALLS),
            (self._provider_failures, PROVIDER_CALLS),
        ):
            for label in sorted(labels):
                family.labels(label)

    def _child(self, metric: Metric, *values: str) -> Metric:
        """The series of these labels, which the library would look up behind a lock each time."""
        child: Metric | None = self._children.get((metric, values))
        if child is None:
            child = self._children[metric, values] = metric.labels(*values)
        return child

    def _known_route(self, route: str) -> str:
        if route not in self._routes:
            if len(self._routes) >= MAX_ROUTES:
                return OTHER
            self._routes.add(route)
        return route


_MEASUREMENTS: Mapping[str, Callable[..., None]] = {
    each.__name__: each
    for each in (
        Metrics.event_searchable,
        Metrics.memories_changed,
        Metrics.job_finished,
        Metrics.write_committed,
        Metrics.provider_called,
    )
}
"""What a worker measures."""


def _one_of(known: frozenset[str], label: str) -> str:
    return label if label in known else OTHER
