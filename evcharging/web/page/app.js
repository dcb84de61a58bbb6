// The page: keeps what the live feed says and shows it, a frame at a time.

import { onTokenNeeded, read } from "/static/api.js";
import { askToken } from "/static/dialogs.js";
import * as format from "/static/format.js";
import { follow } from "/static/live.js";
import * as orders from "/static/orders.js";
import { Rows, badgeColumn, button, setText, textColumn } from "/static/rows.js";
import * as stations from "/static/stations.js";

const MOST_ROWS = 200;
const MOST_ALERTS = 20;
const LAST_SESSIONS = 20;
const SESSIONS_READ = 100; // those that still run are among them
const SMALL_PRICE = 5; // per kWh; below it a step is a hundredth
const RELOAD_SESSIONS_MS = 1_200;
const STATES = ["SUPPLYING", "ACTIVATED", "STOPPED", "FAULT", "DISCONNECTED"];
const byName = new Intl.Collator(undefined, { numeric: true }).compare;
const at = (id) => document.getElementById(id);

const points = new Map();
const alerts = new Map();
const seen = { totals: null, pricing: null, first: null, since: null };
const shown = { state: "", search: "" };
let order = null; // ids in their order; null when one was added or taken away
let drawing = false;
let reloading = 0;
let menuOpener = null;

const takers = {
  snapshot(message) {
    points.clear();
    for (const point of message.cp) points.set(point.unit_id, point);
    order = null;
    alerts.clear();
    for (const alert of message.alerts.toReversed()) alerts.set(alert.alert_id, alert);
    seen.totals = message.totals;
    priced(message.pricing);
    stations.takers.snapshot(message);
    reloadSessions(0);
  },
  station: stations.takers.station,
  cp(message) {
    const before = points.get(message.unit_id);
    if (before === undefined) order = null;
    if (before?.session_id !== message.session_id) reloadSessions(RELOAD_SESSIONS_MS);
    if (message.state === "FAULT" && before !== undefined && before.state !== "FAULT") {
      orders.say(`${message.unit_id}: fault${message.reason ? ` (${format.words(message.reason)})` : ""}`, "bad");
    }
    points.set(message.unit_id, message);
  },
  gone(message) {
    if (points.delete(message.unit_id)) order = null;
    stations.takers.gone(message);
  },
  totals(message) {
    seen.totals = message;
  },
  pricing: priced,
  alert(message) {
    alerts.delete(message.alert_id);
    alerts.set(message.alert_id, message);
    if (alerts.size > MOST_ALERTS) alerts.delete(alerts.keys().next().value);
  },
  reply: orders.answered,
};

const activeRows = new Rows(at("active"), [
  textColumn("Charge point", (point) => point.unit_id, "name"),
  textColumn("Driver", (point) => point.driver_id ?? "–"),
  textColumn("Power", (point) => format.kw(point.kw), "number"),
  textColumn("Energy", (point) => format.kwh(point.kwh), "number"),
  textColumn("Cost", (point) => format.money(point.cost, point.currency), "number"),
  textColumn("Battery", (point) => format.share(point.soc), "number"),
  {
    label: "",
    cls: "actions",
    make(cell, cpId) {
      const end = () => orders.endSession(points.get(cpId).session_id, cpId);
      cell.append(button("End", { cls: "danger", label: `End the session at ${cpId}`, onClick: end }));
    },
    fill() {},
  },
]);

const pointRows = new Rows(at("points"), [
  textColumn("Charge point", (point) => point.unit_id, "name"),
  badgeColumn(
    "State",
    (point) => point.state,
    (point) => format.state(point.state),
    (point) => (["FAULT", "STOPPED", "DISCONNECTED"].includes(point.state) ? why(point) : ""),
  ),
  textColumn("Health", health),
  textColumn("Power", (point) => (point.kw > 0 ? format.kw(point.kw) : ""), "number"),
  textColumn("Last heard", (point) => format.clock(point.last_seen)),
  { label: "", cls: "actions", make: makeActions, fill: fillActions },
]);

const alertRows = new Rows(at("alerts"), [
  textColumn("Charge point", (alert) => alert.cp_id, "name"),
  badgeColumn(
    "Severity",
    (alert) => alert.severity,
    (alert) => alert.severity,
  ),
  textColumn("What", (alert) => [format.words(alert.kind), alert.detail].filter(Boolean).join(": ")),
  textColumn("Since", (alert) => format.moment(alert.started_at)),
]);

