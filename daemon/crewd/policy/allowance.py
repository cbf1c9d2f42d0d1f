"""How much of something somebody may have: so much at once, and so much more with each second. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """``burst`` at once, ``per_sec`` from then on."""

    per_sec: float
    burst: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What was left at a moment of some steady clock."""

    left: float
    at: float

    def after(self, rate: Rate, now: float) -> "Allowance":
        """Return what is left now."""
        return Allowance(min(rate.burst, self.left + max(0.0, now - self.at) * rate.per_sec), now)

    def taken(self, amount: float) -> "Allowance":
        """Return what is left after that."""
        return Allowance(self.left - amount, self.at)

    def wait_sec(self, rate: Rate, amount: float) -> float:
        """Return how long it takes until there is so much; 0 where there is."""
        return max(0.0, (amount - self.left) / rate.per_sec)
