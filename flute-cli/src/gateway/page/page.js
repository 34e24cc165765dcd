// SPDX-License-Identifier: MPL-2.0
// The page: figures as they change, and the presentations that can be played.

import { Player } from "./player.js";

const percent = part => (100 * part).toFixed(part && part < 0.01 ? 3 : 2) + " %";
const rate = bits => bits >= 1e6 ? (bits / 1e6).toFixed(2) + " Mbit/s" : (bits / 1e3).toFixed(0) + " kbit/s";
const whole = number => number.toLocaleString("en");

const COLUMNS = [
  ["bitrate", "Bit rate", rate],
  ["loss-before-repair", "Loss before repair", percent],
  ["loss-after-repair", "Loss after repair", percent],
  ["symbols-repaired", "Symbols repaired", whole],
  ["objects-in-flight", "Objects in flight", whole],
  ["objects-received", "Objects received", whole],
  ["objects-lost", "Objects lost", whole],
  ["packets", "Packets", whole],
];

const byId = id => document.getElementById(id);

// Names and errors come from the network: they are text, never markup.
const element = (name, text, children = []) => {
  const made = document.createElement(name);
  if (text !== null) made.textContent = text;
  made.append(...children);
  return made;
};

const figures = service => element("dl", null, COLUMNS.map(([key, title, show]) =>
  element("div", null, [element("dt", title), element("dd", show(service[key]))])));

const sessions = service => {
  const titles = ["TSI", "Source"].concat(COLUMNS.map(([, title]) => title));
  const rows = service.sessions.map(session => {
    const values = COLUMNS.map(([key, , show]) => show(session[key]));
    return [String(session.tsi), session.source ?? "unknown"].concat(values);
  });
  const row = (cell, texts) => element("tr", null, texts.map(text => element(cell, text)));
  const box = element("div", null, [element("table", null, [row("th", titles), ...rows.map(texts => row("td", texts))])]);
  box.className = "scroll";
  return box;
};

const problems = service => element("ul", null, service.problems.map(problem =>
  element("li", new Date(1000 * problem["unix-time"]).toLocaleTimeString() + ": " + problem.text)));

const showServices = services => {
  const sections = services.map(service => {
    const parts = [element("h2", service.name), figures(service)];
    if (service.sessions.length) parts.push(sessions(service));
    if (service.problems.length) parts.push(element("h3", "Last problems"), problems(service));
    return element("section", null, parts);
  });
  byId("services").replaceChildren(...sections);
};

const player = new Player(byId("player").querySelector("video"), byId("playing"));

const play = (button, presentation) => {
  for (const other of byId("presentations").querySelectorAll("button")) other.ariaPressed = String(other === button);
  byId("player").hidden = false;
  player.play(presentation);
};

const presentationButton = presentation => {
  const button = element("button", presentation.path.slice(1));
  button.type = "button";
  button.ariaPressed = String(presentation.path === player.path);
  button.addEventListener("click", () => play(button, presentation));
  return button;
};

let shownPresentations = "";

// Buttons stay the same elements while the list does: the figures change every second, and a click takes longer.
const showPresentations = services => {
  const presentations = services.flatMap(service => service.presentations);
  const playable = presentations.filter(presentation => player.canPlay(presentation));
  byId("no-player").hidden = playable.length === presentations.length;
  const shown = JSON.stringify(playable);
  if (shown === shownPresentations) return;
  shownPresentations = shown;
  const title = playable.length ? [element("h2", "Presentations")] : [];
  byId("presentations").replaceChildren(...title, ...playable.map(presentationButton));
};

const events = new EventSource("/_flute/events");
events.addEventListener("message", event => {
  const { services } = JSON.parse(event.data);
  byId("state").textContent = "Live";
  showPresentations(services);
  showServices(services);
});
events.addEventListener("error", () => { byId("state").textContent = "The gateway does not answer; trying again …"; });
