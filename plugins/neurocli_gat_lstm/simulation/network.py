"""The simulated network: which neurons are recorded, and one functional weight for every directed edge.

Magnitudes follow log1p of the structural weight, signs the presynaptic neuron. Some edges of the connectome are
silenced and some are added that it does not have; that is what a model of the recordings has to find.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurocli.errors import ConfigError
from neurocli_gat_lstm.graph.connectome import Connectome, load_connectome
from neurocli_gat_lstm.simulation.parameters import CelegansConfig

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

NAME_BYTES = 12
"""Longest name in the truth of a file, in bytes."""

# White et al. (1986); McIntire et al., Nature 364:337 (1993).
_GABA = (
    *("AVL", "DVB", "RIS", "RMED", "RMEL", "RMER", "RMEV"),
    *(f"DD{number}" for number in range(1, 7)),
    *(f"VD{number}" for number in range(1, 14)),
)
# Active in reversals and in forward runs: Kato et al., Cell 163:656 (2015).
_REVERSE, _FORWARD = ("AVAL", "AVAR", "AVEL", "AVER"), ("AVBL", "AVBR")
# What Kato et al. (2015) and Atanas, Kim et al., Cell 186:4134 (2023) often identify.
_PAIRS = (
    *("AIB", "AIY", "AIZ", "ASH", "ASK", "AUA", "AVD", "AVF", "AVH", "AVJ", "BAG", "CEPD", "FLP", "OLQD", "OLQV"),
    *("RIA", "RIB", "RIC", "RIF", "RIG", "RIM", "RIV", "RMD", "RMDD", "RME", "SAAD", "SAAV", "SABV", "SMBD", "SMBV"),
    *("SMDD", "SMDV", "URX", "URYD"),
)
_SINGLE = ("ALA", "AVL", "DB1", "DB2", "RID", "RIS", "RMED", "RMEV", "SABD", "VA1", "VB1", "VB2", "VB3")
_IDENTIFIED = (*_SINGLE, *(pair + side for pair in _PAIRS for side in "LR"))
_PREFERENCE = {**dict.fromkeys(_IDENTIFIED, 1.0), **dict.fromkeys((*_REVERSE, *_FORWARD), 5.0)}
_OTHERS = 0.01

_BALANCE = (0.5, 4.0)
"""Bounds of the factor that makes a neuron's inhibition equal its excitation."""
_FAN_IN = 0.3
"""A neuron with twice the input weight gets 2^0.3 times the input."""
_STRONGEST = 1.5
"""Bound of a typical neuron's input weight where nothing feeds back, so that no coupling would be unstable."""
_STRAY_COMMAND = 0.05


@dataclass(frozen=True)
class Network:
    """Neurons, recorded ones first, and their weights [post, pre].

    chemical: signed weights of synapses; gap: conductances, symmetric; both 0 on the diagonal. structural: bool
    [recorded, recorded] [post, pre], what the connectome has. tau_s, command: [neuron]; inhibitory: bool [neuron].
    """

    names: tuple[str, ...]
    recorded: int
    chemical: Array
    gap: Array
    structural: Flags
    inhibitory: Flags
    tau_s: Array
    command: Array

    @property
    def weight(self) -> Array:
        """Functional weights [post, pre]: how much an input moves its target's rest, to first order."""
        return self.chemical + self.gap

    def truth(self) -> dict[str, NDArray[Any]]:
        """The recorded part as arrays; edges are those of the connectome, silenced ones too, and the added ones.

        name: uint8 [neuron, 12], ASCII with zeros behind. pre, post: int64 [edge], positions in it, sorted by post,
        then pre. weight, gap_weight: float32 [edge], 0 where silenced; gap_weight is part of weight. structural: bool
        [edge], False for an added edge. inhibitory: bool; tau_s, command: float32 [neuron].
        """
        recorded = slice(0, self.recorded)
        weight, gap = self.weight[recorded, recorded], self.gap[recorded, recorded]
        post, pre = np.nonzero(self.structural | (weight != 0))
        name = np.zeros((self.recorded, NAME_BYTES), np.uint8)
        for row, text in zip(name, self.names, strict=False):
            row[: len(text)] = np.frombuffer(text.encode("ascii"), np.uint8)
        return {
            "name": name,
            "pre": pre.astype(np.int64),
            "post": post.astype(np.int64),
            "weight": weight[post, pre].astype(np.float32),
            "gap_weight": gap[post, pre].astype(np.float32),
            "structural": self.structural[post, pre],
            "inhibitory": self.inhibitory[recorded],
            "tau_s": self.tau_s[recorded].astype(np.float32),
            "command": self.command[recorded].astype(np.float32),
        }


