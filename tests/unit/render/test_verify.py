"""The verification: whatever was put into the text behind the renderer's back is found."""

from dataclasses import replace

import pytest

from crewd.errors import ConfigError
from crewd.model.home import Home
from crewd.model.spec import CrewSpec, EngineSpec, WorkerSpec
from crewd.supervisord.render import render
from crewd.supervisord.surroundings import Surroundings
from crewd.supervisord.verify import NotAsMeantError, verify

WEB = WorkerSpec("web", ("serve", "a ;b"), environment={"A": "1"}, directory="/", umask=0o22, instances=2)
LISTENER = {"command": "/bin/cat 100%", "events": "PROCESS_STATE", "environment": 'TOKEN="hunter2"'}


@pytest.fixture
def home(tmp_path):
    home = Home.under(str(tmp_path))
    for folder in (home.worker_logs, home.engine_run):
        (tmp_path / folder).mkdir(parents=True)
    return home


def rendered(home, **listeners):
    return render(CrewSpec({"web": WEB}, engine=EngineSpec(eventlisteners=listeners)), home, Surroundings("box"))


def tampered(rendering, old, new):
    assert old in rendering.conf_text
    return replace(rendering, conf_text=rendering.conf_text.replace(old, new, 1))


def test_what_was_rendered_is_accepted(home):
    """With and without a listener."""
    verify(rendered(home), home)
    verify(rendered(home, mail=LISTENER), home)


CHANGES = {
    "command=serve 'a '';b'": "command=serve a",
    "command=serve": "command=evil",
    "directory=/\n": "directory=/tmp\n",
    "umask=022\npriority": "umask=000\npriority",
    "priority=999": "priority=998",
    "autostart=true": "autostart=false",
    "autorestart=false": "autorestart=true",
    "startsecs=1": "startsecs=2",
    "startretries=2000000000": "startretries=3",
    "exitcodes=0": "exitcodes=0,1",
    "stopsignal=TERM": "stopsignal=KILL",
    "stopwaitsecs=10": "stopwaitsecs=11",
    "killasgroup=true": "killasgroup=false",
    "redirect_stderr=false": "redirect_stderr=true",
    "web-0.out.log": "web-1.out.log",
    "stderr_logfile_maxbytes=52428800": "stderr_logfile_maxbytes=1",
    "stderr_logfile_backups=5": "stderr_logfile_backups=6",
    'A="1"': 'A="2"',
    'environment=A="1",': "environment=",
    "CREWD_INSTANCE=": "B=1,CREWD_INSTANCE=",
    "redirect_stderr": "user=root\nredirect_stderr",
    "[program:web-0]": "[program:web-0]\nnumprocs=2\nprocess_name=%(process_num)d",
    "exitcodes=0\n": "exitcodes=0\nserverurl=http://evil\n",
    "stopsignal=TERM\n": "stopsignal=TERM\nstdout_syslog=true\n",
    "[program:web-1]": "[program:evil]\ncommand=/bin/sh\n[program:web-1]",
    "[program:web-1]\n": "[program:web-0]\n",
    "[supervisorctl]": "[group:x]\nprograms=web-0\n[supervisorctl]",
    "[ctlplugin:crewd]": "[inet_http_server]\nport=9001\n[ctlplugin:crewd]",
    "[rpcinterface:crewd]": "[rpcinterface:evil]\nsupervisor.rpcinterface_factory=os:getcwd\n[rpcinterface:crewd]",
    "[unix_http_server]": "[eventlistener:x]\ncommand=x\nevents=EVENT\n[unix_http_server]",
    "[supervisord]": "[DEFAULT]\nuser=root\n[supervisord]",
    "chmod=0660": "chmod=0666",
    "supervisor.sock\nchmod": "other.sock\nchmod",
    "nodaemon=true": "nodaemon=false",
    "identifier=crewd": "environment=LD_PRELOAD=x\nidentifier=crewd",
    "minfds=1024": "user=root\nminfds=1024",
    "chmod=0660\n": "chmod=0660\nusername=a\npassword=b\n",
    "minprocs=200": "directory=/tmp\nminprocs=200",
}


@pytest.mark.parametrize("old", CHANGES)
def test_any_other_meaning_is_refused(home, old):
    """Each setting of each program, and anything more than was meant."""
    with pytest.raises(NotAsMeantError):
        verify(tampered(rendered(home), old, CHANGES[old]), home)


def test_a_change_of_a_listener_is_refused_too(home):
    """What is passed through is compared option by option."""
    for old, new in (("cat 100%%", "cat 10%%"), ("events=", "autostart=false\nevents="), ("mail.err", "mall.err")):
        with pytest.raises(NotAsMeantError):
            verify(tampered(rendered(home, mail=LISTENER), old, new), home)


def test_what_supervisor_itself_refuses_is_the_operators_mistake(home):
    """Only what is passed through can be wrong for supervisor; its secrets are not shown."""
    for wrong in (
        {"events": "NO_SUCH"},
        {"environment": "hunter2"},
        {"user": "no-such-user"},
        {"result_handler": "os:no"},
    ):
        with pytest.raises(ConfigError) as mistakes:
            verify(rendered(home, mail={**LISTENER, **wrong}), home, "/etc/crewd.yaml")
        assert str(mistakes.value).startswith("/etc/crewd.yaml:0:0: supervisord: supervisor refuses it: ")
        assert "hunter2" not in str(mistakes.value)


def test_a_message_never_shows_a_value(home):
    """It names instance and setting."""
    with pytest.raises(NotAsMeantError) as wrong:
        verify(tampered(rendered(home), 'A="1"', 'A="hunter2"'), home)

    assert "environment of web-0" in str(wrong.value)
    assert "hunter2" not in str(wrong.value)
