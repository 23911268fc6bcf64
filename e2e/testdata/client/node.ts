import { story } from "./story.js";

const [url = "", limited = "", cut = ""] = process.argv.slice(2);
let at = "";
story({ url, limited, cut }, (step) => (at = step)).then(
  () => process.exit(0),
  (error) => {
    console.error(at + ":", error);
    process.exit(1);
  },
);
