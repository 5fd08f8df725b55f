"use strict";

// Charts of stacked bars or of lines, drawn as SVG. All text is set as text, and every colour is a class of the style
// sheet, so that the page's policy needs no exception for either.
const Chart = (() => {
  const NS = "http://www.w3.org/2000/svg";
  const BOTTOM = 20, TOP = 6, RIGHT = 4;

  function svg(name, attributes, ...children) {
    const e = document.createElementNS(NS, name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    e.append(...children);
    return e;
  }

  function html(name, className, ...children) {
    const e = document.createElement(name);
    e.className = className;
    e.append(...children);
    return e;
  }

  // nice returns the distance of two lines of a grid of about three.
  function nice(max) {
    const rough = max / 3, power = 10 ** Math.floor(Math.log10(rough));
    for (const n of [1, 2, 2.5, 5, 10]) if (n * power >= rough) return n * power;
    return 10 * power;
  }

  class Chart {
    // options: title; lines, for lines in place of bars; whole, where values are whole numbers; format(value), and
    // mark(value) for the axis.
    constructor(parent, options) {
      this.options = options;
      this.data = null;
      this.at = -1;
      this.left = 46; // where the axis stands
      this.legend = html("div", "legend");
      this.heading = html("h2", "", options.title);
      this.plot = html("div", "plot");
      this.plot.tabIndex = 0;
      this.plot.setAttribute("role", "slider");
      this.plot.setAttribute("aria-label", options.title);
      this.tip = html("div", "tip");
      this.tip.hidden = true;
      this.figure = html("figure", "", html("figcaption", "", this.heading, this.legend), this.plot);
      parent.append(this.figure);
      new ResizeObserver(() => this.draw()).observe(this.plot);
      this.plot.addEventListener("pointermove", (e) => this.point(this.indexAt(e.clientX)));
      this.plot.addEventListener("pointerleave", () => this.point(-1));
      this.plot.addEventListener("blur", () => this.point(-1));
      this.plot.addEventListener("focus", () => { if (this.data && this.at < 0 && this.plot.matches(":focus-visible")) this.point(this.data.times.length - 1); });
      this.plot.addEventListener("keydown", (e) => this.key(e));
    }

    // show takes times (seconds), and series of {name, color, values}; label(time, long) names a time.
    show(data) {
      this.data = data;
      if (data.title) {
        this.heading.textContent = data.title;
        this.plot.setAttribute("aria-label", data.title);
      }
      this.legend.replaceChildren(...data.series.map((s) => {
        const entry = html("span", "", html("i", "key f" + s.color), html("span", "", s.name));
        entry.title = s.name;
        return entry;
      }));
      if (this.at >= data.times.length) this.at = -1;
      this.draw();
    }

    key(e) {
      const last = this.data ? this.data.times.length - 1 : -1;
      const to = { ArrowLeft: this.at - 1, ArrowDown: this.at - 1, ArrowRight: this.at + 1, ArrowUp: this.at + 1, Home: 0, End: last }[e.key];
      if (e.key === "Escape") this.point(-1);
      if (to === undefined || last < 0) return;
      e.preventDefault();
      this.point(Math.max(0, Math.min(last, to)));
    }

    indexAt(x) {
      if (!this.data) return -1;
      const box = this.plot.getBoundingClientRect(), n = this.data.times.length;
      const i = Math.floor((x - box.left - this.left) / ((box.width - this.left - RIGHT) / n));
      return i < 0 || i >= n ? -1 : i;
    }

    point(i) {
      if (i === this.at) return;
      this.at = i;
      this.mark();
    }

    top() {
      const { times, series } = this.data;
      let max = 0;
      for (let i = 0; i < times.length; i++) {
        const values = series.map((s) => s.values[i]);
        max = Math.max(max, this.options.lines ? Math.max(0, ...values) : values.reduce((a, b) => a + b, 0));
      }
      return max;
    }

    draw() {
      const width = this.plot.clientWidth, height = this.plot.clientHeight;
      if (!this.data || !width || !height) return;
      const max = this.top();
      let step = nice(max || 1);
      if (this.options.whole) step = Math.max(1, Math.ceil(step));
      const ceiling = Math.max(step, Math.ceil(max / step - 1e-9) * step);
      const y = (v) => TOP + (height - TOP - BOTTOM) * (1 - v / ceiling);
      const mark = this.options.mark || this.options.format, marks = [];
      for (let v = 0; v <= ceiling * 1.0001; v += step) marks.push([v, mark(v)]);
      const LEFT = this.left = Math.max(46, 14 + 6.2 * Math.max(...marks.map(([, text]) => text.length)));
      const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
      for (const [v, text] of marks) {
        const at = Math.round(y(v)) + 0.5;
        root.append(svg("line", { class: "rule", x1: LEFT, x2: width - RIGHT, y1: at, y2: at }));
        if (max) root.append(svg("text", { x: LEFT - 6, y: at + 3.5, "text-anchor": "end" }, text));
      }
      this.times(root, width, height);
      this.cursor = svg("rect", { class: "cursor", y: TOP, height: height - TOP - BOTTOM, visibility: "hidden" });
      root.append(this.cursor);
      const slot = (width - LEFT - RIGHT) / this.data.times.length;
      if (this.options.lines) this.drawLines(root, slot, y);
      else this.drawBars(root, slot, y);
      this.plot.replaceChildren(root, this.tip);
      if (!max) this.plot.append(html("p", "none", this.data.none || "Nothing in this time"));
      this.mark();
    }

    times(root, width, height) {
      const { times, label } = this.data, slot = (width - this.left - RIGHT) / times.length;
      const every = Math.max(1, Math.ceil(times.length / Math.max(2, Math.floor((width - this.left) / 84))));
      for (let i = times.length - 1 - Math.floor(every / 2); i >= 0; i -= every) {
        const x = this.left + (i + 0.5) * slot;
        if (x < this.left + 14 || x > width - 16) continue;
        root.append(svg("text", { x, y: height - 5, "text-anchor": "middle" }, label(times[i], false)));
      }
    }

    drawBars(root, slot, y) {
      const gap = slot > 7 ? 2 : slot > 3 ? 1 : 0;
      for (let i = 0; i < this.data.times.length; i++) {
        let sum = 0;
        for (const s of this.data.series) {
          if (!(s.values[i] > 0)) continue;
          const low = y(sum), high = y(sum += s.values[i]);
          root.append(svg("rect", {
            class: "f" + s.color, x: (this.left + i * slot + gap / 2).toFixed(2), y: high.toFixed(2),
            width: Math.max(1, slot - gap).toFixed(2), height: Math.max(0.75, low - high).toFixed(2),
          }));
        }
      }
    }

    drawLines(root, slot, y) {
      for (const s of this.data.series) {
        let path = "", pen = false;
        s.values.forEach((v, i) => {
          if (!(v > 0)) { pen = false; return; }
          const x = (this.left + (i + 0.5) * slot).toFixed(2), at = `${x} ${y(v).toFixed(2)}`;
          path += (pen ? "L" : "M") + at;
          if (!pen && !(s.values[i + 1] > 0)) root.append(svg("circle", { class: "f" + s.color, cx: x, cy: y(v).toFixed(2), r: 2.5 }));
          pen = true;
        });
        if (path) root.append(svg("path", { class: "trace f" + s.color, d: path }));
      }
    }

    // mark shows the values under the cursor.
    mark() {
      if (!this.data || !this.cursor) return;
      const { times, series, label } = this.data, i = this.at, width = this.plot.clientWidth;
      this.plot.setAttribute("aria-valuemin", "0");
      this.plot.setAttribute("aria-valuemax", String(Math.max(0, times.length - 1)));
      this.plot.setAttribute("aria-valuenow", String(Math.max(0, i < 0 ? times.length - 1 : i)));
      this.tip.hidden = i < 0;
      this.cursor.setAttribute("visibility", i < 0 ? "hidden" : "visible");
      const shown = i < 0 ? times.length - 1 : i;
      const rows = series.map((s) => [s, s.values[shown] || 0]);
      this.plot.setAttribute("aria-valuetext", label(times[shown], true) + ": " + rows.map(([s, v]) => `${s.name} ${this.options.format(v)}`).join(", "));
      if (i < 0) return;
      const slot = (width - this.left - RIGHT) / times.length, x = this.left + i * slot;
      this.cursor.setAttribute("x", x);
      this.cursor.setAttribute("width", slot);
      const head = html("b", "", label(times[i], true));
      this.tip.replaceChildren(head, ...rows.filter(([, v]) => v || rows.length < 4).map(([s, v]) =>
        html("div", "", html("i", "key f" + s.color), html("span", "", s.name), html("span", "", this.options.format(v)))));
      const space = this.tip.offsetWidth, right = x + slot + 8;
      this.tip.style.left = (right + space < width ? right : Math.max(0, x - 8 - space)) + "px";
    }
  }
  return Chart;
})();
