// Keeps the page current: asks for it again and puts in what changed. The page is whole without it.
"use strict";
(() => {
  const EVERY = 5000;
  const gone = document.getElementById("gone");
  let timer = 0;

  const put = (fresh) => {
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
  };

  const look = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(20000) });
      if (answer.status === 503) throw new Error("busy");
      if (!answer.ok) throw new Error(String(answer.status));
      put(new DOMParser().parseFromString(await answer.text(), "text/html"));
      gone.hidden = true;
    } catch {
      gone.hidden = false;
    }
    timer = setTimeout(look, EVERY);
  };

  document.addEventListener("visibilitychange", look);
  // One key, as elsewhere: `/` to search.
  document.addEventListener("keydown", (event) => {
    const field = document.getElementById("q");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || document.activeElement === field) return;
    event.preventDefault();
    field.focus();
  });
  timer = setTimeout(look, EVERY);
})();
