import { story } from "./story.js";

declare global {
  interface Window {
    told?: string; // how it ended: "done", or what is wrong
  }
}

const words = new URLSearchParams(location.search);
let at = "";
story({ url: words.get("url") ?? "", limited: words.get("limited") ?? "", cut: "/cut", credentials: "include" }, (step) => (at = step)).then(
  () => (window.told = "done"),
  (error) => (window.told = `${at}: ${error} ${error.stack}`),
);
