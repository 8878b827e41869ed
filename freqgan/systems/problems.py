"""What can be wrong with the rules of a game, in one line each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import nn

from freqgan.suggest import hint
from freqgan.systems.rules import Known, Load, Phase, Player, PlayerTerms, Rules, weights_in


def problems(rules: Rules, known: Known, networks: Mapping[Player, nn.Module]) -> Iterator[str]:
    """One line for each rule that contradicts another or names what the method does not have.

    Args:
        rules: to be looked at.
        known: names of a method's terms, by player.
        networks: by player.
    """
    yield from _unknown_terms(rules["terms"], known, "model.terms")
    everything = sorted({term for names in known.values() for term in names})
    for term in rules.get("every", {}):
        if term not in everything:
            yield f"model.every.{term} names no term: choose from {', '.join(everything)}"
    yield from _phase_problems(rules, known, networks)


def _unknown_terms(given: PlayerTerms, known: Known, path: str) -> Iterator[str]:
    for player, terms in given.items():
        names = known.get(player, ())
        for term in terms:
            if term not in names:
                yield f"{path}.{player}.{term} names no term: choose from {', '.join(names)}"


def _phase_problems(rules: Rules, known: Known, networks: Mapping[Player, nn.Module]) -> Iterator[str]:
    phases = rules.get("phases") or []
    parts = [name for player, network in networks.items() for name, _ in network.named_modules(prefix=player)]
    before = 0.0
    for i, phase in enumerate(phases):
        path, end, load = f"model.phases.{i}", phase.get("until"), phase.get("load") or Load(run="none")
        if end is None and i < len(phases) - 1:
            yield f"{path}.until is missing, which only the last phase may leave out: set it to a share of the budget"
        elif end is not None and not before < end <= 1:
            yield f"{path}.until={end} must be greater than {before:g} and at most 1"
        before = before if end is None else end
        yield from _unknown_terms(phase.get("terms", {}), known, f"{path}.terms")
        yield from _unknown_parts(phase.get("frozen", []), parts, f"{path}.frozen")
        yield from _unknown_parts(load.get("parts", {}), parts, f"{path}.load.parts")
        if not load.get("run"):
            yield f"{path}.load.run is missing: set it to a run directory or a checkpoint file"
        yield from rules["optim"].problems(phase.get("optim") or {}, f"{path}.optim")
    movable = [player for player, network in networks.items() if any(True for _ in network.parameters())]
    for i, phase in enumerate(phases or [Phase()]):
        active = [player for player in movable if player not in phase.get("frozen", [])]
        if not any(any(weights_in(phase, rules["terms"], player).values()) for player in active):
            where = f"model.phases.{i}" if phases else "model.terms"
            yield f"{where} leaves nothing to train: give a term of a network that is not frozen a weight"


def _unknown_parts(names: Iterable[str], parts: Sequence[str], path: str) -> Iterator[str]:
    outer = [part for part in parts if part.count(".") < 2]
    for name in names:
        if name not in parts:
            yield f"{path}: {name} is no part of this model: {hint(name, outer)}"
