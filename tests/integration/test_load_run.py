"""Load runs as people make them: against the gateway alone, and against a CSMS that is not ours."""

import asyncio
import fcntl
import json
import os
import re
import select
import signal
import ssl
import sys
from contextlib import asynccontextmanager

import httpx
import pytest
import trustme

from evcharging.apps.load_run.main import CUTTING_OFF, ENDING, load_run
from evcharging.apps.load_run.settings import LoadRunSettings
from evcharging.apps.runtime.errors import GaveUp
from tests.support.gateway_process import gateway_process
from tests.support.ocpp_package import central_system

PATIENCE_S = 30.0
LIVELY = """
description: Sessions at once, and short
heartbeat_interval_s: 1
pause_s: [0.1, 1.0]
meter_interval_s: 1
stay_s: [1, 3]
energy_step_wh: 6
"""


@pytest.fixture
def profiles(tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "lively.yaml").write_text(LIVELY)
    return folder


@pytest.fixture
def gateway(tmp_path):
    with gateway_process(tmp_path) as process:
        yield process


def settings(url, profiles, tmp_path, **flags):
    given = {
        "csms_url": url,
        "count": 20,
        "profile": "lively",
        "profiles_dir": profiles,
        "duration": 5.0,
        "ramp": 0.5,
        "report": [tmp_path / "report.json", tmp_path / "report.html", tmp_path / "report.csv"],
        "live": False,
        **flags,
    }
    return LoadRunSettings(**given)


async def made(wanted, tmp_path):
    """Make a run and return its exit code and its report."""
    async with asyncio.timeout(60.0):
        code = await load_run(wanted, asyncio.Event())
    return code, json.loads((tmp_path / "report.json").read_text())


async def test_twenty_stations_against_the_gateway_leave_a_clean_ledger(gateway, profiles, tmp_path, capsys):
    thresholds = ["failures > 0", "timeouts > 0", "ledger > 0", "p95 > 30s", "connects < 20"]
    wanted = settings(gateway.url, profiles, tmp_path, fail_if=thresholds, heartbeat_interval=0.3)
    code, report = await made(wanted, tmp_path)
    assert code == 0, capsys.readouterr().out
    ledger = report["ledger"]
    assert ledger["clean"]
    assert ledger["began"] == ledger["ended"] == ledger["acknowledged"] >= 1
    assert ledger["metered_wh"] == ledger["acknowledged_wh"]
    assert report["connections"]["connects"] == report["connections"]["closed"] == 20
    assert {"BootNotification", "StartTransaction", "MeterValues", "StopTransaction", "Heartbeat"} <= {
        action["action"] for action in report["actions"]
    }
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "report.csv").read_text().splitlines()[-1].startswith("all,")
    assert "ledger          clean" in capsys.readouterr().out


async def test_what_the_gateway_kept_is_what_the_stations_metered(gateway, profiles, tmp_path):
    _, report = await made(settings(gateway.url, profiles, tmp_path, count=3), tmp_path)
    kept = [await gateway.transactions(f"PY-SIM-{number:04d}") for number in (1, 2, 3)]
    kept_wh = sum(one["meter_stop_wh"] - one["meter_start_wh"] for transactions in kept for one in transactions)
    assert kept_wh == report["ledger"]["metered_wh"]


async def test_a_storm_of_reconnects_over_a_bad_network_loses_nothing(gateway, profiles, tmp_path):
    wanted = settings(
        gateway.url,
        profiles,
        tmp_path,
        shape="reconnect-storm",
        duration=8.0,
        network="latency=10ms,jitter=10ms,duplicates=2%",
        fail_if=["ledger > 0", "reconnects < 20"],
    )
    code, report = await made(wanted, tmp_path)
    assert code == 0, report["ledger"]["problems"]
    assert report["connections"]["reconnects"] == report["connections"]["disconnects"] >= 20


async def test_a_crossed_threshold_is_exit_code_3(profiles, tmp_path):
    async with central_system(answers={"Authorize": {"id_tag_info": {"status": "Blocked"}}}) as csms:
        wanted = settings(csms.url, profiles, tmp_path, count=2, duration=3.0, fail_if=["calls(StartTransaction) < 1"])
        code, report = await made(wanted, tmp_path)
    assert code == 3
    assert report["verdicts"][0]["failed"]


