"""What a new policy table changes: the difference that an apply carries out, and that a reload logs."""

from dataclasses import dataclass

from crewd.model.table import Table


@dataclass(frozen=True, slots=True)
class Plan:
    """Instances by what happens to them, each tuple sorted."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    """Changed in a way that needs a new process."""
    changed: tuple[str, ...] = ()
    """Changed in place, no process touched."""
    kept: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.added or self.removed or self.restarted or self.changed)


def plan(old: Table, new: Table) -> Plan:
    """Return what leads from ``old`` to ``new``."""
    both = old.entries.keys() & new.entries.keys()
    restarted = {name for name in both if old.entries[name].fingerprint != new.entries[name].fingerprint}
    changed = {name for name in both - restarted if old.entries[name] != new.entries[name]}
    return Plan(
        added=tuple(sorted(new.entries.keys() - both)),
        removed=tuple(sorted(old.entries.keys() - both)),
        restarted=tuple(sorted(restarted)),
        changed=tuple(sorted(changed)),
        kept=tuple(sorted(both - restarted - changed)),
    )
