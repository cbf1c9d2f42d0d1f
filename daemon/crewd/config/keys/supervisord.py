"""The keys of ``supervisord``: supervisord, and the engine inside it."""

from crewd.config.key import Key, Section
from crewd.config.kinds import Choice
from crewd.config.listeners import Listeners
from crewd.model.spec import EngineSpec, JournalSync, Loop

SUPERVISORD = Section(
    "supervisord",
    "supervisord and the engine inside it.",
    EngineSpec(),
    (
        Key(
            "loop",
            Choice(Loop),
            "loop",
            "The main loop: crewd's own where the installed supervisord is known (auto), or supervisord's (stock).",
        ),
        Key(
            "journal_sync",
            Choice(JournalSync),
            "journal_sync",
            "When the journal of events is forced to the disk, against power loss: never (none), once a second "
            "(interval), or after each pass of the loop (pass). Not even none loses "
            "anything by the crash of a process.",
        ),
        Key(
            "eventlisteners",
            Listeners(),
            "eventlisteners",
            "Event listeners of supervisord, by name: the options of a stock [eventlistener:NAME] section. "
            "Needs command and events.",
            example="{crashmail: {command: /usr/local/bin/crashmail, events: PROCESS_STATE_EXITED}}",
        ),
    ),
)
