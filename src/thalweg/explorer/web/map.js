// The map of a domain's places.

const AXIS = 46; // px beside the frame
const REACH = 16; // px, of a click
const TALLEST = 430, LOWEST = 230; // px, of the frame

function degrees(positive, negative) {
  return new Bokeh.CustomJSTickFormatter({
    args: {}, code: `return Math.abs(tick).toLocaleString("en", { maximumFractionDigits: 3 }) + "°" + (tick > 0 ? "${positive}" : tick < 0 ? "${negative}" : "")`,
  });
}

class PlaceMap {
  constructor(host, choose) {
    this.host = host;
    this.choose = choose;
    let width = 0;
    new ResizeObserver(() => {
      if (this.domain?.map && host.clientWidth !== width) { width = host.clientWidth; this.draw(); }
    }).observe(host);
  }

  // Show the places of a domain; colours and texts by place, colour null where there is no value.
  show(domain, colours, texts) {
    Object.assign(this, { domain, colours, texts });
    this.host.hidden = !domain.map;
    if (!domain.map) return;
    if (this.drawn === domain) this.paint(); else this.draw();
  }

  extent() {
    const [west, south, east, north] = this.domain.map.box, middle = (south + north) / 2;
    const across = 1 / Math.cos(middle * Math.PI / 180); // length of a degree of latitude over that of longitude
    const margin = 0.06 * Math.max((east - west) / across, north - south, 0.05);
    const width = Math.max(160, this.host.clientWidth - AXIS - 12);
    const tall = north - south + 2 * margin, wide = (east - west) / across + 2 * margin; // both in degrees of latitude
    const height = Math.round(Math.min(TALLEST, Math.max(LOWEST, width * tall / wide)));
    const perPixel = Math.max(tall / height, wide / width), centre = (west + east) / 2;
    const x = perPixel * width * across / 2, y = perPixel * height / 2;
    return { width, height, x: [centre - x, centre + x], y: [middle - y, middle + y] };
  }

  draw() {
    const { map, places } = this.domain, { width, height, x, y } = this.extent();
    this.drawn = this.domain;
    this.whole = { x, y };
    this.x = new Bokeh.Range1d({ start: x[0], end: x[1] });
    this.y = new Bokeh.Range1d({ start: y[0], end: y[1] });
    const plot = new Bokeh.Plotting.figure({
      frame_width: width, frame_height: height, min_border: 0, x_range: this.x, y_range: this.y, tools: [], toolbar_location: null,
      background_fill_color: map.coast.length ? study.water : "#ffffff", outline_line_color: "#7b8794",
    });
    for (const [axes, positive, negative] of [[plot.xaxes, "E", "W"], [plot.yaxes, "N", "S"]])
      for (const axis of axes) {
        axis.formatter = degrees(positive, negative);
        axis.ticker.desired_num_ticks = 4;
        axis.minor_tick_line_color = axis.axis_line_color = null;
      }
    for (const grid of [...plot.xgrids, ...plot.ygrids]) grid.grid_line_color = "#00000014";
    for (const land of [true, false]) {
      const shapes = map.coast.filter(one => one.land === land);
      if (shapes.length)
        plot.patches(shapes.map(one => one.outline[0]), shapes.map(one => one.outline[1]),
          { fill_color: land ? study.land : study.water, line_color: "#8d99a5", line_width: 0.6 });
    }
    if (map.rivers) plot.multi_line(map.rivers.x, map.rivers.y, { line_color: "#7aa6c2", line_width: map.rivers.width });

    this.source = new Bokeh.ColumnDataSource({ data: this.columns() });
    const size = places.id.length > 150 ? 9 : places.id.length > 40 ? 11 : 13;
    const points = plot.scatter({ field: "x" }, { field: "y" }, {
      source: this.source, size, fill_color: { field: "colour" }, fill_alpha: { field: "alpha" }, line_color: "#20262c", line_width: 0.8,
    });
    this.near = new Bokeh.ColumnDataSource({ data: { x: [], y: [], text: [] } });
    this.ring = new Bokeh.ColumnDataSource({ data: { x: [], y: [] } });
    plot.scatter({ field: "x" }, { field: "y" }, { source: this.ring, size: size + 10, fill_color: null, line_color: "#ffffff", line_width: 5 });
    plot.scatter({ field: "x" }, { field: "y" }, { source: this.ring, size: size + 10, fill_color: null, line_color: "#d55e00", line_width: 3 });
    plot.text({ field: "x" }, { field: "y" }, { field: "text" }, {
      source: this.near, x_offset: size / 2 + 1, y_offset: -size / 2, text_font_size: "12px", text_font_style: "bold", text_color: "#1c2733", text_baseline: "bottom",
      background_fill_color: "#ffffff", background_fill_alpha: 0.85, padding: 2, border_radius: 3,
    });
    const hover = new Bokeh.HoverTool({ renderers: [points], tooltips: [["", "@name"], ["", "@text"]] });
    plot.add_tools(hover, new Bokeh.WheelZoomTool({ modifiers: { ctrl: true } }));
    if (matchMedia("(pointer: fine)").matches) { // with a finger the page is scrolled
      const pan = new Bokeh.PanTool();
      plot.add_tools(pan);
      plot.toolbar.active_drag = pan;
    }
    plot.on_event("tap", event => this.tapped(event.x, event.y, width, height));
    this.view = put(plot, this.host, this.view);
    if (this.chosen !== undefined) this.mark(this.chosen, this.neighbours);
  }