def recorded_names(truth: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """The names of the recorded neurons, which `pre` and `post` of the shared truth count in."""
    return tuple(bytes(row).rstrip(b"\0").decode("ascii", "replace") for row in np.asarray(truth["name"], np.uint8))


class Options(NamedTuple):
    """The options that the network depends on, as in the configuration."""

    network_seed: int
    connectome: str
    neurons: int
    hidden: int
    hidden_strength: float
    silenced: float
    added: float
    inhibitory: float
    weight_spread: float
    gap_strength: float
    coupling: float
    tau_low_s: float
    tau_high_s: float


def network_of(config: CelegansConfig) -> Network:
    """The network of a configuration; the same one for all worms. Raises DataError, ConfigError."""
    return _network(Options(*(getattr(config, name) for name in Options._fields)))


@lru_cache(maxsize=4)
def _network(config: Options) -> Network:
    connectome = load_connectome(config.connectome)
    # One stream for each use, so that more of one thing does not move the others.
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(config.network_seed).spawn(6)]
    nodes = _nodes(connectome, config, streams[0])
    names = tuple(connectome.neurons[node] for node in nodes)
    known = _matrices(connectome, nodes)
    recorded = slice(0, config.neurons)
    structural = ((known[0] > 0) | (known[1] > 0))[recorded, recorded]
    inhibitory = _inhibitory(names, config.inhibitory, streams[1])
    chemical, gap = _magnitudes(known, config.weight_spread, streams[2])
    for post, pre in _silenced(structural, gap, config.silenced, streams[3]):
        chemical[post, pre] = gap[post, pre] = 0
    for post, pre, weight in _added(structural, chemical[recorded, recorded], config, streams[4]):
        chemical[post, pre] = weight
    for weights in (chemical, gap):
        weights[:, config.neurons :] *= config.hidden_strength
    gap[config.neurons :, recorded] *= config.hidden_strength  # a gap junction is as strong from both sides
    chemical, gap = _scaled(chemical, gap, inhibitory, config)
    random = streams[5]
    command = np.array([float(name in _REVERSE) - float(name in _FORWARD) for name in names])
    command *= np.exp(0.3 * random.standard_normal(len(names)))
    command += _STRAY_COMMAND * random.standard_normal(len(names))
    tau_s = np.exp(random.uniform(np.log(config.tau_low_s), np.log(config.tau_high_s), len(names)))
    return Network(names, config.neurons, chemical, gap, structural, inhibitory, tau_s, command)


def _nodes(connectome: Connectome, config: Options, random: np.random.Generator) -> NDArray[np.int64]:
    """Recorded neurons in the connectome's order, then hidden ones in it."""
    count = len(connectome.neurons)
    if config.neurons > count:
        raise ConfigError(
            f"{config.neurons} recorded neurons are more than the {count} of {connectome.name}",
            where="neurons",
            hint=f"at most {count}",
        )
    longest = max(connectome.neurons, key=len)
    if len(longest.encode()) > NAME_BYTES or not all(name.isascii() for name in connectome.neurons):
        raise ConfigError(
            f"a name such as {longest[:40]!r} is longer than {NAME_BYTES} ASCII characters",
            where="connectome",
            hint="shorten the names of the nodes",
        )
    preference = np.array([_PREFERENCE.get(name, _OTHERS) for name in connectome.neurons])
    # The order of exponential times at these rates is that of drawing without replacement by preference.
    order = np.argsort(random.exponential(size=count) / preference, kind="stable")
    rest = random.permutation(order[config.neurons :])[: config.hidden]
    nodes: NDArray[np.int64] = np.concatenate([np.sort(order[: config.neurons]), np.sort(rest)]).astype(np.int64)
    return nodes


