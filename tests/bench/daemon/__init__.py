"""What the daemon costs with a thousand workers, and how soon it shows what happened.

``part`` measures one thing after the other, on one ``crewd run`` · ``crew`` is that, with its clients · ``asking`` are
requests and programs that ask, ``scraper`` one that scrapes without pause · ``idle``, ``sampling``,
``programs``, ``delays``, ``changes`` and ``growth`` each measure one thing.
"""
