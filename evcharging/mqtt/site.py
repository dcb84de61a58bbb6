"""What is told about a site on MQTT, made from the site's signal on the bus. Pure; the caller publishes it retained."""

from __future__ import annotations

from evcharging.messages.network import SiteSignal
from evcharging.mqtt.payloads import SiteGrid, SitePrice, SiteSolar
from evcharging.mqtt.topics import SiteTopic, SiteTopicKind

__all__ = ["site_messages"]


def site_messages(signal: SiteSignal) -> list[tuple[str, bytes]]:
    """Topic and payload for the grid, for the price, and for the sun where the signal speaks of it.

    Raises:
        TopicError: the site's id cannot be part of a topic.
    """
    site_id, ts = signal.site_id, signal.ts
    messages = [
        (
            str(SiteTopic(site_id, SiteTopicKind.GRID)),
            SiteGrid(
                ts=ts, site_id=site_id, limit_kw=signal.grid_limit_kw, carbon_g_per_kwh=signal.carbon_g_per_kwh
            ).to_json(),
        ),
        (
            str(SiteTopic(site_id, SiteTopicKind.PRICE)),
            SitePrice(
                ts=ts,
                site_id=site_id,
                price_per_kwh=signal.price_per_kwh,
                solar_price_per_kwh=signal.solar_price_per_kwh,
                currency=signal.currency,
            ).to_json(),
        ),
    ]
    if signal.solar_kw is not None:
        solar = SiteSolar(ts=ts, site_id=site_id, solar_kw=signal.solar_kw)
        messages.append((str(SiteTopic(site_id, SiteTopicKind.SOLAR)), solar.to_json()))
    return messages
