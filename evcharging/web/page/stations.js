// The simulated stations: what they do, how many are to run, and the log of one of them.

import { write } from "/static/api.js";
import * as format from "/static/format.js";
import { follow } from "/static/live.js";
import { say } from "/static/orders.js";
import { Rows, badgeColumn, button, setText, textColumn } from "/static/rows.js";

const MOST_ROWS = 200;
const MOST_LINES = 200; // fifty are there at first, the others come while one looks on
const STATUS = { online: "Online", stopped: "Stopped" };
const byName = new Intl.Collator(undefined, { numeric: true }).compare;
const at = (id) => document.getElementById(id);

const stations = new Map();
let order = null; // ids in their order; null when one was added or taken away
let money = null; // the currency that prices are in
let shownLog = null; // the station whose log is open, and what ends listening to it

export const takers = {
  snapshot(message) {
    stations.clear();
    for (const station of message.stations) stations.set(station.station_id, station);
    order = null;
  },
  station(message) {
    if (!stations.has(message.station_id)) order = null;
    stations.set(message.station_id, message);
  },
  gone(message) {
    if (stations.delete(message.station_id)) order = null;
  },
};

// Stations that charge at another CSMS, which are no charge points of ours.
export function elsewhere(points) {
  return [...stations.values()].filter((station) => station.usage_kw > 0 && !points.has(station.station_id));
}

const rows = new Rows(at("stations"), [
  textColumn("Station", (station) => station.station_id, "name"),
  textColumn("Profile", (station) => station.profile),
  badgeColumn(
    "Status",
    (station) => station.status,
    (station) => STATUS[station.status],
    (station) => station.policy?.reason ?? "",
  ),
  textColumn("Usage", (station) => (station.usage_kw > 0 ? format.kw(station.usage_kw) : ""), "number"),
  { label: "Energy", make: makeEnergy, fill: fillEnergy },
  textColumn("Charges", limits),
  { label: "", cls: "actions", make: makeActions, fill: fillActions },
]);

export function draw(currency) {
  order ??= [...stations.keys()].sort(byName);
  money = currency;
  rows.show(
    order.slice(0, MOST_ROWS).map((id) => stations.get(id)),
    (station) => station.station_id,
  );
  const online = [...stations.values()].filter((station) => station.status === "online").length;
  setText(at("stations-count"), stations.size > 0 ? `${format.count(online)} online of ${format.count(stations.size)}` : "");
  at("stations-empty").hidden = stations.size > 0;
  at("stations-more").hidden = order.length <= MOST_ROWS;
  setText(at("stations-more"), `${MOST_ROWS} of ${format.count(order.length)} are shown; the others are at /stations.`);
}

function limits(station) {
  if (station.max_energy_kwh === null && station.charge_if_price_below === null && station.allow_peak_hours === null) {
    return "";
  }
  const price = station.charge_if_price_below;
  const dear = price === null ? "at any price" : `up to ${money ? format.money(price, money) : price}`;
  return `${dear}, ${station.allow_peak_hours ? "also in peak hours" : "not in peak hours"}`;
}

function makeEnergy(cell) {
  const box = document.createElement("span");
  const text = document.createElement("span");
  const bar = document.createElement("progress");
  box.className = "energy";
  box.append(text, bar);
  cell.append(box);
}

function fillEnergy(cell, station) {
  const [text, bar] = cell.firstChild.children;
  const most = station.max_energy_kwh;
  setText(text, most === null ? format.kwh(station.energy_kwh) : `${format.figure(station.energy_kwh)} / ${most} kWh`);
  bar.hidden = most === null;
  bar.max = most ?? 1;
  bar.value = Math.min(station.energy_kwh, bar.max);
  bar.setAttribute("aria-label", `Energy of ${station.station_id}, of what its profile allows`);
}

function makeActions(cell, id) {
  const act = () => (stations.get(id).status === "online" ? ask("stop", id) : ask("start", id));
  cell.append(button("Start", { onClick: act }), button("Log", { label: `Log of ${id}`, onClick: () => toggleLog(id) }));
}

function fillActions(cell, station) {
  const [act, log] = cell.children;
  setText(act, station.status === "online" ? "Stop" : "Start");
  act.setAttribute("aria-label", `${act.textContent} ${station.station_id}`);
  log.setAttribute("aria-expanded", String(shownLog?.id === station.station_id));
}

async function ask(what, id, profile) {
  try {
    await write(`/stations/${what}`, { station_id: id, ...(profile ? { profile } : {}) });
    say(`${id}: ${what} asked for`);
  } catch (problem) {
    say(`${id}: ${what}: ${problem.message}`, "bad");
  }
}

function toggleLog(id) {
  const same = shownLog?.id === id;
  closeLog();
  if (!same) openLog(id);
}

function openLog(id) {
  const list = at("log-lines");
  const end = follow({
    query: `station_id=${encodeURIComponent(id)}`,
    onMessages(messages) {
      for (const message of messages) {
        if (message.type === "snapshot") list.replaceChildren();
        if (message.type === "log") list.prepend(lineOf(message.line));
      }
      while (list.children.length > MOST_LINES) list.lastChild.remove();
    },
  });
  shownLog = { id, end };
  setText(at("log-title"), `Log of ${id}, newest first`);
  at("log-file").href = `/api/v1/history/${encodeURIComponent(id)}?format=csv`;
  at("log").hidden = false;
  at("log").scrollIntoView({ block: "nearest" });
  markLogButtons();
}

function lineOf(text) {
  const line = document.createElement("li");
  line.textContent = text;
  return line;
}

function closeLog() {
  shownLog?.end();
  shownLog = null;
  at("log").hidden = true;
  at("log-lines").replaceChildren();
  markLogButtons();
}

function markLogButtons() {
  for (const [id, row] of rows.rows) {
    row.lastChild.lastChild.setAttribute("aria-expanded", String(shownLog?.id === id));
  }
}

export function wire() {
  const scale = at("scale");
  scale.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!scale.reportValidity()) return;
    const body = { count: scale.elements.count.valueAsNumber, profile: scale.elements.profile.value.trim() };
    try {
      const answer = await write("/stations/scale", body);
      say(`${answer.count} stations are to run: ${answer.started} started, ${answer.stopped} stopped`);
    } catch (problem) {
      say(`The swarm was not scaled: ${problem.message}`, "bad");
    }
  });
  const one = at("one-station");
  one.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!one.reportValidity()) return;
    const id = one.elements.station_id.value.trim();
    const profile = one.elements.profile.value.trim();
    ask(event.submitter.value, id, event.submitter.value === "start" ? profile : "");
  });
  at("log-close").addEventListener("click", closeLog);
}