  // Choose the nearest place within reach of a finger.
  tapped(x, y, width, height) {
    const { longitude, latitude } = this.domain.places, across = width / (this.x.end - this.x.start), up = height / (this.y.end - this.y.start);
    const far = longitude.map((one, i) => one === null || latitude[i] === null ? Infinity : Math.hypot((one - x) * across, (latitude[i] - y) * up));
    const place = far.indexOf(Math.min(...far));
    if (far[place] <= REACH) this.choose(place);
  }

  columns() {
    const { longitude, latitude, id } = this.domain.places;
    this.order = id.map((_, i) => i).sort((a, b) => (this.colours[a] ? 1 : 0) - (this.colours[b] ? 1 : 0)); // those with a value on top
    const taken = value => this.order.map(value);
    return {
      x: taken(i => longitude[i] ?? NaN), y: taken(i => latitude[i] ?? NaN), colour: taken(i => this.colours[i] || "#ffffff"),
      alpha: taken(i => this.colours[i] ? 1 : 0.6), name: taken(i => nameOf(this.domain, i)), text: taken(i => this.texts[i]),
    };
  }

  paint() { this.source.data = this.columns(); }

  // Ring around the chosen place and numbers beside its neighbours.
  mark(place, near) {
    Object.assign(this, { chosen: place, neighbours: near });
    if (!this.domain.map) return;
    const { longitude, latitude } = this.domain.places;
    const there = place === undefined || longitude[place] === null ? [] : [place];
    this.ring.data = { x: there.map(i => longitude[i]), y: there.map(i => latitude[i]) };
    if (there.length) this.reach(longitude[place], latitude[place]);
    this.near.data = { x: near.map(one => longitude[one.place]), y: near.map(one => latitude[one.place]), text: near.map((_, i) => String(i + 1)) };
  }

  // Move the map if a place is not on it.
  reach(x, y) {
    if (x > this.x.start && x < this.x.end && y > this.y.start && y < this.y.end) return;
    for (const [range, at] of [[this.x, x], [this.y, y]]) {
      const half = (range.end - range.start) / 2;
      range.setv({ start: at - half, end: at + half });
    }
  }

  zoom(factor) {
    if (!this.domain.map) return;
    const { longitude, latitude } = this.domain.places, place = this.chosen;
    for (const [range, at] of [[this.x, longitude], [this.y, latitude]]) {
      const half = factor * (range.end - range.start) / 2;
      const known = place !== undefined && at[place] !== null && factor < 1;
      const centre = known ? at[place] : (range.start + range.end) / 2;
      range.setv({ start: centre - half, end: centre + half });
    }
  }

  all() {
    if (!this.domain.map) return;
    this.x.setv({ start: this.whole.x[0], end: this.whole.x[1] });
    this.y.setv({ start: this.whole.y[0], end: this.whole.y[1] });
  }
}
