"""How plugins are found, and what is said of one that cannot be used."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from crewd import plugin
from crewd.config import load
from crewd.errors import ConfigError, PluginError
from crewd.model.spec import ResetAction
from crewd.plugin import RESETS, Act, Occasion, Option, Reset, Step, masked, option, secrets_of
from crewd.reconcile.clearing import cleared


@dataclass(frozen=True)
class Nothing:
    """No options."""


class Fine(Reset[Nothing]):
    """Keeps to the API."""

    options_type: type[Any] = Nothing

    def acts(self) -> tuple[Act, ...]:
        """Nothing to do."""
        return ()

    async def perform(self, act: Act, occasion: Occasion) -> AsyncGenerator[Step, None]:
        """Nothing."""
        yield Step(act.action)


class Explodes(Fine):
    """Raises where it may not."""

    def __init__(self, options: Nothing) -> None:
        super().__init__(options)
        raise RuntimeError("s3cret")


@dataclass(frozen=True)
class Undeclared:
    """A field that says nothing of itself."""

    x: str = "a"


class WithUndeclared(Fine):
    """Its options cannot be read."""

    options_type = Undeclared


@dataclass(frozen=True)
class Odd:
    """A type that no option may have."""

    x: set[str] = option("A set.")  # noqa: RUF009 - a field


class WithOdd(Fine):
    """Its options cannot be read either."""

    options_type = Odd


class WithNone(Fine):
    """Has no options at all."""

    options_type = int


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Registers entry points for a test."""

    def register(*points: tuple[str, str]) -> None:
        known = {name: EntryPoint(name, value, RESETS) for name, value in points}
        monkeypatch.setattr(plugin, "plugins", lambda _: known)
        plugin.reset_type.cache_clear()

    yield register
    plugin.reset_type.cache_clear()


def test_crewd_s_own_are_registered_like_anybody_else_s() -> None:
    """By entry points; those with a heavy client name the extra that brings it."""
    found = {point.name: point.extras for point in entry_points(group=RESETS)}

    assert found == {"command": [], "http": ["http"], "redis": ["redis"], "sql": []}
    for name in found:
        assert issubclass(plugin.reset_type(name), Reset)


def test_a_missing_client_is_a_sentence(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "redis.asyncio", None)
    monkeypatch.delitem(__import__("sys").modules, "crewd_plugins.resets.redis", raising=False)
    point = next(iter(entry_points(group=RESETS, name="redis")))
    monkeypatch.setattr(plugin, "plugins", lambda _: {"redis": point})
    plugin.reset_type.cache_clear()

    with pytest.raises(PluginError) as refused:
        plugin.reset_type("redis")

    assert str(refused.value) == "cannot use reset type 'redis': install crewd[redis]"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("crewd_no_such_package:X", "its plugin cannot be loaded: ModuleNotFoundError"),
        ("crewd.plugin:NoSuchName", "its plugin cannot be loaded: AttributeError"),
        ("crewd.errors:CrewdError", "crewd.errors:CrewdError is no Reset"),
        ("crewd.plugin:RESETS", "crewd.plugin:RESETS is no Reset"),
    ],
)
def test_what_is_no_plugin_is_a_sentence(installed: Any, value: str, words: str) -> None:
    """Whatever the entry point leads to."""
    installed(("odd", value))

    with pytest.raises(PluginError, match="cannot use reset type 'odd': ") as refused:
        plugin.reset_type("odd")

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Explodes, "cannot use reset type 'odd': it cannot be built: RuntimeError"),
        (WithUndeclared, "cannot read option 'x': it is not declared by crewd.plugin.option"),
        (WithOdd, "cannot read option 'x': set[str] is no type of an option"),
        (WithNone, "cannot use plugin 'odd': its options_type is no dataclass"),
    ],
)
def test_a_plugin_that_breaks_the_rules_is_a_mistake_at_its_type(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, broken: type[Any], words: str
) -> None:
    """The operator sees a line and a column, never a traceback, and no secret."""
    monkeypatch.setattr("crewd.config.resets.reset_type", lambda _: broken)
    file = tmp_path / "crewd.yaml"
    file.write_text("workers: {w: {command: x, reset: {actions: [{type: odd}]}}}\n")

    with pytest.raises(ConfigError) as refused:
        load(str(file))

    [problem] = refused.value.problems
    assert (problem.line, problem.path) == (1, "workers.w.reset.actions[0].type")
    assert words in problem.message
    assert "s3cret" not in problem.message


async def test_a_plugin_that_is_gone_by_then_is_an_action_that_failed(installed: Any) -> None:
    """Uninstalled since the configuration was loaded."""
    installed()

    [step] = await cleared(ResetAction("redis", Nothing()), Occasion("w"))

    assert not step.success
    assert "there is no such plugin" in step.error


def test_secrets_are_found_in_options_and_masked() -> None:
    """The whole value, and the password of a URL as it is written and as it is meant."""

    @dataclass(frozen=True)
    class Options:
        url: str = option("A URL.", secret=True)
        key: str = option("A key.", secret=True)
        name: str = option("No secret.")

    found = secrets_of(Options("redis://u:a%40b@h", "k3y", "plain"))

    assert set(found) == {"redis://u:a%40b@h", "a%40b", "a@b", "k3y"}
    assert masked("at redis://u:a%40b@h with a@b, k3y, plain", found) == "at *** with ***, ***, plain"


def test_an_option_is_a_field_that_knows_itself() -> None:
    """Its repr is hidden where it is secret."""

    @dataclass(frozen=True)
    class Options:
        open: str = option("Open.", default="x")
        hidden: str = option("Hidden.", default="y", secret=True)
        bare: int = field(default=1)

    known = plugin.option_of(Options.__dataclass_fields__["open"])

    assert known == Option("Open.")
    assert "hidden" not in repr(Options())
    with pytest.raises(PluginError):
        plugin.option_of(Options.__dataclass_fields__["bare"])
