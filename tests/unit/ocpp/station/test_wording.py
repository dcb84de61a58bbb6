from evcharging.domain.policy import PolicyLimits, decide, decide_while_metering
from evcharging.ocpp.station import wording
from evcharging.ocpp.station.environment import SharedEnvironment

LIMITS = PolicyLimits(charge_if_price_below=20.0, max_energy_kwh=30.0, allow_peak_hours=False)


def test_the_lines_are_those_that_people_know():
    dear = SharedEnvironment(price=24.0, currency="INR", hour=12)
    cheap = SharedEnvironment(price=18.5, currency="INR", hour=19)
    high = decide(0.0, limits=LIMITS, price=24.0, hour=12)
    peak = decide(0.0, limits=LIMITS, price=18.5, hour=19)
    full = decide_while_metering(30000.0, 30000.0, limits=LIMITS, price=18.5, hour=12)
    assert [
        wording.boot_sent(),
        wording.authorized("ABC123"),
        wording.refused("ABC123", "Blocked"),
        wording.charging_started(cheap),
        wording.waiting(high, dear),
        wording.waiting(peak, cheap),
        wording.stopping(full, cheap),
        wording.charging_stopped(30000.0),
    ] == [
        "BootNotification sent",
        "Authorization successful - ABC123",
        "Authorization failed - ABC123 (Blocked)",
        "Charging started (price: 18.50 INR)",
        "Price too high (24.00 INR) - waiting",
        "Peak hour block (hour 19) - waiting",
        "Energy cap reached (30 kWh) - stopping",
        "Charging stopped (30.00 kWh delivered)",
    ]


def test_a_line_begins_with_its_time():
    assert wording.stamped(1_750_032_000.0 + 3661, "BootNotification sent") == "[01:01:01] BootNotification sent"