async def test_calls_never_answered_are_told_as_timeouts(profiles, tmp_path):
    async def never(**_request):
        await asyncio.sleep(600)

    async with central_system(answers={"Heartbeat": never}) as csms:
        wanted = settings(
            csms.url,
            profiles,
            tmp_path,
            count=1,
            profile="no-transactions",
            heartbeat_interval=0.3,
            duration=3.0,
            call_timeout=0.5,
        )
        _, report = await made(wanted, tmp_path)
    heartbeats = next(action for action in report["actions"] if action["action"] == "Heartbeat")
    assert heartbeats["timeouts"] >= 1
    assert heartbeats["p95_s"] is None


async def test_a_csms_that_doubles_transaction_ids_is_found_out(profiles, tmp_path):
    same = {"transaction_id": 7, "id_tag_info": {"status": "Accepted"}}
    stop = asyncio.Event()
    async with central_system(answers={"StartTransaction": same}) as csms, asyncio.timeout(60.0):
        wanted = settings(csms.url, profiles, tmp_path, count=1, duration=3600.0)
        running = asyncio.create_task(load_run(wanted, stop))
        while sum(len(peer.of("StartTransaction")) for peers in csms.peers.values() for peer in peers) < 2:
            await asyncio.sleep(0.05)
        stop.set()
        assert await running == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert any("too" in problem for problem in report["ledger"]["problems"])


async def test_drivers_come_by_the_hour_and_the_background_is_counted_apart(profiles, tmp_path):
    async with central_system() as csms:
        wanted = settings(
            csms.url,
            profiles,
            tmp_path,
            count=4,
            connectors=2,
            drivers="workplace",
            drivers_per_station=5.0,
            start_hour=6.0,
            time_scale=3600.0,
            duration=5.0,
            background=2,
            background_profile="no-transactions",
        )
        _, report = await made(wanted, tmp_path)
        assert sum(cp_id.startswith("BG-PY-SIM-") for cp_id in csms.peers) == 2
    boots = next(action for action in report["actions"] if action["action"] == "BootNotification")
    assert boots["calls"] == 4
    assert report["background"]["calls"] >= 2
    assert report["ledger"]["began"] >= 1
    assert report["ledger"]["clean"]


async def test_stations_show_their_certificate_and_trust_only_the_authority_given(profiles, tmp_path):
    authority = trustme.CA()
    server_tls, trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), tmp_path / "ca.pem"
    authority.issue_cert("localhost").configure_cert(server_tls)
    authority.configure_trust(server_tls)
    authority.cert_pem.write_to_path(str(trusted))
    server_tls.verify_mode = ssl.CERT_REQUIRED
    station = authority.issue_cert("station")
    certificate, key = tmp_path / "station.pem", tmp_path / "station.key"
    station.cert_chain_pems[0].write_to_path(str(certificate))
    station.private_key_pem.write_to_path(str(key))
    async with central_system(ssl=server_tls) as csms:
        assert csms.url.startswith("wss://")
        flags = {"count": 2, "profile": "no-transactions", "duration": 3.0, "settle": 0.0}
        tls = {"ca": trusted, "client_cert": certificate, "client_key": key}
        code, report = await made(settings(csms.url, profiles, tmp_path, **flags, **tls), tmp_path)
        assert (code, report["connections"]["boots_accepted"]) == (0, 2)
        with pytest.raises(GaveUp, match="no station could connect"):
            await load_run(settings(csms.url, profiles, tmp_path, **flags), asyncio.Event())


async def test_where_nothing_answers_the_run_gives_up_with_the_reason(profiles, tmp_path):
    with pytest.raises(GaveUp, match="no station could connect to ws://127.0.0.1:1/ocpp"):
        await load_run(
            settings("ws://127.0.0.1:1/ocpp", profiles, tmp_path, count=1, duration=0.5, ramp=0.0, settle=0.0),
            asyncio.Event(),
        )
    assert (tmp_path / "report.json").exists()


@asynccontextmanager
async def command(*flags, env=None):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "evcharging.apps.load_run.main", *flags),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def run_that_cannot_end(profiles, *flags):
    """A run against a CSMS that never answers the end of a transaction; what is given asks it to end, and waits."""

    async def never(**_request):
        await asyncio.sleep(600)

    async with central_system(answers={"StopTransaction": never}) as csms:

        async def heard(action):
            while not any(peer.of(action) for peers in csms.peers.values() for peer in peers):
                await asyncio.sleep(0.05)

        where = ("--csms-url", csms.url, "--count", "1", "--profile", "lively", "--profiles-dir", str(profiles))
        async with command(*where, "--duration", "1h", "--ramp", "0", *flags) as process:

            async def asked_to_end():
                await heard("StartTransaction")
                process.send_signal(signal.SIGINT)
                await heard("StopTransaction")

            yield process, asked_to_end


