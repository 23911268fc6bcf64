// What the client of the guide is good for, told to the real one: in node,
// where the refresh token is in the body, and in a browser, where a cookie
// holds it. Each step throws what is wrong.
import { ApiError, Client, type ClientOptions, type Post, type Tokens } from "./api.js";

export interface Settings {
  url: string; // the guide, by a proxy that can cut connections
  limited: string; // a guide that takes few requests a second
  cut: string; // cuts them
  credentials?: "include";
}

const password = "Correct-Horse-7-Battery";

function is(what: string, ok: boolean): void {
  if (!ok) throw new Error(what);
}

/** What a promise is refused with. */
async function refusal(promise: Promise<unknown>): Promise<ApiError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error("it is not refused");
}

/** Something that comes about later. */
async function eventually(what: string, so: () => boolean): Promise<void> {
  for (let end = Date.now() + 20_000; !so(); ) {
    if (Date.now() > end) throw new Error(what + " does not come about");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function story(settings: Settings, tell: (step: string) => void): Promise<void> {
  const sent: string[] = [];
  let spoil = false; // the next token that is stored
  let tokens: Tokens | undefined;
  let signedOut = 0;
  const options: ClientOptions = {
    baseUrl: settings.url,
    credentials: settings.credentials ?? "same-origin",
    tokens: {
      load: () => tokens,
      save: (made) => void (tokens = made && spoil ? { ...made, accessToken: "spoilt" } : made),
    },
    onSignedOut: () => void signedOut++,
    fetch: (url, request) => {
      sent.push(`${request?.method} ${new URL(String(url)).pathname}`);
      return fetch(url, request);
    },
  };
  const api = new Client(options);
  const count = (request: string) => sent.filter((one) => one === request).length;
  const name = "ada" + Math.random().toString(36).slice(2);

  tell("errors by field");
  const wrong = await refusal(api.createUser({ username: "a", email: "nobody", password: "short" }));
  is("a wrong body is 422: " + wrong.status, wrong.status === 422);
  is("each field has its message: " + JSON.stringify(wrong.fields), Object.keys(wrong.fields).sort().join() === "email,password,username");
  is("the request has an id", !!wrong.requestId);

  tell("auth");
  is("nobody is signed in", !(await api.connection.signedIn()) && !(await api.connection.restore()));
  is("a token is needed", (await refusal(api.listPosts())).status === 401);
  await api.createUser({ username: name, email: name + "@example.com", password });
  is("a wrong password is refused", (await refusal(api.login({ username: name, password: "wrong" }))).message === "Invalid credentials");
  await api.login({ username: name, password });
  is("signed in", (await api.getCurrentUser()).username === name);

  tell("pages by cursor");
  const titles = Array.from({ length: 25 }, (_, i) => "Post number " + i);
  await api.bulkCreatePosts(titles.map((title) => ({ title, content: "text" })));
  const found: Post[] = [];
  for await (const post of api.allPosts({ limit: 10, order: "asc" })) found.push(post);
  is("each post comes once: " + found.length, found.map((post) => post.title).join() === titles.join());
  is("three pages: " + count("GET /api/v1/posts"), count("GET /api/v1/posts") === 4); // and the one without a token
  const first = found[0] as Post;
  is("changed", (await api.updatePost(first.id, { title: "A / B?" })).title === "A / B?");
  const read = await api.getPost(first.id);
  const again = await api.getPost(first.id);
  await api.updatePost(read.id, { title: "Third title" }, { ifMatch: read });
  is("what was changed since is not overwritten", (await refusal(api.updatePost(again.id, { title: "Lost" }, { ifMatch: again }))).status === 412);
  is("an ETag does as well", (await refusal(api.deletePost(first.id, { ifMatch: api.connection.etag(again) }))).status === 412);
  await api.deletePost(first.id, { ifMatch: await api.getPost(first.id) });
  is("absent", (await refusal(api.getPost(first.id))).status === 404);

  tell("silent refresh");
  const renewals = () => count("POST /api/v1/auth/refresh");
  let before = renewals();
  tokens = { ...(tokens as unknown as Tokens), accessToken: "spoilt" };
  const names = await Promise.all([1, 2, 3, 4, 5].map(() => api.getCurrentUser()));
  is("five requests with a token that is not taken: one refresh, not " + (renewals() - before), renewals() === before + 1 && names.every((user) => user.username === name));
  tokens = { ...(tokens as unknown as Tokens), expiresAt: Date.now() };
  sent.length = 0;
  await api.getCurrentUser();
  is("a token that expires is renewed first: " + sent.join(), sent.join() === "POST /api/v1/auth/refresh,GET /api/v1/users/me");
  spoil = true;
  tokens = { ...(tokens as unknown as Tokens), accessToken: "spoilt" };
  sent.length = 0;
  is("one that is no better is not tried for ever", (await refusal(api.getCurrentUser())).status === 401 && sent.length === 3);
  spoil = false;
  await api.connection.restore();
  if (settings.credentials) tokens = undefined; // as in a page that was loaded again
  else tokens = { ...(tokens as unknown as Tokens), accessToken: "spoilt" };
  is("restored", (await new Client(options).connection.restore()) && (await api.getCurrentUser()).username === name);

  tell("uploads");
  const bytes = new Uint8Array(3 << 20).map((_, i) => i % 251);
  const progress: number[] = [];
  let total = 0;
  const upload = (onProgress?: (p: { loaded: number; total: number }) => void) =>
    api.uploadFile({ file: new File([bytes], "pattern.bin") }, { keep: true }, onProgress && { onProgress });
  const file = await upload((p) => {
    progress.push(p.loaded);
    total = p.total;
  });
  is("progress: " + progress.join(), progress.length > 0 && progress.every((n, i) => n >= (progress[i - 1] ?? 0)) && progress.at(-1) === total && total >= bytes.length);
  const address = "url" in file ? file.url : "";
  const back = new Uint8Array(await (await api.downloadFile(String(address).split("/").at(-1) ?? "")).arrayBuffer());
  is("the same bytes come back", back.length === bytes.length && back.every((b, i) => b === bytes[i]));
  tokens = { ...(tokens as unknown as Tokens), accessToken: "spoilt" };
  await upload(() => undefined); // with a refresh in between
  await upload();
  const stopped = new AbortController();
  const cut = api.uploadFile({ file: new Blob([bytes]) }, {}, { signal: stopped.signal, onProgress: () => stopped.abort(new Error("enough")) });
  is("aborted", (await cut.then(() => "", (error) => String(error))).includes("enough"));

  tell("rooms");
  const heard: string[] = [];
  const states: string[] = [];
  let refused: ApiError | undefined;
  const join = (who: string) =>
    api.connectChat("story", {
      onMessage: (m) => void (m.type === "message" && heard.push(`${who} ${m.message} from ${m.from}`)),
      onState: (state, error) => {
        states.push(who + " " + state);
        refused = error ?? refused;
      },
    });
  const told = (state: string) => states.filter((one) => one === state).length;
  const one = join("one");
  await eventually("one in the room", () => told("one open") === 1);
  const two = join("two");
  two.send({ text: "early" }); // before it is open
  await eventually("a message", () => heard.includes(`one early from ${name}`));
  tokens = { ...(tokens as unknown as Tokens), expiresAt: Date.now() }; // it comes back with a new one
  await fetch(settings.cut, { method: "POST" });
  await eventually("both again", () => told("one open") === 2 && told("two open") === 2);
  one.send({ text: "late" });
  await eventually("a message after the cut", () => heard.includes(`two late from ${name}`));
  two.close();
  is("closed", states.at(-1) === "two closed");
  const echoes: string[] = [];
  const echo = api.connectWs({ onMessage: (text) => void echoes.push(text) });
  echo.send("hi");
  await eventually("an echo", () => echoes.includes("Echo: hi"));
  echo.close();

  tell("the end of a session");
  await api.logout();
  await eventually("the room's end", () => told("one closed") === 1);
  is("it says why: " + refused?.status, refused?.status === 401);
  is("nobody is told that logged out himself", signedOut === 0 && !(await api.connection.signedIn()));
  await api.login({ username: name, password });
  const other = new Client({ baseUrl: settings.url, credentials: "omit" });
  await other.login({ username: name, password });
  for (const session of (await other.listSessions()).items) if (!session.current) await other.revokeSession(session.id);
  is("a revoked session is over", (await refusal(api.getCurrentUser())).status === 401 && Number(signedOut) === 1 && !(await api.connection.signedIn()));

  tell("Retry-After");
  const limited = new Client({ baseUrl: settings.limited, retries: 5 });
  const began = Date.now();
  for (let i = 0; i < 7; i++) is("an answer", (await limited.listItems()).length > 0); // five in two seconds
  is("it waited as long as it was told", Date.now() - began >= 900);
  const impatient = new Client({ baseUrl: settings.limited, maxWait: 0 });
  const limit = await refusal(Promise.all([1, 2, 3, 4, 5, 6].map(() => impatient.listItems())));
  is("or says how long", limit.status === 429 && Number(limit.retryAfter) > 0);
}
