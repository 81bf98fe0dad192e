"""Which remotes a command serves: those of a file, of its command line, or else the samples."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from voxgate.model.errors import ConfigInvalid
from voxgate_remotes.config import RemotesConfig, parse_remotes, remote_for_path
from voxgate_serving.settings import Configuration


def configured_remotes(configuration: Configuration, sources: list[str]) -> RemotesConfig:
    """The remotes of a configuration and of the command line; the sample and scratch where there are none.

    Raises:
        ConfigInvalid: when two of them would have the same name.
    """
    remotes = dict(parse_remotes(configuration.remotes, configuration.base).remotes)
    for source in sources:
        name, remote = remote_for_path(source)
        if name in remotes:
            raise ConfigInvalid(f'two remotes would be called "{name}"', "name one of them in a configuration file")
        remotes[name] = remote
    if not remotes:
        samples = sample_folder()
        table = {name: {"uri": str(samples / name)} for name in ("fib25", "aniso")}
        scratch = {"uri": "memory://", "writable": True, "deletable": True}
        remotes.update(parse_remotes({**table, "scratch": scratch}, samples).remotes)
    return RemotesConfig(remotes=remotes)


def sample_folder() -> Path:
    """Where the sample volumes are: shipped in the package, or in a checkout's `samples/`.

    Raises:
        ConfigInvalid: when this installation has none.
    """
    packaged = Path(str(files("voxgate_standalone"))) / "samples"
    checkout = Path(__file__).resolve().parents[3] / "samples"
    for folder in (packaged, checkout):
        if (folder / "fib25").is_dir():
            return folder
    raise ConfigInvalid("this installation has no sample volumes", "name a folder: voxgate serve PATH")
