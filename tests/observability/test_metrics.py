"""What is measured can be scraped from the start, cannot grow without end, and breaks nothing."""

from typing import Any

import pytest

from memcairn.observability.metrics import (
    JOB_STATES,
    MAX_ROUTES,
    MEMORY_ACTIONS,
    OTHER,
    PROVIDER_CALLS,
    REFUSALS,
    Metrics,
)


def samples(metrics: Metrics) -> dict[str, float]:
    lines = [line for line in metrics.render().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_what_can_be_named_beforehand_starts_at_zero() -> None:
    found = samples(Metrics())

    expected = [
        "memcairn_http_requests_in_flight",
        "memcairn_search_hits_total",
        "memcairn_search_seconds_count",
        "memcairn_write_group_size_count",
        'memcairn_events_ingested_total{outcome="accepted"}',
        *[f'memcairn_http_refused_total{{reason="{reason}"}}' for reason in REFUSALS],
        *[f'memcairn_jobs{{state="{state}"}}' for state in JOB_STATES],
        *[f'memcairn_memory_changes_total{{action="{action}"}}' for action in MEMORY_ACTIONS],
        *[f'memcairn_provider_failures_total{{call="{call}"}}' for call in PROVIDER_CALLS],
    ]
    assert {name: found.get(name) for name in expected} == dict.fromkeys(expected, 0.0)


def test_each_measurement_is_counted_where_it_belongs() -> None:
    metrics = Metrics()

    metrics.request_started()
    metrics.request_started()
    metrics.request_finished("POST", "/v1/events", 202, 0.02)
    metrics.request_refused("busy")
    metrics.events_ingested(98, collapsed=2)
    metrics.event_searchable(-0.5)
    metrics.searched(0.004, hits=7)
    metrics.memories_changed("added", 3)
    metrics.jobs_counted({"queued": 4, "dead": 1})
    metrics.job_finished("done", 0.2)
    metrics.write_committed(12, 0.003)
    metrics.provider_called("embed", 0.1, failed=True)

    found = samples(metrics)
    assert {
        'memcairn_http_requests_total{method="POST",route="/v1/events",status="202"}': 1.0,
        "memcairn_http_requests_in_flight": 1.0,
        'memcairn_http_refused_total{reason="busy"}': 1.0,
        'memcairn_events_ingested_total{outcome="accepted"}': 98.0,
        'memcairn_events_ingested_total{outcome="collapsed"}': 2.0,
        "memcairn_event_lag_seconds_sum": 0.0,
        "memcairn_search_hits_total": 7.0,
        'memcairn_memory_changes_total{action="added"}': 3.0,
        'memcairn_jobs{state="queued"}': 4.0,
        'memcairn_jobs{state="running"}': 0.0,
        'memcairn_job_seconds_count{outcome="done"}': 1.0,
        "memcairn_write_group_size_sum": 12.0,
        'memcairn_provider_failures_total{call="embed"}': 1.0,
    }.items() <= found.items()


def test_a_state_that_is_not_given_is_empty() -> None:
    metrics = Metrics()

    metrics.jobs_counted({"queued": 4})
    metrics.jobs_counted({"dead": 1})

    assert samples(metrics)['memcairn_jobs{state="queued"}'] == 0.0


def test_made_up_labels_are_counted_together() -> None:
    metrics = Metrics()

    for number in range(100):
        metrics.request_finished(f"M{number}", "/v1/events", 200, 0.1)
        metrics.request_refused(f"reason {number}")
        metrics.memories_changed(f"action {number}")

    found = samples(metrics)
    assert found[f'memcairn_http_requests_total{{method="{OTHER}",route="/v1/events",status="200"}}'] == 100.0
    assert found[f'memcairn_http_refused_total{{reason="{OTHER}"}}'] == 100.0
    assert found[f'memcairn_memory_changes_total{{action="{OTHER}"}}'] == 100.0


def test_routes_without_end_do_not_make_series_without_end() -> None:
    metrics = Metrics()

    for number in range(MAX_ROUTES + 50):
        metrics.request_finished("GET", f"/{number}", 200, 0.1)

    routes = {name for name in samples(metrics) if name.startswith("memcairn_http_requests_total")}
    assert len(routes) == MAX_ROUTES + 1
    assert samples(metrics)[f'memcairn_http_requests_total{{method="GET",route="{OTHER}",status="200"}}'] == 50.0


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("events_ingested", (-1,)),
        ("searched", ("soon",)),
        ("jobs_counted", (None,)),
        ("memories_changed", ("added", "many")),
        ("write_committed", (None, None)),
        ("request_finished", (None, None, None, None)),
        ("provider_called", ()),
    ],
)
def test_a_senseless_measurement_is_dropped_in_silence(method: str, arguments: tuple[Any, ...]) -> None:
    metrics = Metrics()

    getattr(metrics, method)(*arguments)

    assert samples(metrics)["memcairn_search_seconds_count"] == 0.0


def test_two_servers_in_one_process_count_apart() -> None:
    one, two = Metrics(), Metrics()

    one.events_ingested(5)

    assert samples(two)['memcairn_events_ingested_total{outcome="accepted"}'] == 0.0


def test_the_process_itself_is_measured() -> None:
    found = samples(Metrics())

    assert found["process_resident_memory_bytes"] > 0
    assert "process_open_fds" in found
