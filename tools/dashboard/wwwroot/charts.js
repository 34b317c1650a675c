// Four charts over time (uPlot, uplot/VERSION): a line for each component that has such a value, in the colour of its kind; several of a
// kind differ in their dashes.

const kept = 300;
const dashes = [[], [6, 3], [2, 2], [10, 3, 2, 3]];

// The places of the values in a point (tools/dashboard/watch/RackReading.cs, PointOf).
const kinds = [
  { id: "cpu", index: 0, title: "CPU, % of a host core" },
  { id: "messages", index: 1, title: "Messages a second" },
  { id: "hits", index: 2, title: "Page faults that needed no message, %", top: 100 },
  { id: "misses", index: 3, title: "Lines fetched a second" },
];

const clock = time => new Date(time * 1000).toLocaleTimeString("en-GB");
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Charts {
  #points = [];
  #components = [];
  #plots = [];
  #drawn = "";

  constructor() {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#build());
    addEventListener("resize", () => this.#build());
  }

  clear() {
    this.#points = [];
  }

  setComponents(components) {
    this.#components = components.map(({ name, kind }) => ({ name, kind }));
    if (this.#drawn !== JSON.stringify(this.#components)) {
      this.#build();
    }
  }

  add(points) {
    this.#points = this.#points.concat(points).slice(-kept);
    this.#update();
  }

  #build() {
    this.#drawn = JSON.stringify(this.#components);
    this.#plots.forEach(({ plot }) => plot.destroy());
    this.#plots = kinds.map(kind => this.#plot(kind, document.getElementById(kind.id)));
    this.#update();
  }

  #plot(kind, place) {
    const shown = this.#components.filter(c => kind.index < 2 || c.kind === "processor" || c.kind === "solo");
    const counts = {};
    const series = shown.map(({ name, kind: of }) => {
      counts[of] = (counts[of] ?? -1) + 1;
      return { label: name, stroke: colour(`--${of}`), width: 1.5, dash: dashes[counts[of] % dashes.length], points: { show: false },
        spanGaps: kind.index === 2, value: (_, value) => value == null ? "–" : Math.round(value).toLocaleString("en") };
    });
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "10px system-ui" };
    place.setAttribute("role", "img");
    const plot = new uPlot({
      width: place.clientWidth, height: 132, cursor: { y: false }, legend: { live: false },
      scales: { y: { range: (_, __, most) => [0, kind.top ?? Math.max(most ?? 0, 1) * 1.1] } },
      axes: [{ ...axis, size: 22, space: 80, values: (_, times) => times.map(clock) }, { ...axis, size: 44, space: 26 }],
      series: [{}, ...series],
    }, undefined, place);
    return { plot, place, kind, shown };
  }

  #update() {
    const times = this.#points.map(point => point.time);
    for (const { plot, place, kind, shown } of this.#plots) {
      const lines = shown.map(({ name }) => this.#points.map(point => point.values[name]?.[kind.index] ?? null));
      plot.setData([times, ...lines]);
      const last = shown.map(({ name }, i) => `${name} ${Math.round(lines[i].at(-1) ?? 0)}`).join(", ");
      place.setAttribute("aria-label", `${kind.title}; now: ${last}`);
    }
  }
}
