"""`voxgate config check`: everything that is wrong with a file, key by key."""

import json
import threading

import pytest

from support.certificates import certificate
from support.hdf5_volumes import cremi_labels
from support.house import ROOT
from support.zarr_files import bare, ids
from voxgate.model.errors import ConfigInvalid
from voxgate_remotes.memory import MemoryRemote
from voxgate_standalone.checking import check_file
from voxgate_standalone.config_command import show

ANISO = f'uri = "{ROOT}/samples/aniso"\n'
SEG = "[remotes.a.volumes.seg]\n"


@pytest.fixture
def check(tmp_path):
    def run(text, **options):
        path = tmp_path / "voxgate.toml"
        path.write_text(text)
        report = check_file(path, **options)
        return {each.key: f"{each.message}; {each.remedy}" for each in report.problems}, report

    return run


def test_a_good_file_has_no_problem_and_its_remotes_are_reachable(check, tmp_path):
    bare(tmp_path / "data/v.zarr", ids((3, 5, 6, 7), "uint8"), chunks=(1, 5, 6, 7))
    statements = 'axes = "czyx"\nvoxel_size_nm = [4, 4, 40]\nvoxel_offset = [-3, 0, 9]\nkind = "image"\n'
    text = f'[server]\nport = 0\n[remotes.a]\n{ANISO}[remotes.b]\nuri = "data"\n[remotes.b.volumes."v.zarr"]\n'
    problems, report = check(text + statements + '[remotes.c]\nuri = "memory://"\n')
    assert problems == {}
    assert [(each.name, each.store, each.state) for each in report.remotes] == [
        ("a", "file", "reachable"),
        ("b", "file", "reachable"),
        ("c", "memory", "reachable"),
    ]


def test_immutable_is_believed_of_a_store_that_is_not_written_to(check, tmp_path):
    bare(tmp_path / "data/v.zarr", ids((5, 6, 7), "uint8"), chunks=(5, 6, 7))
    volume = '[remotes.a.volumes."v.zarr"]\naxes = "zyx"\nimmutable = true\n'
    assert check(f'[remotes.a]\nuri = "data"\nimmutable = true\n{volume}')[0] == {}
    problems, report = check(f'[remotes.a]\nuri = "data"\nwritable = true\nimmutable = true\n{volume}')
    assert set(problems) == {"remotes.a.immutable", "remotes.a.volumes"}
    assert all("not both" in problem for problem in problems.values())
    assert [each.state for each in report.remotes] == ["wrong"]


def test_all_problems_are_told_and_not_only_the_first(check):
    problems, report = check(
        'colour = 1\n[gateway]\nthread = 5\n[gateway.bossdb]\nhome = "Not one"\n'
        '[server]\nportt = 1\nport = "x"\nworkers = 0\n'
        f"[remotes.a]\nwriteable = true\n{ANISO}[remotes.a.tuning]\nrequestbytes = 5\nparallel_reads = 0\n"
        f'[remotes.a.credentials]\ntokn = "hidden"\n[remotes.a.volumes."deep/er.x"]\nkinds = 1\naxes = "zz"\n'
        '[remotes.b]\nuri = 3\n[remotes.Bad]\nuri = "memory://"\noptions = { x = [1] }\n',
        offline=True,
    )
    nearest = {
        "colour": "known keys are",
        "gateway.thread": '"threads"?',
        "server.portt": '"port"?',
        "remotes.a.writeable": "writable?",
        "remotes.a.tuning.requestbytes": "request_bytes?",
        "remotes.a.credentials.tokn": "token?",
        'remotes.a.volumes."deep/er.x".kinds': "kind?",
    }
    for key, word in nearest.items():
        assert word in problems.pop(key), key
    assert set(problems) == {
        "gateway.bossdb.home",
        "server.port",
        "server.workers",
        "remotes.a.tuning.parallel_reads",
        'remotes.a.volumes."deep/er.x".axes',
        "remotes.b.uri",
        "remotes.Bad",
        "remotes.Bad.options.x",
    }
    assert "hidden" not in str(problems)
    assert [each.state for each in report.remotes] == ["wrong", "wrong", "wrong"]


@pytest.mark.parametrize("text", ["server = 3", "remotes = 3", "remotes.a = 3", 'server = "x"\nremotes = [1]'])
def test_what_is_no_table_is_said_to_be_none(check, text):
    problems, _ = check(text)
    assert set(problems) <= {"server", "remotes", "remotes.a"}
    assert problems


def test_a_file_that_is_no_toml_is_refused(check):
    with pytest.raises(ConfigInvalid, match="is not TOML"):
        check("[remotes")


def test_every_bad_option_of_an_adapter_is_named(check):
    options = "options = { fsnc = false, cache_bytes = -1 }\n"
    problems, _ = check(
        f'[remotes.a]\n{ANISO}{options}[remotes.b]\nuri = "memory://"\nformat = "zarr3"\n', offline=True
    )
    assert "did you mean fsync?" in problems["remotes.a.options.fsnc"]
    assert set(problems) == {"remotes.a.options.fsnc", "remotes.a.options.cache_bytes", "remotes.b.uri"}


