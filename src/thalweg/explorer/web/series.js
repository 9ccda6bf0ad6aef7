// Observed and simulated series of a place.

const DAY = 86400e3; // ms

class Series {
  constructor(host, tell) {
    this.host = host;
    this.tell = tell; // of the shown period, and of values under the pointer
    this.logarithmic = false;
    let width = 0;
    new ResizeObserver(() => {
      if (this.lines && host.clientWidth && host.clientWidth !== width) { width = host.clientWidth; this.draw(true); }
    }).observe(host);
    host.addEventListener("dblclick", () => this.all());
  }

  // lines: list of {label, colour, dashes, first, values}, the observed one with observed: true.
  show(domain, title, unit, lines, keep) {
    Object.assign(this, { domain, title, unit, lines });
    const first = Math.min(...lines.map(line => line.first)), last = Math.max(...lines.map(line => line.first + line.values.length));
    this.first = first;
    this.time = Array.from({ length: last - first }, (_, i) => timeOf(domain, first + i));
    this.draw(keep);
  }

  draw(keep) {
    const zoomed = this.x && (this.x.start > this.whole[0] || this.x.end < this.whole[1]);
    const before = keep && zoomed ? [this.x.start, this.x.end] : null, { time, lines, first } = this;
    this.whole = [time[0], time[time.length - 1]];
    const [start, end] = before && before[1] > this.whole[0] && before[0] < this.whole[1] ? before : this.whole;
    this.x = new Bokeh.Range1d({ start, end });
    this.y = new Bokeh.Range1d({ start: 0, end: 1 });
    const plot = new Bokeh.Plotting.figure({
      width: Math.max(250, this.host.clientWidth), height: 300, x_range: this.x, y_range: this.y, x_axis_type: "datetime",
      y_axis_type: this.logarithmic ? "log" : "linear", tools: [], toolbar_location: null, outline_line_color: "#7b8794", min_border: 4,
    });
    for (const axis of plot.yaxes) {
      axis.axis_label = `${this.title}${unitText(this.unit)}`;
      axis.axis_label_text_font_style = "normal";
      axis.ticker.desired_num_ticks = 5;
      axis.formatter = new Bokeh.CustomJSTickFormatter({ args: {}, code: "return String(Number(tick.toPrecision(3))).replace('-', '−')" });
    }
    for (const axis of plot.xaxes) axis.ticker.desired_num_ticks = this.host.clientWidth < 500 ? 4 : 8;
    for (const grid of [...plot.xgrids, ...plot.ygrids]) grid.grid_line_color = "#e4e9ed";
    const above = line => line.sampled ? 2 : line.observed ? 0 : 1; // samples over lines, lines over recorded observations
    for (const line of [...lines].sort((a, b) => above(a) - above(b))) {
      if (line.hidden) continue;
      const data = { x: time.slice(line.first - first, line.first - first + line.values.length), y: this.positive(line.values) };
      const source = new Bokeh.ColumnDataSource({ data }), x = { field: "x" }, y = { field: "y" };
      if (line.sampled) plot.scatter(x, y, { source, size: 5, fill_color: line.colour, line_color: "#ffffff", line_width: 0.5 });
      else plot.line(x, y, { source, line_color: line.colour, line_width: line.observed ? 1.7 : 1.5, line_dash: line.dashes });
    }
    const box = new Bokeh.BoxZoomTool({ dimensions: "width" }), cross = new Bokeh.CrosshairTool({ dimensions: "height", line_color: "#7b8794" });
    plot.add_tools(box, cross, new Bokeh.WheelZoomTool({ dimensions: "width", modifiers: { ctrl: true } }));
    plot.toolbar.active_drag = box;
    plot.on_event("mousemove", event => this.read(event.x));
    plot.on_event("mouseleave", () => this.say());
    for (const end of ["start", "end"]) this.x.properties[end].change.connect(() => this.fit());
    this.fit();
    this.view = put(plot, this.host, this.view);
  }

  positive(values) { return this.logarithmic ? values.map(value => value > 0 ? value : NaN) : values; }

  // The ordinate follows what is shown.
  fit() {
    let low = Infinity, high = -Infinity, positive = Infinity;
    for (const line of this.lines.filter(one => !one.hidden))
      for (let i = 0; i < line.values.length; i++) {
        const at = this.time[line.first - this.first + i], value = line.values[i];
        if (at < this.x.start || at > this.x.end || !Number.isFinite(value)) continue;
        low = Math.min(low, value); high = Math.max(high, value);
        if (value > 0) positive = Math.min(positive, value);
      }
    if (!Number.isFinite(high)) { low = 0; high = 1; positive = 0.1; }
    const floor = low >= 0 && low < 0.5 * high ? 0 : low - 0.05 * (high - low || 1);
    const ends = { start: floor, end: high + 0.06 * (high - floor || 1) };
    if (this.logarithmic) Object.assign(ends, { start: Math.max(positive / 1.3, high * 1e-5, 1e-9), end: Math.max(1.3 * high, 1e-8) });
    this.y.setv(ends);
    this.say();
  }

  say() { this.tell(`${dateText(this.domain, this.x.start)} to ${dateText(this.domain, this.x.end)}`); }

  read(x) {
    const { time } = this;
    let low = 0, high = time.length - 1;
    while (high - low > 1) { const middle = (low + high) >> 1; if (time[middle] <= x) low = middle; else high = middle; }
    const at = Math.abs(time[low] - x) < Math.abs(time[high] - x) ? low : high;
    const parts = this.lines.filter(line => !line.hidden).map(line => `${line.label} ${number(line.values[at - line.first + this.first])}`);
    this.tell(`${dateText(this.domain, time[at])}: ${parts.join(", ")} ${unitName(this.unit)}`);
  }

  period(start, end) {
    const least = 3 * (this.time[1] - this.time[0] || DAY), length = Math.min(Math.max(end - start, least), this.whole[1] - this.whole[0]);
    const centre = (start + end) / 2;
    const from = Math.min(Math.max(centre - length / 2, this.whole[0]), this.whole[1] - length);
    this.x.setv({ start: from, end: from + length });
  }

  all() { this.x.setv({ start: this.whole[0], end: this.whole[1] }); }

  zoom(factor) {
    const centre = (this.x.start + this.x.end) / 2, half = factor * (this.x.end - this.x.start) / 2;
    this.period(centre - half, centre + half);
  }

  move(share) {
    const by = share * (this.x.end - this.x.start);
    this.period(this.x.start + by, this.x.end + by);
  }

  year() {
    const centre = (this.x.start + this.x.end) / 2;
    this.period(centre - 182.5 * DAY, centre + 182.5 * DAY);
  }
}

function dateText(domain, time) {
  const text = new Date(time).toISOString();
  return domain.step === "hour" ? text.slice(0, 16).replace("T", " ") : text.slice(0, 10);
}
