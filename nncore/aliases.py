"""Aliases: names that stand for versions, and the history of their moves.

An alias's file holds its last move as JSON: what it names, what it named before, when, who, why. So
one replaced file is the whole change. Its line in the history follows; where a process dies in
between, the file tells it. A file with a bare number, written by hand, will do too.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nncore.errors import AliasMovedError, ConfigError, CorruptVersionError
from nncore.manifest import now
from nncore.model_folder import Noted, Stamp
from nncore.model_objects import StoredModel
from nncore.targets import Target, is_version

LIVE = "live"
PREVIOUS = "previous"  # what `live` named before; it has no file of its own


@dataclass(frozen=True)
class Move:
    """The last move of an alias, from `origin` to `target`, None where it names nothing.

    ``tag`` is another after each move, and None of an alias that names nothing.
    """

    alias: str
    target: Target | None = None
    origin: Target | None = None
    at: str = ""
    reason: str = ""
    actor: str = ""
    tag: str | None = None

    @classmethod
    def parse(cls, alias: str, content: bytes) -> "Move":
        """Read an alias's file. Raises CorruptVersionError where it names no version."""
        values = _json(content)
        if is_version(values):  # written by hand
            values = {"to": values}
        try:
            target = Target.from_json(values, "to") if isinstance(values, dict) else None
            removed = isinstance(values, dict) and "to" in values and values["to"] is None
            origin = Target.from_json(values, "from", "from_") if target or removed else None
        except ConfigError as error:
            raise CorruptVersionError(f"Alias {alias!r} is damaged: {error}") from error
        if target is None and not removed:
            raise CorruptVersionError(f"Alias {alias!r} holds {content[:80]!r}, not a version.")
        return cls(
            alias,
            target,
            origin,
            at=str(values.get("at", "")),
            reason=str(values.get("reason", "")),
            actor=str(values.get("actor", "")),
            tag=_tag(content) if target else None,
        )

    @property
    def to(self) -> int | None:
        """The number that the alias stands for."""
        return self.target.version if self.target else None

    @property
    def before(self) -> int | None:
        """The number that it stood for before."""
        return self.origin.version if self.origin else None

    def line(self) -> dict[str, Any]:
        """Return it as it stands in its file and in the history."""
        return {
            "at": self.at,
            "alias": self.alias,
            "from": self.before,
            "to": self.to,
            "reason": self.reason,
            "actor": self.actor,
            **(self.target.to_json() if self.target else {}),
            **(self.origin.to_json("from_") if self.origin else {}),
        }

    def noted(self) -> Noted:
        """Return it as it is kept: a line, and a name that no other move has."""
        line = json.dumps(self.line()).encode() + b"\n"
        return Noted(f"{self.at}-{_tag(line)}", line)


def anything(tag: str | None) -> bool:
    """Accept that an alias be moved, wherever it stands."""
    return True


class Aliases:
    """The aliases of one model."""

    def __init__(self, model: StoredModel) -> None:
        self._model = model

    def last(self, alias: str) -> Move:
        """Return the last move of `alias`. Raises CorruptVersionError."""
        if alias == PREVIOUS:
            live = self.last(LIVE)
            origin = Target(live.origin.version) if live.origin else None
            return Move(PREVIOUS, origin, at=live.at, tag=live.tag)
        content = self._model.alias(alias)
        return Move(alias) if content is None else Move.parse(alias, content)

    def get(self, alias: str) -> int | None:
        """Return the number that `alias` stands for, or None. Raises CorruptVersionError."""
        return self.last(alias).to

    def readable(self, alias: str) -> Move:
        """Return the last move of `alias`; where its file is damaged, one to None."""
        try:
            return self.last(alias)
        except CorruptVersionError:
            return Move(alias)

    def all(self) -> dict[str, int]:
        """Return every alias with its number, sorted by name; files that hold none are no alias."""
        moves = self._moves()
        if LIVE in moves and (before := moves[LIVE].origin):
            moves[PREVIOUS] = Move(PREVIOUS, Target(before.version))
        return {name: move.to for name, move in sorted(moves.items()) if move.to is not None}

    def naming(self, version: int) -> list[str]:
        """Return the aliases that name a version: alone, with others, or as what looks on."""
        targets = {name: self.readable(name).target for name in self.all()}
        return [name for name, target in targets.items() if target and version in target.versions]

    def stamp(self, alias: str) -> Stamp | None:
        """Return what changes whenever `alias` moves, or None where there is none: one stat."""
        return self._model.alias_stamp(LIVE if alias == PREVIOUS else alias)

    def move(
        self,
        alias: str,
        target: Target | None,
        *,
        reason: str,
        actor: str,
        accept: Callable[[str | None], bool] = anything,
    ) -> Move:
        """Let `alias` name `target`, or nothing; where it does so already, nothing is changed.

        Parameters
        ----------
        alias, target, reason, actor
            As they will stand in the history.
        accept : callable
            Asked with the tag of the alias's last move, while no other process can move it; in a
            bucket again, where another was quicker.

        Returns
        -------
        move : Move
            The alias's last one: this, or an earlier where nothing was changed.

        Raises
        ------
        AliasMovedError
            If `accept` says no.
        OSError
            If the disk is full or not writable, a bucket is away; the alias stays where it was.
        """
        moved: list[Move] = []

        def change(content: bytes | None) -> Noted | None:
            last = _readable(alias, content)
            if not accept(last.tag):
                raise AliasMovedError(f"{alias!r} names {last.to or 'nothing'} now.")
            if last.target == target:
                moved.append(last)
                return None
            if last.at:
                self._model.complete(last.noted())
            move = Move(alias, target, last.target, now(), reason, actor).noted()
            moved.append(Move.parse(alias, move.line))
            return move

        self._model.move_alias(alias, change)
        return moved[-1]

    def history(self) -> list[dict[str, Any]]:
        """Return all moves, oldest first: at, alias, from, to, reason, actor."""
        parsed = map(_json, self._model.history().splitlines())
        entries = [entry for entry in parsed if isinstance(entry, dict)]
        missing = [
            move.line() for move in self._moves().values() if move.at and move.line() not in entries
        ]
        return sorted(entries + missing, key=lambda entry: str(entry.get("at")))

    def at(self, alias: str, moment: datetime) -> int | None:
        """Return the number that `alias` stood for at `moment`, with its time zone, or None."""
        followed, key = (LIVE, "from") if alias == PREVIOUS else (alias, "to")
        for entry in reversed(self.history()):
            moved_at = parse_moment(str(entry.get("at")))
            if entry.get("alias") == followed and moved_at and moved_at <= moment:
                return entry[key] if is_version(entry.get(key)) else None
        return None

    def _moves(self) -> dict[str, Move]:
        """Return the last move of each alias; where its file is damaged, one to None."""
        files = self._model.aliases().items()
        return {alias: _readable(alias, line) for alias, line in files if alias != PREVIOUS}


def parse_moment(text: str) -> datetime | None:
    """Return the moment that `text` names as RFC 3339 has it, time zone and all, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _readable(alias: str, content: bytes | None) -> Move:
    try:
        return Move(alias) if content is None else Move.parse(alias, content)
    except CorruptVersionError:
        return Move(alias)


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
