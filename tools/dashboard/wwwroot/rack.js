// The rack as a picture: processor components on the left, memory components on the right, the manager above and the storage component
// below; between them the links that messages have used, with calls a second of both directions.

import { bytes, number } from "/text.js";

const box = { width: 142, height: 62, gap: 14 };
const field = { width: 520, least: 330, edge: 6 };
/** More figures than these cover each other; the busiest have them, all have a tooltip. */
const mostLabels = 12;
/** Heartbeats are fewer a second. */
const busyCalls = 100;

function element(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
}

export function drawRack(place, rack) {
  const { places, height } = arrange(rack.components);
  const svg = element("svg", { viewBox: `0 0 ${field.width} ${height}`, role: "img", "aria-label": describe(rack) });
  const busiest = [...rack.links].sort((a, b) => total(b) - total(a)).slice(0, mostLabels);
  for (const link of rack.links) {
    svg.append(drawLink(link, places));
  }

  rack.links.filter(link => busiest.includes(link)).forEach(link => svg.append(drawRate(link, places)));
  rack.components.forEach(component => svg.append(drawBox(component, places[component.name])));
  place.replaceChildren(svg);
}

const total = link => link.calls + link.callsBack;

const describe = rack => rack.components.map(c => `${c.name}, ${c.kind}, ${c.state}`).join("; ") + ". "
  + rack.links.map(l => `${l.from} to ${l.to}: ${number(total(l))} calls a second`).join("; ");

/** The upper left corner of each box. */
function arrange(components) {
  const of = kind => components.filter(c => c.kind === kind);
  const columns = [of("processor"), of("memory")];
  const tallest = Math.max(...columns.map(c => c.length)) * (box.height + box.gap);
  const height = Math.max(field.least, tallest + 2 * field.edge);
  const middle = (field.width - box.width) / 2;
  const places = {};
  columns.forEach((column, side) => column.forEach((c, i) => {
    const x = side === 0 ? field.edge : field.width - box.width - field.edge;
    places[c.name] = { x, y: height / 2 + (i - column.length / 2) * (box.height + box.gap) + box.gap / 2 };
  }));
  of("manager").forEach(c => { places[c.name] = { x: middle, y: field.edge }; });
  of("storage").forEach(c => { places[c.name] = { x: middle, y: height - box.height - field.edge }; });
  of("solo").forEach(c => { places[c.name] = { x: middle, y: (height - box.height) / 2 }; });
  return { places, height };
}

const centre = ({ x, y }) => ({ x: x + box.width / 2, y: y + box.height / 2 });

function drawLink(link, places) {
  const a = centre(places[link.from]);
  const b = centre(places[link.to]);
  const busy = total(link) >= busyCalls;
  const line = element("line", { x1: a.x, y1: a.y, x2: b.x, y2: b.y, class: busy ? "link busy" : "link",
    "stroke-width": 1 + Math.log10(1 + total(link)) });
  const title = `${link.from} to ${link.to}: ${number(link.calls)} calls a second; back: ${number(link.callsBack)}`;
  line.append(element("title", {}, title));
  return line;
}

/** Away from the middle of the field, where lines cross: those across it near their left end, the upright one near its upper end. */
function drawRate(link, places) {
  const a = centre(places[link.from]);
  const b = centre(places[link.to]);
  const width = Math.abs(a.x - b.x);
  const at = width < 1 ? 0.3 : width > field.width / 2 ? 0.38 : 0.5;
  const text = element("text", { x: a.x + (b.x - a.x) * at, y: a.y + (b.y - a.y) * at + 4, class: "rate" }, `${number(total(link))}/s`);
  text.dataset.link = `${link.from}-${link.to}`;
  return text;
}

function drawBox(component, { x, y }) {
  const inner = box.width - 22;
  const share = Math.min(component.cpuPercent / (100 * component.cpus), 1);
  const memory = bytes(component.memoryBytes);
  const use = component.inUseBytes === null ? memory : `${bytes(component.inUseBytes)} of ${memory}`;
  const group = element("g", { transform: `translate(${x} ${y})`, class: component.state === "ended" ? "ended" : "" },
    element("rect", { class: "box", width: box.width, height: box.height, rx: 8 }),
    element("rect", { class: component.kind, width: 5, height: box.height - 16, x: 5, y: 8, rx: 2.5 }),
    element("text", { x: 17, y: 19 }, element("tspan", { class: "name" }, component.name),
      element("tspan", { class: "dim", dx: 7 }, component.kind)),
    element("text", { x: 17, y: 36 }, component.state.startsWith("running") ? `${number(component.cpuPercent)} % CPU` : component.state),
    element("text", { class: "dim", x: 17, y: 50 }, use),
    element("rect", { class: "track", x: 16, y: 54, width: inner, height: 3, rx: 1.5 }),
    element("rect", { class: component.kind, x: 16, y: 54, width: inner * share, height: 3, rx: 1.5 }));
  group.dataset.component = component.name;
  return group;
}
