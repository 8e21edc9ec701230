// Keeps the page current: listens to what is new, or asks for it again, and puts in what changed. The page is whole
// without it.
"use strict";
(() => {
  const EVERY = 5000;
  // A stream brings something every other second, while the sensor works; a silent one is doubted.
  const SILENCE = 20000;
  const gone = document.getElementById("gone");
  let timer = 0;
  let stream = null;

  const put = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const now of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(now.id);
      if (!next || next.isEqualNode(now)) continue;
      const open = new Set([...now.querySelectorAll("details[open]")].map((one) => one.id));
      for (const one of next.querySelectorAll("details")) one.open = open.has(one.id);
      const focus = now.contains(document.activeElement) ? document.activeElement.id : "";
      const left = [...now.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
      now.className = next.className;
      now.replaceChildren(...[...next.childNodes].map((one) => document.adoptNode(one)));
      now.querySelectorAll(".scroll").forEach((one, at) => { one.scrollLeft = left[at] || 0; });
      if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    }
    gone.hidden = true;
  };

  const look = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(20000) });
      if (answer.status === 503) throw new Error("busy");
      if (!answer.ok) throw new Error(String(answer.status));
      put(await answer.text());
    } catch {
      gone.hidden = false;
    }
    clearTimeout(timer);
    timer = setTimeout(look, EVERY);
  };

  // The first page comes by itself; what was searched for is asked for again.
  const listen = () => {
    stream?.close();
    stream = null;
    if (document.hidden || location.search) return;
    stream = new EventSource("/page/events");
    stream.addEventListener("message", (event) => {
      clearTimeout(timer);
      put(event.data);
      timer = setTimeout(look, SILENCE);
    });
    // It comes again by itself, unless it was refused. Meanwhile:
    stream.addEventListener("error", look);
  };

  document.addEventListener("visibilitychange", () => { look(); listen(); });
  // One key, as elsewhere: `/` to search.
  document.addEventListener("keydown", (event) => {
    const field = document.getElementById("q");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || document.activeElement === field) return;
    event.preventDefault();
    field.focus();
  });
  timer = setTimeout(look, EVERY);
  listen();
})();
