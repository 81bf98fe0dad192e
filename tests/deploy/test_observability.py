"""The dashboard, the alerts and the page that names every metric, held against what a whole suite really says."""

import json
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse
import urllib.request

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from support.certificates import certificate
from support.house import ROOT
from support.processes import FREE_PORTS, VOXGATE, announcing, until_left
from support.scraped import scraped_until
from support.servers import SAMPLES
from voxgate.client.connection import connect
from voxgate.model.errors import UnknownVolume
from voxgate.model.geometry import Box, Vec3

FOLDER = ROOT / "deploy/observability"
DASHBOARD = json.loads((FOLDER / "voxgate-dashboard.json").read_text())
ALERTS = yaml.safe_load((FOLDER / "voxgate-alerts.yaml").read_text())
PAGE = ROOT / "docs/reference/metrics.md"
GUIDE = ROOT / "docs/how-to/debug-a-deployment.md"
OF_PROMETHEUS = {"job", "instance", "le"}


def queries():
    """Every query of the dashboard and of the alerts, as Prometheus would be asked."""
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    notes = [each["expr"] for each in DASHBOARD["annotations"]["list"]]
    alerts = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]
    for variable, value in (("$job", ".*"), ("$instance", ".*"), ("$__rate_interval", "1m")):
        panels = [query.replace(variable, value) for query in panels]
        notes = [query.replace(variable, value) for query in notes]
    return [(query, True) for query in panels] + [(query, False) for query in notes + alerts]


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """`voxgate serve` that has done a little of everything; the ports of its two pages, and what they say."""
    folder = tmp_path_factory.mktemp("observed")
    config = folder / "voxgate.toml"
    own = certificate(folder / "authority")
    config.write_text(
        "[server]\nmetrics_port = 0\nworker_processes = 0\n[gateway]\nmetrics_port = 0\n"
        f'[server.tls]\ncert = "{own.file}"\nkey = "{own.key}"\n'
        f'[remotes.fib25]\nuri = "{SAMPLES / "fib25"}"\ncache = {{ disk = "{folder / "cache"}" }}\n'
        '[remotes.scratch]\nuri = "memory://"\nwritable = true\n'
    )
    log = folder / "log"
    with announcing([*VOXGATE, "serve", "--config", str(config), *FREE_PORTS], log) as (_, where):
        lines = [json.loads(line) for line in log.read_text().splitlines() if '"event": "metrics"' in line]
        ports = {line["metrics_port"] for line in lines}
        assert len(ports) == 2, log.read_text()
        with connect(where["grpc"], tls=str(own.authority)) as client:
            name = next(entry.name for entry in client.volumes("fib25") if entry.is_volume)
            volume = client.volume(name)
            start = volume.info.scales[0].bounds.start
            volume.read(Box(start + Vec3(3, 5, 2), start + Vec3(40, 61, 33)))
            with pytest.raises(UnknownVolume):
                client.volume("fib25/nothing")
        believed = ssl.create_default_context(cafile=own.authority)
        assert httpx.get(f"{where['http']}/ng/{name}/-/info", timeout=60, verify=believed).status_code == 200
        gateway = next(port for port in ports if port != where["metrics_port"])
        scraped_until(gateway, lambda page: page.total("voxgate_gateway_requests_total"))
        scraped_until(where["metrics_port"], lambda page: page.total("voxgate_call_failures_total"))
        yield where["metrics_port"], gateway


@pytest.fixture(scope="module")
def pages(suite):
    return [scraped_until(port, lambda page: True) for port in suite]


def test_every_query_asks_for_metrics_and_labels_that_there_are(pages):
    for query, _ in queries():
        asked = re.findall(r"\b((?:voxgate|process)_\w+)(?:\{([^}]*)\})?", query)
        assert asked, query
        for name, selector in asked:
            there = set().union(*(page.labels(name) for page in pages)) | OF_PROMETHEUS
            assert any(name in page.names for page in pages), f"{name} of {query}"
            assert set(re.findall(r"(\w+)\s*=", selector)) <= there, query
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(",")}
        labels = set().union(*(page.labels(name) for page in pages for name, _ in asked))
        assert grouped <= labels | OF_PROMETHEUS, query


def rows(pages):
    """The table of docs/reference/metrics.md, from what servers say."""
    found = {}
    for page in pages:
        for family in text_string_to_metric_families(page.text):
            labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
            name = f"{family.name}_total" if family.type == "counter" else family.name
            told = ", ".join(f"`{label}`" for label in labels)
            found[name] = f"| `{name}` | {family.type} | {told} | {family.documentation} |"
    return [found[name] for name in sorted(found)]


def test_every_metric_is_on_the_page_that_names_them_all_in_the_servers_own_words(pages):
    table = [line for line in PAGE.read_text().splitlines() if line.startswith(("| `voxgate_", "| `process_"))]
    assert table == rows(pages), "\n".join(rows(pages))


def test_every_alert_says_what_it_is_and_has_its_remedy_in_the_guide():
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    guide = GUIDE.read_text()
    for rule in rules:
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert f"`{rule['alert']}`" in guide
    assert len({rule["alert"] for rule in rules}) == len(rules)


def test_every_panel_has_a_unit_a_place_of_its_own_and_the_variables_of_the_dashboard():
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    for panel in panels:
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all('job=~"$job",instance=~"$instance"' in target["expr"] for target in panel["targets"])
        assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
def test_promtool_takes_the_alerts():
    command = ["promtool", "check", "rules", str(FOLDER / "voxgate-alerts.yaml")]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def prometheus(suite, tmp_path):
    """A real Prometheus that reads both pages and the alerts; asks it a query."""
    if shutil.which("prometheus") is None:
        pytest.skip("needs prometheus (Debian: prometheus)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    scrapes = [{"job_name": "voxgate", "static_configs": [{"targets": [f"127.0.0.1:{each}" for each in suite]}]}]
    document = {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "scrape_configs": scrapes}
    document["rule_files"] = [str(FOLDER / "voxgate-alerts.yaml")]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(document))
    command = ["prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'data'}"]

    def ask(query):
        address = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            return json.load(answer)["data"]["result"]

    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stderr=log)
    with until_left(process):
        yield ask


def test_a_real_prometheus_answers_every_query_and_no_alert_fires_for_what_is_well(prometheus):
    until = time.monotonic() + 120

    def has_rates():
        try:
            return len(prometheus("rate(voxgate_build_info[1m])")) == 2
        except OSError:
            return False

    while not has_rates():
        assert time.monotonic() < until
        time.sleep(0.2)
    for query, must_show in queries():
        shown = prometheus(query)
        # What is asked for by a status that nobody saw yet is not there.
        assert shown or not must_show or "status=~" in query, query
    assert prometheus('ALERTS{alertstate="firing"}') == []
