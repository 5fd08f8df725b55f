"use strict";

// What is shown comes from models and is hostile until proven otherwise: it is set as text and never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const state = byId("state"), notice = byId("notice"), login = byId("login"), list = byId("requests");
  const requests = new Map(); // by id: {item, left, until, buttons}
  let key = ""; // lives as long as the page and nowhere else

  const headers = (more) => key ? { ...more, Authorization: "Bearer " + key } : { ...more };

  const element = (tag, text, className) => {
    const e = document.createElement(tag);
    e.textContent = text;
    if (className) e.className = className;
    return e;
  };

  function show(r) {
    remove(r.request_id);
    const item = document.createElement("li");
    const left = element("span", "");
    const from = "asked through " + r.source + (r.caller ? " by " + r.caller : "");
    const meta = element("p", from + (r.tool_use_text ? " · " + r.tool_use_text : "") + " · ", "meta");
    meta.append(left);
    const note = element("p", "");
    const answers = [["Allow", true, "allow"], ["Deny", false, "deny"]].map(([text, allowed, className]) => {
      const b = element("button", text, className);
      b.type = "button";
      b.disabled = true; // for a moment, so that a click meant for another request does not meet this one
      b.addEventListener("click", () => answer(r.request_id, allowed, note));
      return b;
    });
    setTimeout(() => answers.forEach((b) => { b.disabled = false; }), 500);
    item.append(element("h2", r.tool_text), meta, element("pre", r.input_text), ...answers, note);
    list.append(item);
    requests.set(r.request_id, {
      item, left, until: Date.now() + r.time_remaining * 1000, buttons: answers, tool: r.tool_text,
    });
    count();
  }

  function remove(id) {
    const known = requests.get(id);
    if (!known) return;
    known.item.remove();
    requests.delete(id);
    count();
  }

  function count() {
    for (const r of requests.values()) {
      const seconds = Math.max(0, Math.round((r.until - Date.now()) / 1000));
      r.left.textContent = seconds + " s left";
      r.left.className = seconds <= 10 ? "urgent" : "";
    }
    document.title = (requests.size ? "(" + requests.size + ") " : "") + "Permissions";
    if (login.hidden && connected) {
      state.textContent = requests.size ? "A tool is waiting for your answer." : "Nothing is waiting.";
    }
  }
  let connected = false;
  setInterval(count, 1000);

  const late = {
    404: "is not asked for any more", 409: "has been answered by somebody else", 410: "was not answered in time",
  };

  async function answer(id, allowed, note) {
    const known = requests.get(id);
    if (!known) return;
    known.buttons.forEach((b) => { b.disabled = true; });
    notice.textContent = "";
    try {
      const resp = await fetch(encodeURIComponent(id) + "/respond", {
        method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify({ allowed }),
      });
      if (resp.ok || late[resp.status]) {
        if (!resp.ok) { // it may be off the list already, so the page says it where it is seen
          notice.textContent = "Your answer does not count: " + known.tool + " " + late[resp.status] + ".";
        }
        remove(id);
        return;
      }
      note.textContent = "The answer was not taken (" + resp.status + ").";
    } catch {
      note.textContent = "The proxy does not answer.";
    }
    known.buttons.forEach((b) => { b.disabled = false; });
  }

  function take(type, data) {
    if (type === "permission_request") show(JSON.parse(data));
    if (type === "permission_resolved" || type === "permission_expired") remove(JSON.parse(data).request_id);
  }

  // EventSource cannot send a key, so the stream is read by hand.
  async function watch() {
    const resp = await fetch("stream", { headers: headers({}) });
    if (resp.status === 401) return "login";
    if (!resp.ok) {
      state.textContent = resp.status === 403 ? "This key may not answer." : "The proxy answers " + resp.status + ".";
      return resp.status === 403 ? "login" : "again";
    }
    login.hidden = true;
    connected = true;
    [...requests.keys()].forEach(remove); // those that still wait come again
    count();
    const reader = resp.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return "again";
      rest += value;
      const events = rest.split("\n\n");
      rest = events.pop();
      for (const e of events) {
        let type = "", data = "";
        for (const line of e.split("\n")) {
          if (line.startsWith("event:")) type = line.slice(6).trim();
          if (line.startsWith("data:")) data += line.slice(5).trim();
        }
        take(type, data);
      }
    }
  }

  async function run() {
    for (let wait = 1000; ; wait = Math.min(wait * 2, 30000)) {
      let next = "again";
      try {
        next = await watch();
      } catch { /* the connection is gone */ }
      if (connected) wait = 1000;
      connected = false;
      if (next === "login") {
        [...requests.keys()].forEach(remove);
        if (!key) state.textContent = "The proxy asks for a key.";
        else if (!state.textContent.includes("may not")) state.textContent = "The proxy does not know this key.";
        login.hidden = false;
        return;
      }
      state.textContent = "The connection is gone. Trying again …";
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  login.addEventListener("submit", (e) => {
    e.preventDefault();
    key = byId("key").value.trim();
    byId("key").value = "";
    login.hidden = true;
    state.textContent = "Connecting …";
    run();
  });
  run();
})();
