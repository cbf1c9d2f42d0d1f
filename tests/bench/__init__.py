"""How fast crewd is, beside stock supervisord and runit in one and the same run: ``make bench``.

``__main__`` reads the options · ``plan`` says how much is measured · ``run`` measures · ``fleet`` is one peer with
n workers · ``peers`` starts and asks each of them · ``stamps`` and ``proc`` are the instruments · ``extras`` is what
only crewd has · ``daemon`` is what its daemon costs and shows, ``store`` whether its store keeps up · ``figures``,
``targets`` and ``report`` are what comes of it · ``reaper`` leaves nothing behind.
The method is in ``docs/explanation/performance.md``.
"""