async def test_ctrl_c_ends_every_transaction_and_gives_the_report(profiles, tmp_path):
    async with central_system() as csms:
        flags = ("--csms-url", csms.url, "--count", "3", "--profile", "lively", "--profiles-dir", str(profiles))
        report = tmp_path / "report.json"
        async with (
            asyncio.timeout(PATIENCE_S),
            command(*flags, "--duration", "1h", "--ramp", "0", "--report", str(report)) as process,
        ):
            while sum(len(peer.of("StartTransaction")) for peers in csms.peers.values() for peer in peers) < 3:
                await asyncio.sleep(0.05)
            process.send_signal(signal.SIGINT)
            output, _ = await process.communicate()
    assert process.returncode == 0
    assert b"stopped early" in output
    told = json.loads(report.read_text())
    assert told["stopped_early"]
    assert told["ledger"]["clean"]
    assert told["ledger"]["began"] == told["ledger"]["acknowledged"] >= 3


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="pipes have a size that can be set on Linux alone")
async def test_another_ctrl_c_while_the_report_is_written_changes_neither_it_nor_the_exit_code(profiles, tmp_path):
    report = tmp_path / "report.html"
    unfinished = tmp_path / "report.html.part"  # a pipe that nobody empties yet: the run stays in the middle of it
    os.mkfifo(unfinished)
    pipe = os.open(unfinished, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    async with central_system() as csms, asyncio.timeout(PATIENCE_S):
        flags = ("--csms-url", csms.url, "--count", "3", "--profile", "lively", "--profiles-dir", str(profiles))
        async with command(
            *flags, "--duration", "1h", "--ramp", "0", "--report", str(report), "--fail-if", "calls > 0"
        ) as process:
            while not any(peer.of("StartTransaction") for peers in csms.peers.values() for peer in peers):
                await asyncio.sleep(0.05)
            process.send_signal(signal.SIGINT)
            while not select.select([pipe], [], [], 0)[0]:
                await asyncio.sleep(0.05)
            process.send_signal(signal.SIGINT)
            written = b""
            while part := os.read(pipe, 65536) if select.select([pipe], [], [], PATIENCE_S)[0] else b"":
                written += part
            _, error = await process.communicate()
    os.close(pipe)
    assert written.endswith(b"</html>\n")
    assert process.returncode == 3
    assert error.decode().splitlines() == [f"evcharging swarm: {ENDING}", f"report: {report}"]


async def test_a_second_ctrl_c_stops_the_waiting_and_the_report_is_still_written(profiles, tmp_path):
    report = tmp_path / "report.json"
    async with (
        run_that_cannot_end(profiles, "--report", str(report), "--fail-if", "ledger > 0") as (process, asked_to_end),
        asyncio.timeout(PATIENCE_S),
    ):
        await asked_to_end()
        process.send_signal(signal.SIGINT)
        output, error = await process.communicate()
    assert process.returncode == 130
    assert error.decode().splitlines() == [
        f"evcharging swarm: {ENDING}",
        f"evcharging swarm: {CUTTING_OFF}",
        f"report: {report}",
    ]
    told = json.loads(report.read_text())
    assert told["cut_off"]
    assert told["stations"]["ended_by_force"] == 1
    assert any("never acknowledged its end" in problem for problem in told["ledger"]["problems"])
    assert told["failed"]
    assert "crossed         ledger > 0" in output.decode()


async def test_the_live_page_shows_figures_and_no_password_is_ever_told(profiles, tmp_path):
    secret = "correct-horse-battery"
    async with central_system() as csms:
        flags = ("--csms-url", csms.url, "--count", "2", "--profile", "lively", "--profiles-dir", str(profiles))
        report = tmp_path / "report.html"
        async with (
            asyncio.timeout(PATIENCE_S),
            command(
                *(*flags, "--duration", "1h", "--web", "0", "--report", str(report), "--log-level", "debug"),
                env={"LOAD_RUN_PASSWORD": secret},
            ) as process,
        ):
            line = (await process.stderr.readline()).decode()
            url = re.search(r"http://127\.0\.0\.1:\d+", line)[0]
            async with httpx.AsyncClient(trust_env=False) as client:
                while (await client.get(f"{url}/figures.json")).json()["connections"]["connects"] < 2:
                    await asyncio.sleep(0.05)
                shown = [
                    (await client.get(f"{url}{path}")).text for path in ("/", "/live.js", "/report", "/figures.json")
                ]
            process.send_signal(signal.SIGINT)
            told = [part.decode() for part in await process.communicate()]
    assert "Over time" in shown[2]
    assert all(secret not in text for text in (*shown, *told, report.read_text()))
