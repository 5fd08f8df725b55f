"use strict";

// The page of the dashboard. What comes from the proxy is never more than text here: elements are made one by one, and
// nothing is parsed as HTML. Addresses are relative to the page's own, so that any mount prefix works.
(() => {
  const at = (path) => "dashboard/" + path;
  const byId = (id) => document.getElementById(id);
  const COLORS = 7, PAGE = 25, POLL = 5;

  function el(name, props, ...children) {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(props || {})) {
      if (k in e) e[k] = v; else e.setAttribute(k, v);
    }
    e.append(...children.filter((c) => c !== null && c !== undefined && c !== ""));
    return e;
  }

  // plain shows characters that could hide or turn text around.
  const plain = (s) => String(s ?? "").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const number = (n) => (Math.abs(n) < 10000 ? whole : compact).format(n);
  const money = (n) => {
    if (!n) return "$0";
    if (n < 0.00001) return "<$0.00001";
    if (n >= 10000) return "$" + compact.format(n);
    return "$" + n.toFixed(n >= 1000 ? 0 : n >= 1 ? 2 : n >= 0.1 ? 3 : n >= 0.001 ? 4 : 5);
  };
  const short = (s) => s.replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, ""); // for the marks of axes
  const count = (n, what) => number(n) + " " + what + (n === 1 ? "" : "s");
  const millis = (ms) => ms < 1 ? "0 ms" : ms < 1000 ? `${Math.round(ms)} ms` : ms < 60000 ? `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s` : `${Math.floor(ms / 60000)} m ${Math.round(ms % 60000 / 1000)} s`;
  const percent = (part, all) => {
    if (!all || !part) return "0%";
    const p = 100 * part / all;
    return p < 0.1 ? "<0.1%" : (p < 10 ? p.toFixed(1) : Math.round(p)) + "%";
  };
  const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const minute = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });
  const full = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
  function span(seconds) {
    const s = Math.abs(seconds), [n, unit] = s < 90 ? [s, "s"] : s < 5400 ? [s / 60, "min"] : s < 172800 ? [s / 3600, "h"] : [s / 86400, "days"];
    return Math.round(n) + " " + unit;
  }

  const state = {
    range: "1h", source: null, retry: 0, timer: 0, figures: null, rows: [], running: [], seq: 0,
    limit: PAGE, paused: false, open: new Set(), colors: new Map(), skew: 0,
  };

  // ---- connection

  function link(kind, text) {
    byId("link").dataset.state = kind;
    if (byId("link").lastChild.textContent !== text) byId("link").lastChild.textContent = text;
  }

  function disconnect() {
    clearTimeout(state.timer);
    if (state.source) state.source.close();
    state.source = null;
  }

  async function connect() {
    disconnect();
    if (state.retry === 0) link("connecting", "Connecting…");
    let session;
    try {
      const answer = await fetch(at("session"), { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      session = await answer.json();
    } catch {
      lost();
      return;
    }
    if (session.login) {
      askForKey();
      return;
    }
    const source = state.source = new EventSource(at("events?range=" + encodeURIComponent(state.range)));
    let came = false;
    source.addEventListener("figures", (e) => {
      came = true;
      if (source !== state.source) return;
      present(JSON.parse(e.data), "Live");
    });
    source.addEventListener("requests", (e) => {
      if (source === state.source) take(JSON.parse(e.data));
    });
    source.onerror = () => {
      if (source !== state.source) return;
      disconnect();
      if (came) lost(); else refused();
    };
  }

  // refused finds out why there are no events: an EventSource does not tell. Where it is for want of streams only, the
  // figures are asked for from time to time.
  async function refused(polls = 0) {
    let text = "";
    try {
      const answer = await fetch(at("data?range=" + encodeURIComponent(state.range)), { cache: "no-store" });
      const body = await answer.json();
      if (answer.ok) {
        present(body, `Every ${POLL} s`);
        take(body.requests);
        state.timer = setTimeout(() => (polls < 10 ? refused(polls + 1) : connect()), POLL * 1000);
        return;
      }
      if (answer.status === 401) {
        connect();
        return;
      }
      if (answer.status === 400 && state.range !== "1h") state.range = "1h";
      else text = body.error?.message || "";
    } catch { /* the proxy is away */ }
    lost(text);
  }

  function present(figures, text) {
    state.retry = 0;
    link("live", text);
    byId("lost").hidden = true;
    byId("login").hidden = true;
    byId("main").hidden = false;
    state.figures = figures;
    state.skew = Date.now() / 1000 - figures.now;
    showFigures();
  }

  function lost(reason) {
    const seconds = Math.min(15, 2 ** state.retry++);
    const until = Date.now() + seconds * 1000;
    byId("main").hidden = !state.figures && !reason;
    byId("kpis").hidden = byId("charts").hidden = !state.figures;
    const note = byId("lost");
    note.hidden = false;
    note.textContent = reason ? plain(reason) : "The connection to the proxy is lost. The figures below are those of the last moment.";
    link("lost", "Reconnecting…");
    const step = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      if (left <= 0) { connect(); return; }
      state.timer = setTimeout(step, 250);
    };
    step();
  }

  // ---- login

  function askForKey() {
    link("connecting", "Not signed in");
    state.figures = null;
    byId("main").hidden = true;
    byId("who").hidden = true;
    byId("login").hidden = false;
    byId("ranges").hidden = true;
    byId("key").focus();
  }

  byId("login").addEventListener("submit", async (e) => {
    e.preventDefault();
    const input = byId("key"), error = byId("login-error");
    error.textContent = "";
    let status = 0;
    try {
      const answer = await fetch(at("session"), { method: "POST", headers: { Authorization: "Bearer " + input.value }, cache: "no-store" });
      status = answer.status;
    } catch { /* no answer, or a key that no header can carry */ }
    input.value = "";
    if (status === 204) {
      byId("login").hidden = true;
      state.retry = 0;
      connect();
      return;
    }
    error.textContent = status === 401 ? "This key is not one of the proxy's." : status ? `The proxy answered ${status}. Try again.` : "The key could not be sent.";
    input.focus();
  });

  byId("logout").addEventListener("click", async () => {
    disconnect();
    try { await fetch(at("session"), { method: "DELETE" }); } catch { /* it ends by itself */ }
    state.rows = [];
    state.running = [];
    state.seq = 0;
    state.retry = 0;
    connect();
  });

  // ---- figures

  const charts = {};
  function makeCharts() {
    const parent = byId("charts");
    charts.requests = new Chart(parent, { title: "Requests", whole: true, format: number });
    charts.tokens = new Chart(parent, { title: "Tokens", whole: true, format: number });
    charts.models = new Chart(parent, { title: "Cost by model", format: (n) => (state.byCost ? money(n) : number(n)), mark: (n) => (state.byCost ? short(money(n)) : number(n)) });
    charts.times = new Chart(parent, { title: "Durations", lines: true, whole: true, format: (n) => (n ? millis(n) : "–"), mark: (n) => (n ? short(millis(n)) : "0") });
  }

  const label = (s) => s.provider ? plain(s.model || "no model") : plain(s.model || "no provider");
  const keyOf = (s) => s.provider + "\u0000" + s.model;

  // color keeps a model's colour while the page is open.
  function color(s) {
    if (!s.provider) return COLORS;
    const key = keyOf(s);
    if (!state.colors.has(key)) state.colors.set(key, state.colors.size % COLORS);
    return state.colors.get(key);
  }

  function timeLabel(f) {
    return (seconds, long) => {
      const t = new Date(seconds * 1000);
      if (f.step >= 86400) return day.format(t);
      if (!long) return f.step >= 3600 ? day.format(t) + " " + minute.format(t) : minute.format(t);
      const end = new Date((seconds + f.step) * 1000);
      return (f.step >= 1200 ? day.format(t) + ", " : "") + minute.format(t) + "–" + minute.format(end);
    };
  }

  function showFigures() {
    const f = state.figures, t = f.totals;
    byId("version").textContent = plain(f.version);
    byId("who").hidden = !f.caller && !f.session;
    byId("who").firstChild.textContent = plain(f.caller || "");
    byId("logout").hidden = !f.session;
    byId("problem").hidden = !f.problem;
    byId("problem").textContent = f.problem || "";
    byId("kpis").hidden = byId("charts").hidden = false;
    showRanges(f);
    showKpis(f, t);
    showCharts(f);
    showModels(f);
    showState(f);
    showFailures(f);
    showEmpty();
  }

  function showRanges(f) {
    const box = byId("ranges"), names = f.ranges.join();
    box.hidden = false;
    if (box.dataset.names !== names) {
      box.dataset.names = names;
      box.replaceChildren(box.firstElementChild, ...f.ranges.map((name) => {
        const input = el("input", { type: "radio", name: "range", value: name, checked: name === f.range });
        input.addEventListener("change", () => { state.range = name; state.retry = 0; connect(); });
        return el("label", {}, input, name);
      }));
    }
  }

  function kpi(name, value, small, bad) {
    return el("div", {}, el("dt", {}, name), el("dd", { className: bad ? "bad" : "" }, value, el("small", {}, small || "")));
  }

  function showKpis(f, t) {
    const input = t.input + t.cache_write + t.cache_read, rate = t.requests / (f.step * f.points / 60);
    const tiles = [
      kpi("Requests", number(t.requests), rate >= 0.1 ? (rate < 10 ? rate.toFixed(1) : number(rate)) + " a minute" : ""),
      kpi("Failed", number(t.failed), percent(t.failed, t.requests) + (t.gone ? `, ${number(t.gone)} canceled` : ""), t.failed > 0),
      kpi("Input tokens", number(input), percent(t.cache_read, input) + " from caches"),
      kpi("Output tokens", number(t.output), t.requests ? number(t.output / t.requests) + " a request" : ""),
    ];
    if (f.priced || t.cost) tiles.push(kpi("Cost", money(t.cost), t.unpriced ? `${number(t.unpriced)} without a price` : ""));
    if (f.times) tiles.push(kpi("Median duration", t.p50 ? millis(t.p50) : "–", t.p95 ? "95% within " + millis(t.p95) : ""));
    tiles.push(kpi("Under way", number(state.running.length), ""));
    byId("kpis").replaceChildren(...tiles);
  }

  function showCharts(f) {
    const times = Array.from({ length: f.points }, (_, i) => f.from + i * f.step), named = timeLabel(f);
    const sum = (field) => times.map((_, i) => f.series.reduce((n, s) => n + s.points[field][i], 0));
    const failed = sum("failed"), show = (chart, series, more) => charts[chart].show({ times, series, label: named, ...more });
    show("requests", [
      { name: "Answered", color: 0, values: sum("requests").map((n, i) => n - failed[i]) },
      { name: "Failed", color: "bad", values: failed },
    ]);
    show("tokens", [
      { name: "From caches", color: 1, values: sum("cached") }, { name: "Input", color: 0, values: sum("input") },
      { name: "Output", color: 2, values: sum("output") },
    ]);
    state.byCost = f.priced || f.totals.cost > 0;
    const field = state.byCost ? "cost" : "requests", top = (s) => s.points[field].reduce((a, b) => a + b, 0);
    const ranked = f.series.filter((s) => s.provider && top(s) > 0).sort((a, b) => top(b) - top(a));
    const shown = ranked.slice(0, COLORS - 1), rest = f.series.filter((s) => !shown.includes(s) && top(s) > 0);
    const list = shown.map((s) => ({ name: label(s), color: color(s), values: s.points[field] }));
    if (rest.length) list.push({ name: "other", color: COLORS, values: times.map((_, i) => rest.reduce((n, s) => n + s.points[field][i], 0)) });
    show("models", list, { title: state.byCost ? "Cost by model" : "Requests by model", none: state.byCost ? "No costs in this time" : undefined });
    charts.times.figure.hidden = !f.times;
    if (f.times) show("times", [{ name: "95% within", color: 2, values: f.times.p95 }, { name: "Median", color: 0, values: f.times.p50 }]);
  }

  const cell = (text, className) => el("td", { className: className || "" }, text);

  function showModels(f) {
    byId("models").tBodies[0].replaceChildren(...f.series.map((s) => {
      const t = s.totals, input = t.input + t.cache_write + t.cache_read, name = label(s);
      return el("tr", {},
        el("td", {}, el("span", { className: "name", title: name }, el("i", { className: "swatch f" + color(s) }), name),
          el("span", { className: "sub" }, plain(s.provider) || "not named, or without an answer")),
        cell(number(t.requests), "num"), cell(t.failed ? percent(t.failed, t.requests) : "–", "num"),
        cell(number(input), "num wide"), cell(input ? percent(t.cache_read, input) : "–", "num wide"), cell(number(t.output), "num wide"),
        cell(t.cost ? money(t.cost) : "–", "num"));
    }));
    if (!f.series.length) byId("models").tBodies[0].append(el("tr", {}, el("td", { colSpan: 7, className: "dim" }, "No model was asked for in this time.")));
  }

  const pill = (text, kind) => el("span", { className: "pill " + (kind || "") }, plain(text).replaceAll("_", " "));
  const item = (name, mark, ...subs) => el("li", {}, el("span", { className: "name", title: plain(name) }, plain(name)), mark,
    ...subs.filter(Boolean).map((s) => el("span", { className: "sub" }, plain(s))));
  const HEALTH = { pass: "good", warn: "warn", fail: "bad" };
  const fill = (id, items, nothing) => byId(id).replaceChildren(...(items.length ? items : [el("li", { className: "nothing" }, nothing)]));

  function showState(f) {
    showProviders(f);
    showAccounts(f);
    const off = f.state.plugins.filter((p) => p.state === "disabled" || p.state === "skipped");
    fill("plugins", f.state.plugins.filter((p) => !off.includes(p)).map((p) => {
      const trouble = p.health && p.health !== "pass" || p.dropped || p.failed;
      const li = item(p.name, p.state === "active" ? pill(p.health === "pass" ? "ok" : p.health || "runs", HEALTH[p.health]) : pill(p.state, "bad"),
        trouble ? p.output : "", p.dropped || p.failed ? `${number(p.dropped || 0)} events dropped, ${number(p.failed || 0)} failed` : "");
      li.className = trouble ? "tall" : "";
      return li;
    }), "No plugin runs.");
    byId("off").textContent = off.length ? "Off: " + off.map((p) => p.name).join(", ") : "";
  }

  function showProviders(f) {
    const all = new Map();
    const of = (name) => all.get(name) || all.set(name, { requests: 0, failed: 0, breaker: "" }).get(name);
    for (const b of f.state.breakers) of(b.provider).breaker = b.state;
    for (const s of f.series) {
      if (!s.provider) continue;
      of(s.provider).requests += s.totals.requests;
      of(s.provider).failed += s.totals.failed;
    }
    fill("providers", [...all].sort((a, b) => b[1].requests - a[1].requests || (a[0] < b[0] ? -1 : 1)).map(([name, p]) =>
      item(name, p.breaker === "open" ? pill("breaker open", "bad") : p.breaker === "half_open" ? pill("breaker half open", "warn") :
        p.requests ? pill(p.failed ? percent(p.failed, p.requests) + " failed" : "ok", p.failed ? "warn" : "good") : pill("idle"),
      p.requests ? count(p.requests, "request") : "no requests in this time")), "No provider was asked in this time.");
  }

  function showAccounts(f) {
    const now = Date.now() / 1000 - state.skew, items = [];
    for (const a of f.state.accounts) {
      const left = a.expiry ? a.expiry - now : 0;
      items.push(item(a.name || a.id, pill(a.state, HEALTH[a.health]),
        a.expiry ? (left > 0 ? `token ends in ${span(left)}` : `token ended ${span(left)} ago`) : "", a.failures ? `${number(a.failures)} × a refresh failed` : "", a.error));
    }
    for (const p of f.state.pools || []) {
      for (const a of p.accounts || []) {
        items.push(item(`${p.provider} / ${a.name}`, pill(a.state, a.state === "available" ? "good" : "warn"),
          [count(a.requests, "request"), a.refused ? `${number(a.refused)} refused` : "", a.until ? `until ${clock.format(new Date(a.until))}` : ""].filter(Boolean).join(", "), a.reason));
      }
    }
    fill("accounts", items, "Only keys of the configuration, which have no state.");
  }

  const statusPill = (r) => r.outcome === "gone" ? pill("canceled") : r.outcome === "ok" ? pill(String(r.status), "good") :
    pill(String(r.status || "failed"), r.status >= 400 && r.status < 500 ? "warn" : "bad");

  function showFailures(f) {
    fill("failures", f.failures.slice(0, 30).map((r) => item(r.model || r.endpoint, statusPill(r),
      [clock.format(new Date(r.time)), r.provider, r.error_type].filter(Boolean).join(" · "), r.error)), "None.");
  }

  // ---- requests

  function take(news) {
    if (news.reset) state.rows = [];
    const fresh = news.ended.filter((r) => news.reset || r.seq > state.seq);
    state.rows = fresh.concat(state.rows).slice(0, news.keep);
    state.seq = news.seq;
    state.running = news.running;
    if (!news.reset) fresh.forEach((r) => { r.fresh = true; });
    byId("running").textContent = state.running.length ? `${number(state.running.length)} under way` : "";
    const tile = byId("kpis").lastElementChild;
    if (tile) tile.querySelector("dd").firstChild.textContent = number(state.running.length);
    if (!state.paused) showRequests();
    else byId("pause").textContent = `Resume (${number(state.rows.filter((r) => r.fresh).length)} new)`;
    showEmpty();
  }

  function showEmpty() {
    const empty = Boolean(state.figures) && !state.rows.length && !state.running.length && !state.figures.totals.requests;
    byId("empty").hidden = !empty;
    byId("sample").textContent = `curl ${location.href.replace(/\/dashboard(?:[?#].*)?$/, "")}/v1/messages \\\n  -H 'content-type: application/json' -H 'x-api-key: …' \\\n` +
      `  -d '{"model": "…", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}'`;
  }

  const haystack = (r) => [r.model, r.upstream_model, r.provider, r.caller, r.account, r.status, r.outcome, r.error_type, r.error, r.endpoint, r.format, r.id].join(" ").toLowerCase();

  function showRequests() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (r) => { const h = haystack(r); return words.every((w) => h.includes(w)); };
    const rows = words.length ? state.rows.filter(fits) : state.rows;
    const running = state.running.filter((r) => !words.length || fits(r)).slice(0, 20);
    const body = byId("requests").tBodies[0], focused = document.activeElement?.dataset?.id;
    const out = running.map(runningRow);
    for (const r of rows.slice(0, state.limit)) {
      out.push(requestRow(r));
      if (state.open.has(rowKey(r))) out.push(detailRow(r));
    }
    body.replaceChildren(...out);
    rows.forEach((r) => { r.fresh = false; });
    if (focused) body.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    byId("more").hidden = rows.length <= state.limit;
    byId("none").hidden = out.length > 0;
    byId("none").textContent = words.length ? "No request fits." : "None yet.";
  }

  const rowKey = (r) => r.seq + " " + r.id; // clients choose ids, and may do so twice

  function runningRow(r) {
    const elapsed = el("td", { className: "num" });
    elapsed.dataset.since = r.time;
    elapsed.textContent = millis(Math.max(0, Date.now() - state.skew * 1000 - r.time));
    return el("tr", { className: "now" }, cell(clock.format(new Date(r.time))), el("td", {}, pill("running")),
      el("td", {}, el("span", { className: "name", title: plain(r.model || r.endpoint) }, plain(r.model || r.endpoint)), el("span", { className: "sub" }, plain(r.provider))),
      el("td", {}, el("span", { className: "name" }, plain(r.caller) || "–")), cell("", "num"), cell("", "num"), cell("", "num"), cell("", "num"), elapsed);
  }

  function requestRow(r) {
    const open = state.open.has(rowKey(r)), t = r.tokens, name = plain(r.model || r.endpoint);
    const button = el("button", { type: "button", className: "open-row", title: name }, el("span", { className: "name" }, name),
      el("span", { className: "sub" }, [plain(r.provider), plain(r.format), r.streamed ? "stream" : ""].filter(Boolean).join(" · ")));
    button.dataset.id = rowKey(r);
    button.setAttribute("aria-expanded", String(open));
    button.addEventListener("click", () => {
      if (!state.open.delete(rowKey(r))) state.open.add(rowKey(r));
      showRequests();
    });
    return el("tr", { className: (open ? "open " : "") + (r.fresh ? "fresh" : "") }, cell(clock.format(new Date(r.time))), el("td", {}, statusPill(r)),
      el("td", {}, button), el("td", {}, el("span", { className: "name", title: plain(r.caller) }, plain(r.caller) || "–")),
      cell(t ? number(t.input + t.cache_read + t.cache_write) : "–", "num"), cell(t ? number(t.output) : "–", "num"),
      cell(r.cost ? money(r.cost) : "–", "num"), cell(r.first_ms ? millis(r.first_ms) : "–", "num"), cell(millis(r.ms), "num"));
  }

  function detailRow(r) {
    const t = r.tokens, facts = [
      ["Request", r.id], ["Ended", full.format(new Date(r.time))], ["Endpoint", `${r.method} ${r.endpoint}`], ["Model asked for upstream", r.upstream_model],
      ["Account", r.account], ["Attempts", r.attempts > 1 ? String(r.attempts) : ""],
      ["Tokens", t ? `${number(t.input)} input, ${number(t.cache_read)} from caches, ${number(t.cache_write)} into caches, ${number(t.output)} output` : ""],
      ["Cost", r.cost ? money(r.cost) : r.unpriced ? "no price is known" : ""], ["Error", [r.error_type, r.error].filter(Boolean).join(": ")],
    ];
    return el("tr", { className: "detail" }, el("td", { colSpan: 9 }, el("dl", {},
      ...facts.filter(([, v]) => v).flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, plain(v))]))));
  }

  byId("find").addEventListener("input", showRequests);
  byId("more").addEventListener("click", () => { state.limit += 100; showRequests(); });
  byId("pause").addEventListener("click", () => {
    state.paused = !state.paused;
    byId("pause").setAttribute("aria-pressed", String(state.paused));
    byId("pause").textContent = state.paused ? "Resume" : "Pause";
    if (!state.paused) showRequests();
  });
  setInterval(() => {
    for (const e of document.querySelectorAll("[data-since]")) {
      e.textContent = millis(Math.max(0, Date.now() - state.skew * 1000 - Number(e.dataset.since)));
    }
  }, 500);

  makeCharts();
  connect();
})();
