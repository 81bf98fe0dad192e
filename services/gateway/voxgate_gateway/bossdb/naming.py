"""Names: a collection, an experiment and a channel for every volume, and back.

A volume's name is "remote/path" (segments percent-encoded), BossDB's three are of A-Z a-z 0-9 _ - each. In this order:

1. `names` of the settings: three names for one volume, or (`remote/path#N`) for one channel of it.
2. `collections`, else a remote: the collection is a group. The last segment of a volume below it is the channel, those
   before are the experiment.
3. `home`: any other collection is the group of its name below it.

Derived names are reversible, hence never two volumes' at once. Letters, digits and `-` stand for themselves, and so
does a single `_` between two of these; any other byte is `__` and two capital hexadecimal digits, between segments
too (`__2F`). `_` alone stands for no segment: the only one of a remote's volume is its channel. One channel of several
is marked `__chN`, and a version `__v` and the version, likewise encoded. An experiment that is marked `__x` and a
channel has that channel alone: volumes of one group may have voxels of different sizes, and an experiment one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from voxgate.model.errors import UnknownVolume
from voxgate.model.names import VolumeName, split_version
from voxgate_gateway.backend import VolumeRef
from voxgate_gateway.settings import BossSettings, Names

NOTHING = "_"
"""The experiment or channel that stands for no segment at all."""
_PLAIN = re.compile(rb"[A-Za-z0-9-]")
_TOKEN = re.compile(r"__([0-9A-F]{2})|([A-Za-z0-9-]|_(?!_))", re.ASCII)
_ONLY = "__x"
_MARKED = re.compile(r"(?P<stem>.*?)(?:__ch(?P<channel>0|[1-9][0-9]{0,5}))?(?:__v(?P<version>.+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ChannelRef:
    """What three names stand for.

    Attributes:
        ref: the volume, and its version.
        channel: one channel of several, by index; None where the volume has one.
    """

    ref: VolumeRef
    channel: int | None = None


def encoded(text: str) -> str:
    """Any text in the letters of BossDB's names; see `decoded`."""
    raw = text.encode()
    out = []
    for at, byte in enumerate(raw):
        one = raw[at : at + 1]
        alone = one == b"_" and 0 < at < len(raw) - 1 and _PLAIN.match(raw, at - 1) and _PLAIN.match(raw, at + 1)
        out.append(one.decode() if alone or _PLAIN.match(one) else f"__{byte:02X}")
    return "".join(out)


def decoded(name: str) -> str | None:
    """The text that `encoded` makes this name of; None where there is none."""
    raw, at = bytearray(), 0
    while at < len(name):
        match = _TOKEN.match(name, at)
        if match is None:
            return None
        raw += bytes.fromhex(match[1]) if match[1] else match[2].encode()
        at = match.end()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if text and encoded(text) == name else None