def test_a_scheme_without_an_adapter_and_one_whose_module_is_missing_say_what_to_do(check, monkeypatch):
    class Point:
        name, extras, value = "memory", ["lab"], "lab:Remote"
        dist = type("Dist", (), {"name": "lab-remotes"})

        def load(self):
            raise ModuleNotFoundError("No module named 'labstore'", name="labstore")

    monkeypatch.setattr(
        "voxgate_standalone.checking_remotes.entry_points",
        lambda group, name: [Point()] if name == "memory" else [],
    )
    problems, _ = check('[remotes.a]\nuri = "memory://"\n[remotes.b]\nuri = "dvidd://h"\n', offline=True)
    assert "labstore" in problems["remotes.a.uri"]
    assert "pip install 'lab-remotes[lab]'" in problems["remotes.a.uri"]
    assert "dvid" in problems["remotes.b.uri"]


def test_a_file_may_be_a_remote_if_its_format_holds_volumes(check, tmp_path):
    cremi_labels(tmp_path / "cremi.h5")
    (tmp_path / "notes.txt").write_text("no voxels")
    text = '[remotes.a]\nuri = "cremi.h5"\n[remotes.a.volumes."volumes/{}"]\n[remotes.b]\nuri = "notes.txt"\n'
    problems, report = check(text.format("raw"))
    assert [(each.name, each.state) for each in report.remotes] == [("a", "reachable"), ("b", "unreachable")]
    assert "in no format" in problems.pop("remotes.b.uri")
    assert problems == {}
    assert 'remotes.a.volumes."volumes/row"' in check(text.format("row"))[0]


def test_a_folder_that_is_not_there_is_answered_with_the_nearest(check, tmp_path):
    (tmp_path / "neurons").mkdir()
    problems, report = check('[remotes.a]\nuri = "nurons"\n')
    assert "did you mean neurons?" in problems["remotes.a.uri"]
    assert report.remotes[0].state == "unreachable"
    assert check('[remotes.a]\nuri = "nurons"\n', offline=True)[0] == {}


@pytest.mark.parametrize(
    ("credentials", "key"),
    [
        ('{ token_env = "VOXGATE_NO_SUCH_TOKEN" }', "token_env"),
        ('{ token_file = "/nonexistent/token" }', "token_file"),
        ('{ token = "two words" }', "token"),
    ],
)
def test_a_token_that_cannot_be_had_is_named_and_never_shown(check, credentials, key):
    problems, _ = check(f'[remotes.a]\nuri = "voxgate://127.0.0.1:9"\ncredentials = {credentials}\n')
    assert set(problems) == {f"remotes.a.credentials.{key}"}
    assert "two words" not in str(problems)


def test_statements_are_compared_with_the_store_one_by_one(check):
    statements = 'kind = "image"\nvoxel_size_nm = [4, 4, 40]\nvoxel_offset = [1, 2, 3]\nabsent_chunks = "error"\n'
    problems, _ = check(f"[remotes.a]\n{ANISO}{SEG}{statements}[remotes.a.volumes.sg]\n")
    assert "segmentation" in problems["remotes.a.volumes.seg.kind"]
    assert "[-24, 40, 12]" in problems["remotes.a.volumes.seg.voxel_offset"]
    assert "did you mean seg?" in problems["remotes.a.volumes.sg"]
    assert len(problems) == 3


def test_axes_that_contradict_the_store_are_blamed_once(check, tmp_path):
    bare(tmp_path / "data/v", ids((5, 6, 7), "uint8"), dimension_names=["z", "y", "x"])
    text = '[remotes.a]\nuri = "data"\n[remotes.a.volumes.v]\naxes = "xyz"\nkind = "image"\nvoxel_offset = [1, 2, 3]\n'
    assert set(check(text)[0]) == {"remotes.a.volumes.v.axes"}


def test_a_store_that_never_answers_is_unreachable_after_a_while(check, monkeypatch):
    let_go = threading.Event()
    monkeypatch.setattr(MemoryRemote, "list", lambda self, parent: let_go.wait(60) and [])
    try:
        problems, report = check('[remotes.a]\nuri = "memory://"\n', patience_s=0.2)
    finally:
        let_go.set()
    assert "does not answer" in problems["remotes.a.uri"]
    assert report.remotes[0].state == "unreachable"


def test_show_has_the_settings_of_the_gateway(tmp_path, capsys):
    path = tmp_path / "voxgate.toml"
    path.write_text('[gateway]\nthreads = 7\n[gateway.bossdb.names]\n"c/e/ch" = "lab/em"\n')
    show(path)
    gateway = json.loads(capsys.readouterr().out)["gateway"]
    assert (gateway["threads"], gateway["bossdb"]["names"]) == (7, {"c/e/ch": "lab/em"})


def test_files_of_tls_that_cannot_be_used_are_named_by_their_keys(check, tmp_path):
    own, other = certificate(tmp_path / "own"), certificate(tmp_path / "other")
    remote = '[remotes.c]\nuri = "memory://"\n'
    served = f'[server.tls]\ncert = "own/{own.file.name}"\nkey = "{own.key}"\n'
    gateway = f'[gateway.tls]\ncert = "{own.file}"\nkey = "{own.key}"\nclient_ca = "{own.authority}"\n'
    services = f'[gateway.services_tls]\nca_file = "{own.authority}"\n'
    assert check(served + gateway + services + remote)[0] == {}
    swapped = gateway.replace(str(own.key), str(other.key))
    problems, _ = check(
        served.replace("own/", "nowhere/") + swapped + services.replace("ca.pem", "own-key.pem") + remote
    )
    assert set(problems) == {"server.tls.cert", "gateway.tls.key", "gateway.services_tls"}
    assert "another" in problems["gateway.tls.key"] or "not the key" in problems["gateway.tls.key"]
    assert set(check(served.partition("key")[0] + remote)[0]) == {"server.tls.key"}
