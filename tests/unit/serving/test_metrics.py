"""The page of metrics."""

import http.client

import pytest

from support.servers import settings
from voxgate.model.errors import ConfigInvalid
from voxgate_serving.metrics import Metric, MetricsServer, exposition
from voxgate_serving.server import start_server


def number(value, **labels):
    return Metric("voxgate_things_total", "things so far", "counter", labels, value)


def page(port, method="GET", path="/metrics"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def test_numbers_of_one_name_stand_together_and_labels_are_quoted():
    metrics = [number(3, remote="a"), Metric("voxgate_held", "held", "gauge", {}, 2**53 + 1), number(4, remote='b"\\')]
    assert exposition(metrics) == (
        "# HELP voxgate_things_total things so far\n"
        "# TYPE voxgate_things_total counter\n"
        'voxgate_things_total{remote="a"} 3\n'
        'voxgate_things_total{remote="b\\"\\\\"} 4\n'
        "# HELP voxgate_held held\n"
        "# TYPE voxgate_held gauge\n"
        "voxgate_held{} 9007199254740993\n"
    )


def test_what_two_services_of_one_process_say_of_one_thing_is_said_once():
    assert exposition([number(3, remote="a"), number(3, remote="a")]).count("\nvoxgate_things_total{") == 1


def test_a_server_shows_its_page_and_nothing_else():
    values = iter(range(10))
    server = MetricsServer("127.0.0.1", 0, lambda: [number(next(values))])
    try:
        assert page(server.port)[0:2] == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert page(server.port)[2].endswith("voxgate_things_total{} 1\n")
        assert page(server.port, "HEAD")[2] == ""
        assert page(server.port, path="/etc/passwd")[0] == 404
        assert page(server.port, "POST")[0] == 501
        with pytest.raises(ConfigInvalid, match="metrics_port"):
            MetricsServer("127.0.0.1", server.port, list)
    finally:
        server.stop()


def test_there_is_no_page_unless_it_is_asked_for():
    server = start_server([], settings())
    try:
        assert server.metrics_port is None
    finally:
        server.stop(0)