const lastRows = new Rows(at("last"), [
  textColumn("Charge point", (session) => session.cp_id, "name"),
  textColumn("Driver", (session) => session.driver_id),
  badgeColumn(
    "Outcome",
    (session) => session.status,
    (session) => format.state(session.status),
    (session) => format.words(session.reason),
  ),
  textColumn("Began", (session) => format.moment(session.started_at ?? session.created_at)),
  textColumn("Energy", (session) => format.kwh(session.kwh), "number"),
  textColumn("Cost", (session) => format.money(session.cost, session.currency), "number"),
]);

function why(point) {
  return [format.words(point.reason), point.detail ?? point.health_detail].filter(Boolean).join(": ");
}

function health(point) {
  if (point.healthy === null) return "Unknown";
  return point.healthy ? "Healthy" : "Not healthy";
}

function makeActions(cell, cpId) {
  const act = () => (points.get(cpId).state === "STOPPED" ? orders.resume(cpId) : orders.stop(cpId));
  const more = button("More", { label: `More for ${cpId}`, onClick: (opener) => openMenu(opener, cpId) });
  more.setAttribute("aria-haspopup", "menu");
  cell.append(button("Stop", { onClick: act }), more);
}

function fillActions(cell, point) {
  const act = cell.firstChild;
  const stopped = point.state === "STOPPED";
  setText(act, stopped ? "Resume" : "Stop");
  act.disabled = !stopped && !["ACTIVATED", "SUPPLYING"].includes(point.state);
  act.setAttribute("aria-label", `${act.textContent} ${point.unit_id}`);
}

function draw() {
  drawing = false;
  order ??= [...points.keys()].sort(byName);
  const inOrder = order.map((id) => points.get(id));
  const active = inOrder.filter((point) => point.session_id !== null);
  activeRows.show(active.slice(0, MOST_ROWS), (point) => point.unit_id);
  at("active-empty").hidden = active.length > 0;
  drawPoints(inOrder);
  drawFigures(inOrder);
  stations.draw(seen.pricing?.currency);
  const newest = [...alerts.values()].reverse();
  alertRows.show(newest, (alert) => alert.alert_id);
  at("alerts-card").hidden = newest.length === 0;
}

function drawPoints(inOrder) {
  const wanted = shown.search.toLowerCase();
  const found = inOrder.filter(
    (point) =>
      (shown.state === "" || point.state === shown.state) &&
      (wanted === "" || `${point.unit_id}\n${point.driver_id ?? ""}`.toLowerCase().includes(wanted)),
  );
  pointRows.show(found.slice(0, MOST_ROWS), (point) => point.unit_id);
  at("points-empty").hidden = found.length > 0;
  setText(at("points-empty"), points.size > 0 ? "None is like that." : "No charge point is known yet.");
  at("points-more").hidden = found.length <= MOST_ROWS;
  setText(at("points-more"), `${MOST_ROWS} of ${format.count(found.length)} are shown. Narrow them down to see others.`);
  for (const state of ["", ...STATES]) {
    const number = state === "" ? points.size : inOrder.filter((point) => point.state === state).length;
    setText(at(`count-${state}`), format.count(number));
  }
}

function drawFigures(inOrder) {
  const { totals, pricing } = seen;
  const elsewhere = stations.elsewhere(points);
  const power = [...inOrder.map((point) => point.kw), ...elsewhere.map((station) => station.usage_kw)];
  const supplying = inOrder.filter((point) => point.state === "SUPPLYING").length + elsewhere.length;
  setText(at("total-power"), format.kw(power.reduce((sum, kw) => sum + kw, 0)));
  setText(at("total-energy"), format.kwh(totals?.energy_kwh));
  setText(at("total-earnings"), totals ? format.money(totals.earnings, totals.currency) : "–");
  setText(at("total-stations"), format.count(totals?.stations));
  setText(at("total-running"), format.count(supplying));
  if (pricing) {
    const solar = pricing.solar_price === null ? "" : ` (from the sun ${format.price(pricing.solar_price, pricing.currency)})`;
    setText(at("price-now"), format.price(pricing.price, pricing.currency) + solar);
  }
}

