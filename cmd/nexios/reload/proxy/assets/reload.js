// Added to pages by the development server: reloads the page when a newer version
// runs, and shows errors when it does not. Works under a strict content security
// policy and trusted types.
(() => {
  if (window.__nexios) return;
  window.__nexios = true;
  const script = document.currentScript;
  const ownVersion = new URL(script.src).searchParams.get("v");
  const refresh = script.hasAttribute("data-refresh");
  let root = null;
  let timer = 0;

  const css = `
    :host { all: initial }
    .back { position: fixed; inset: 0; z-index: 2147483647; background: rgba(10, 12, 16, .66); overflow: auto; font: 14px/1.55 system-ui, sans-serif; color: #e6e8ec }
    .box { max-width: 60rem; margin: 6vh auto; background: #171a21; border-top: 4px solid #f97066; border-radius: 8px; padding: 20px 24px; box-shadow: 0 20px 60px rgba(0, 0, 0, .5) }
    h1 { font-size: 17px; margin: 0 0 4px; color: #f97066 } p { margin: 0 0 14px; color: #98a2b3 }
    h2 { font: 600 13px/1.5 ui-monospace, Menlo, Consolas, monospace; margin: 14px 0 2px; color: #fdb022; overflow-wrap: anywhere }
    pre { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
    pre.source { background: #0f1116; border-radius: 6px; padding: 8px 12px; margin-top: 6px; white-space: pre; overflow-x: auto }
    .unseen { visibility: hidden; user-select: none }
    button { float: right; all: unset; cursor: pointer; float: right; color: #98a2b3; padding: 0 6px; font-size: 18px } button:focus-visible { outline: 2px solid #84adff }`;

  const add = (to, tag, text, name) => {
    const e = document.createElement(tag);
    if (text) e.textContent = text;
    if (name) e.className = name;
    to.append(e);
    return e;
  };

  const clear = () => {
    if (root) root.remove();
    root = null;
  };

  const overlay = (s) => {
    clear();
    const build = s.build || {};
    root = document.createElement("nexios-overlay");
    const shadow = root.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    shadow.adoptedStyleSheets = [sheet];
    const box = add(add(shadow, "div", "", "back"), "div", "", "box");
    box.setAttribute("role", "alertdialog");
    const close = add(box, "button", "×");
    close.setAttribute("aria-label", "close");
    close.addEventListener("click", clear);
    const started = build.stage === "start";
    const title = s.state === "down" ? "The program is not running" : started ? "The program does not start" : "The program does not build";
    box.setAttribute("aria-label", title);
    add(box, "h1", title);
    add(box, "p", s.version ? "The last good version is still answering." : "No earlier version is running.");
    for (const e of build.errors || []) {
      add(box, "h2", e.file + ":" + e.line + (e.column ? ":" + e.column : ""));
      add(box, "pre", e.message);
      if (e.source) {
        const tabs = e.source.replace(/\t/g, "    ");
        // Columns count bytes. The text before the caret is repeated invisibly,
        // because not every character is as wide as a space.
        const before = new TextDecoder().decode(new TextEncoder().encode(e.source).slice(0, Math.max(0, (e.column || 1) - 1)));
        const gutter = String(e.line) + " | ";
        const source = add(box, "pre", gutter + tabs + (e.column ? "\n" : ""), "source");
        source.tabIndex = 0; // scrollable
        if (e.column) {
          add(source, "span", gutter + before.replace(/\t/g, "    "), "unseen");
          source.append("^");
        }
      }
    }
    const rest = [build.output, s.text].filter(Boolean).join("\n");
    if (rest) add(box, "pre", rest, "source").tabIndex = 0;
    (document.body || document.documentElement).append(root);
  };

  // Style sheets are replaced in place; other files require a reload.
  const assets = (files) => {
    if (!files.every((f) => f.endsWith(".css"))) return location.reload();
    for (const link of document.querySelectorAll('link[rel~="stylesheet"]')) {
      const url = new URL(link.href, location.href);
      if (url.origin !== location.origin) continue;
      url.searchParams.set("nexios", Date.now());
      const next = link.cloneNode();
      next.href = url.href;
      next.addEventListener("load", () => link.remove());
      next.addEventListener("error", () => next.remove());
      link.after(next);
    }
  };

  // The page at /dev is updated in place: open details stay open, and nothing
  // changes while text is selected.
  const update = async () => {
    if (String(getSelection())) return;
    const response = await fetch(location.href);
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const { id } of document.querySelectorAll("details[open]")) {
      const same = page.getElementById(id);
      if (same) same.open = true;
    }
    const scrolled = [...document.querySelectorAll(".long")].map((e) => [e.id, e.scrollTop]);
    const focus = document.activeElement.closest("details");
    for (const part of ["main", "header"]) document.querySelector(part).replaceWith(page.querySelector(part));
    for (const [id, top] of scrolled) document.getElementById(id).scrollTop = top;
    if (focus) document.getElementById(focus.id)?.querySelector("summary").focus();
  };

  const onStatus = (s) => {
    if (refresh) return void update().catch(() => {});
    if (s.assets && s.assets.length) return assets(s.assets);
    if (s.state === "failed" || s.state === "down") return overlay(s);
    if (s.state !== "ok") return;
    clear();
    if (s.version && s.version !== ownVersion) location.reload();
  };

  const connect = () => {
    const socket = new WebSocket((location.protocol === "https:" ? "wss://" : "ws://") + location.host + "/__nexios/live");
    socket.addEventListener("message", (m) => onStatus(JSON.parse(m.data)));
    socket.addEventListener("close", () => {
      clearTimeout(timer);
      timer = setTimeout(connect, 700);
    });
  };
  connect();
  if (refresh) setInterval(() => document.hidden || update().catch(() => {}), 2000);
})();