@dataclass(frozen=True)
class Naming:
    """The names of one gateway.

    Attributes:
        settings: what the operator says.
        given: the names that volumes were given, by volume.
    """

    settings: BossSettings
    given: Mapping[ChannelRef, Names] = field(init=False)

    def __post_init__(self) -> None:
        given: dict[ChannelRef, Names] = {}
        for names, text in self.settings.names.items():
            given.setdefault(_stated(text), names)
        object.__setattr__(self, "given", given)

    def channel_of(self, names: Names, remotes: Collection[str]) -> ChannelRef:
        """The volume, and the channel of it, that three names stand for. Whether it is there nobody has asked.

        Args:
            names: collection, experiment, channel.
            remotes: the names of all remotes.

        Raises:
            UnknownVolume: for names that stand for none.
        """
        text = self.settings.names.get(names)
        if text is not None:
            return _stated(text)
        marked = _MARKED.fullmatch(names[2])
        group = self.group_of(names[0], remotes)
        version = decoded(marked["version"]) if marked and marked["version"] else ""
        if group is None or marked is None or version is None:
            raise _unknown(names)
        experiment, only = split_experiment(names[1])
        inside = group_below(group, experiment)
        last = _segments(marked["stem"], most=1)
        if inside is None or last is None or only not in (None, marked["stem"]):
            raise _unknown(names)
        if experiment != NOTHING and not last:
            raise _unknown(names)
        name = VolumeName(inside.remote, (*inside.segments, *last))
        channel = None if marked["channel"] is None else int(marked["channel"])
        return ChannelRef(VolumeRef(str(name), version), channel)

    def group_of(self, collection: str, remotes: Collection[str]) -> VolumeName | None:
        """The group, or remote, that a collection's volumes are below; None where there can be none."""
        if collection in self.settings.collections:
            return VolumeName.parse(self.settings.collections[collection])
        if collection in remotes:
            return VolumeName(collection, ())
        segment = decoded(collection)
        if not self.settings.home or segment is None or "/" in segment or not is_segment(segment):
            return None
        return VolumeName.parse(self.settings.home).child(segment)

    def names_of(self, told: ChannelRef, remotes: Collection[str]) -> Names:
        """Three names of a volume, or of one channel of it; `channel_of` answers them with the same.

        Raises:
            UnknownVolume: where the table leaves no name for it.
        """
        if told in self.given:
            return self.given[told]
        name = VolumeName.parse(told.ref.name)
        collection, below = self._place(name, remotes)
        mark = "" if told.channel is None else f"__ch{told.channel}"
        mark += f"__v{encoded(told.ref.version)}" if told.ref.version else ""
        if not below:
            return collection, NOTHING, NOTHING + mark
        return collection, experiment_of(below[:-1]), encoded(below[-1]) + mark

    def _place(self, name: VolumeName, remotes: Collection[str]) -> tuple[str, tuple[str, ...]]:
        """The collection that a volume is in, and the segments below: of the deepest group that has a name."""
        groups = {each: VolumeName.parse(text) for each, text in self.settings.collections.items()}
        found = [(name.remote, 0)] if name.remote not in groups else []
        found += [(each, len(group.segments)) for each, group in groups.items() if _is_below(name, group)]
        if self.settings.home:
            home = VolumeName.parse(self.settings.home)
            depth = len(home.segments)
            if _is_below(name, home) and len(name.segments) > depth:
                own = encoded(name.segments[depth])
                if own not in groups and own not in remotes:
                    found.append((own, depth + 1))
        if not found:
            raise UnknownVolume(
                f"{name} has no name in the BossDB dialect: its remote's is taken by another collection",
                "name it in [gateway.bossdb.names]",
            )
        collection, depth = max(found, key=lambda each: each[1])
        return collection, name.segments[depth:]


def _stated(text: str) -> ChannelRef:
    name, _, channel = text.partition("#")
    return ChannelRef(VolumeRef(*split_version(name)), int(channel) if channel else None)


def experiment_of(segments: tuple[str, ...]) -> str:
    """The experiment whose channels are right below a group; `segments` are the group's below its collection's."""
    return encoded("/".join(segments)) if segments else NOTHING


def group_below(group: VolumeName, experiment: str) -> VolumeName | None:
    """The group that holds the channels of an experiment; None for what names none."""
    segments = _segments(experiment)
    return None if segments is None else VolumeName(group.remote, (*group.segments, *segments))


def split_experiment(name: str) -> tuple[str, str | None]:
    """An experiment's name without its mark, and the one channel that the mark leaves; None where it has none."""
    experiment, mark, only = name.partition(_ONLY)
    return experiment, only if mark else None


def experiment_of_one(experiment: str, channel: str) -> str:
    """The experiment that has one channel of another."""
    return f"{experiment}{_ONLY}{_stem(channel)}"


def frame_of(collection: str, experiment: str) -> str:
    """The coordinate frame of an experiment."""
    return encoded(f"{collection}/{experiment}")


def experiment_of_frame(frame: str) -> tuple[str, str] | None:
    """The collection and the experiment whose frame this is; None for a name that is no such one."""
    parts = (decoded(frame) or "").split("/")
    return (parts[0], parts[1]) if len(parts) == 2 and all(parts) else None


def _stem(channel: str) -> str:
    marked = _MARKED.fullmatch(channel)
    return marked["stem"] if marked else channel


def is_segment(text: str) -> bool:
    """Whether a text can be a segment of a volume's name."""
    return bool(text) and text not in (".", "..") and not any(sign in text for sign in "/\\\0")


def _segments(name: str, most: int | None = None) -> list[str] | None:
    """The segments that a name stands for; None where it stands for none that can be."""
    if name == NOTHING:
        return []
    segments = (decoded(name) or "").split("/")
    return segments if all(map(is_segment, segments)) and (most is None or len(segments) <= most) else None


def _is_below(name: VolumeName, group: VolumeName) -> bool:
    return name.remote == group.remote and name.segments[: len(group.segments)] == group.segments


def _unknown(names: Names) -> UnknownVolume:
    return UnknownVolume(f"there is no channel {'/'.join(names)[:200]}", "GET /v1/collection/ lists what there is")