def _matrices(connectome: Connectome, nodes: NDArray[np.int64]) -> tuple[Array, Array]:
    """Structural weights (chemical, gap), each [post, pre] among the nodes; gap junctions in both directions."""
    count = len(connectome.neurons)
    matrices = []
    for weights in (connectome.chemical, connectome.gap):
        whole = np.zeros((count, count))
        whole[connectome.post, connectome.pre] = weights
        matrices.append(whole[np.ix_(nodes, nodes)])
    return matrices[0], np.maximum(matrices[1], matrices[1].T)


def _inhibitory(names: tuple[str, ...], share: float, random: np.random.Generator) -> Flags:
    """GABA neurons, and as many others as the share asks for: those whose transmitter opens chloride channels."""
    inhibitory = np.array([name in _GABA for name in names])
    more = max(0, round(share * len(names)) - int(inhibitory.sum()))
    inhibitory[random.permutation(np.flatnonzero(~inhibitory))[:more]] = share > 0
    return inhibitory & (share > 0)


def _magnitudes(known: tuple[Array, Array], spread: float, random: np.random.Generator) -> tuple[Array, Array]:
    """log1p of the structural weights, each with a log-normal factor; one factor for both sides of a gap junction."""
    chemical, gap = (np.exp(spread * random.standard_normal(structural.shape)) for structural in known)
    gap = np.triu(gap, 1)
    return np.log1p(known[0]) * chemical, np.log1p(known[1]) * (gap + gap.T)


def _silenced(structural: Flags, gap: Array, share: float, random: np.random.Generator) -> list[tuple[int, int]]:
    """(post, pre) of the edges to silence. Where a gap junction joins two neurons, both directions fall silent."""
    joined: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
    for post, pre in np.argwhere(structural).tolist():
        both = gap[post, pre] > 0
        joined[(min(post, pre), max(post, pre)) if both else (post, pre, 1)].append((post, pre))
    units = list(joined.values())
    wanted, silent = round(share * int(structural.sum())), list[tuple[int, int]]()
    for unit in random.permutation(len(units)).tolist():
        if len(silent) >= wanted:
            break
        silent += units[unit]
    return silent


def _added(
    structural: Flags, chemical: Array, config: Options, random: np.random.Generator
) -> list[tuple[int, int, float]]:
    """(post, pre, magnitude) of chemical edges that the connectome does not have; as strong as those that it has."""
    free = ~structural
    np.fill_diagonal(free, False)
    places = random.permutation(np.argwhere(free))[: round(config.added * int(structural.sum()))]
    magnitudes = chemical[chemical > 0]
    typical = float(np.median(magnitudes)) if magnitudes.size else 1.0
    factor = typical * np.exp(config.weight_spread * random.standard_normal(len(places)))
    return [(int(post), int(pre), float(size)) for (post, pre), size in zip(places, factor, strict=True)]


def _scaled(chemical: Array, gap: Array, inhibitory: Flags, config: Options) -> tuple[Array, Array]:
    """Signs, balance of each neuron's inputs, and strengths such that the linear network is stable by `coupling`."""
    excitation, inhibition = chemical[:, ~inhibitory].sum(axis=1), chemical[:, inhibitory].sum(axis=1)
    balance = np.divide(excitation, inhibition, out=np.ones_like(excitation), where=inhibition > 0)
    signed = chemical.copy()
    signed[:, inhibitory] *= -np.clip(balance, *_BALANCE)[:, None]
    size = np.sqrt((signed**2).sum(axis=1))
    if (size > 0).any():
        typical = float(np.median(size[size > 0]))
        relative = np.divide(size, typical, out=np.ones_like(size), where=size > 0)
        signed *= (relative ** (_FAN_IN - 1) / typical)[:, None]
    total = gap.sum(axis=1)
    if (total > 0).any():
        gap = gap * (config.gap_strength / np.median(total[total > 0]))
    growth = float(np.linalg.eigvals(signed + gap - np.diag(gap.sum(axis=1))).real.max())
    factor = min(config.coupling / growth, _STRONGEST) if growth > 0 else _STRONGEST
    factor = factor if config.coupling > 0 else 0.0
    return signed * factor, gap * factor