function priced(pricing) {
  if (!pricing) return;
  seen.first ??= pricing.price; // what the operator finds is what a reset goes back to
  seen.pricing = pricing;
  at("price-reset").disabled = pricing.price === seen.first;
  at("price-reset").title = `Back to ${format.price(seen.first, pricing.currency)}, as it was when this page was opened`;
}

function redraw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

function reloadSessions(afterMs) {
  clearTimeout(reloading);
  reloading = setTimeout(async () => {
    try {
      const newest = await read(`/api/v1/sessions?limit=${SESSIONS_READ}`);
      const sessions = newest.filter((session) => session.status !== "ACTIVE").slice(0, LAST_SESSIONS);
      lastRows.show(sessions, (session) => session.session_id);
      at("last-empty").hidden = sessions.length > 0;
      if (seen.pricing === null) priced(await read("/pricing"));
      redraw();
    } catch (problem) {
      orders.say(`The last sessions cannot be read: ${problem.message}`, "bad");
    }
  }, afterMs);
}

function openMenu(opener, cpId) {
  const menu = at("menu");
  menu.dataset.cp = cpId;
  menu.showPopover();
  const place = opener.getBoundingClientRect();
  const box = menu.getBoundingClientRect();
  const below = place.bottom + 4 + box.height < innerHeight;
  menu.style.left = `${Math.max(8, place.right - box.width)}px`;
  menu.style.top = `${below ? place.bottom + 4 : Math.max(8, place.top - box.height - 4)}px`;
  menu.firstElementChild.focus();
  menuOpener = opener;
}

function connected(state, text) {
  document.body.dataset.connection = state;
  at("connection").dataset.state = state;
  setText(at("connection"), text);
  at("offline").hidden = state !== "offline";
}

function wireMenu() {
  const menu = at("menu");
  const acts = { start: orders.startAt, resume: orders.resume };
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "closed" && !document.querySelector("dialog[open]")) menuOpener?.focus();
  });
  menu.addEventListener("click", (event) => {
    const what = event.target.dataset.do;
    if (!what) return;
    menu.hidePopover();
    if (what in acts) acts[what](menu.dataset.cp);
    else orders.inject(menu.dataset.cp, what);
  });
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const items = [...menu.children];
    items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
  });
  addEventListener("scroll", () => menu.matches(":popover-open") && menu.hidePopover(), { passive: true });
}

function wireFilters() {
  for (const state of ["", ...STATES]) {
    const label = document.createElement("label");
    const radio = document.createElement("input");
    const number = document.createElement("span");
    radio.type = "radio";
    radio.name = "state";
    radio.className = "unseen";
    radio.checked = state === "";
    radio.addEventListener("change", () => {
      shown.state = state;
      redraw();
    });
    number.id = `count-${state}`;
    label.append(radio, `${state === "" ? "All" : format.state(state)} `, number);
    at("filters").append(label);
  }
  at("search").addEventListener("input", (event) => {
    shown.search = event.target.value.trim();
    redraw();
  });
}

function wirePrice() {
  at("price").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = at("price-new");
    if (!field.reportValidity()) return;
    if (await orders.setPrice(field.valueAsNumber)) field.value = "";
  });
  const step = (sign) => {
    if (seen.pricing === null) return;
    const { price } = seen.pricing;
    const by = price >= SMALL_PRICE ? 1 : 0.01; // a rupee is not a euro
    orders.setPrice(Math.max(0, Math.round((price + sign * by) * 1e6) / 1e6));
  };
  at("price-down").addEventListener("click", () => step(-1));
  at("price-up").addEventListener("click", () => step(1));
  at("price-reset").addEventListener("click", () => orders.setPrice(seen.first));
}

onTokenNeeded(askToken);
wireMenu();
wireFilters();
wirePrice();
stations.wire();
at("stop-all").addEventListener("click", orders.stopAll);
at("resume-all").addEventListener("click", orders.resumeAll);
follow({
  onMessages(messages) {
    for (const message of messages) takers[message.type]?.(message);
    seen.since = new Date();
    redraw();
  },
  onLive: () => connected("live", "Live"),
  onLost(pauseMs) {
    connected("offline", "Offline");
    const seconds = Math.max(1, Math.round(pauseMs / 1000));
    const last = seen.since ? ` What is shown is from ${seen.since.toLocaleTimeString()}.` : "";
    setText(at("offline"), `Central cannot be reached. Trying again in ${seconds} s.${last}`);
  },
});
