import signal
import subprocess
import sys
import textwrap

import pytest

from evcharging.apps.load_run.main import main

URL = "ws://127.0.0.1:1/ocpp"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {sig: signal.getsignal(sig) for sig in (signal.SIGINT, signal.SIGTERM)}
    yield
    for sig, handler in before.items():
        signal.signal(sig, handler)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((), "--csms-url (LOAD_RUN_CSMS_URL): Field required (the CSMS, without a station's id: ws://host:9000/ocpp"),
        (("--csms-url", "localhost"), "expected as ws://host:port/path"),
        (("--csms-url", URL, "--fail-if", "p95 > 5"), "--fail-if: '5' in 'p95 > 5' has no unit"),
        (
            ("--csms-url", URL, "--fail-if", "p95(StartTransactoin) > 500ms"),
            "--fail-if: 'StartTransactoin' in 'p95(StartTransactoin) > 500ms' is no action that stations send",
        ),
        (
            ("--csms-url", URL, "--version", "2.0.1", "--fail-if", "calls(StopTransaction) < 1"),
            "OCPP 2.0.1: Authorize, BootNotification",
        ),
        (("--csms-url", URL, "--shape", "nowhere.yaml"), "--shape: nowhere.yaml: cannot be read"),
        (("--csms-url", URL, "--profile", "lazy"), "--profile: no behaviour profile 'lazy'"),
        (("--csms-url", URL, "--count", "900000"), "--count: 900000 stations"),
    ],
)
def test_bad_usage_is_exit_code_2_and_one_line(flags, told, capsys):
    assert main(list(flags)) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_where_nobody_answers_it_gives_up_with_exit_code_1_and_still_reports(capsys):
    flags = ("--csms-url", URL, "--count", "1", "--duration", "300ms", "--ramp", "0", "--report", "r.json", "--no-live")
    assert main(list(flags)) == 1
    output = capsys.readouterr()
    assert "no station could connect to ws://127.0.0.1:1/ocpp" in output.err
    assert "report: r.json" in output.err
    assert "attempts failed" in output.out


def test_a_report_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "r.json").mkdir()
    flags = ("--csms-url", URL, "--count", "1", "--duration", "100ms", "--ramp", "0", "--report", "r.json")
    assert main(list(flags)) == 1
    assert "--report r.json: cannot be written" in capsys.readouterr().err


def test_its_help_tells_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "3 a threshold was crossed" in told
    assert "130 cut off by a second Ctrl-C" in told


def test_ctrl_c_while_the_process_of_a_run_that_is_over_ends_leaves_its_exit_code_alone():
    program = textwrap.dedent("""
        import os, signal, sys
        from evcharging.apps.load_run.main import main

        class Late:
            def __del__(self, kill=os.kill, pid=os.getpid(), sig=signal.SIGINT):
                kill(pid, sig)

        sys.late = Late()
        sys.exit(main(["--csms-url", "nowhere"]))
    """)
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
