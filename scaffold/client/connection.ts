/** What is wrong with one field of the input. */
export interface FieldError {
  field: string;
  rule: string;
  message: string;
  /** In bulk input: the position of the element, from 0. */
  index?: number;
}

/** An answer that is not a success. */
export class ApiError extends Error {
  /** The HTTP status. */
  readonly status: number;
  /** What is wrong with the input, field by field. */
  readonly details: readonly FieldError[];
  /** Identifies the request in the server's logs. */
  readonly requestId?: string | undefined;
  /** Seconds to wait before another try, if the server said so. */
  readonly retryAfter?: number | undefined;

  constructor(status: number, message: string, details: readonly FieldError[] = [], requestId?: string, retryAfter?: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.details = details;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }

  /** The first message about each field, to show beside it. */
  get fields(): { [field: string]: string } {
    const messages: { [field: string]: string } = {};
    for (const { field, message } of this.details) messages[field] ??= message;
    return messages;
  }
}

/** What a login gives. */
export interface Tokens {
  accessToken: string;
  /** Only if the server sends it in the body; else a cookie holds it. */
  refreshToken?: string | undefined;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** Keeps the tokens. The default is memory: a page forgets them when it is left, and `restore` gets new ones by the cookie. */
export interface TokenStore {
  load(): Tokens | undefined | PromiseLike<Tokens | undefined>;
  save(tokens: Tokens | undefined): void | PromiseLike<void>;
}

export interface ClientOptions {
  /** "https://api.example.com"; the page's own origin by default. */
  baseUrl?: string;
  /** Sent as X-API-Key, instead of a login. */
  apiKey?: string;
  tokens?: TokenStore;
  /** Whether cookies go to other origins: "include" does. */
  credentials?: "omit" | "same-origin" | "include";
  headers?: { [name: string]: string };
  /** How often a request is sent again, at most; 3 by default. */
  retries?: number;
  /** The longest wait before it is, in milliseconds; 30,000 by default. A longer Retry-After is an error at once. */
  maxWait?: number;
  /** Called when the session is over and nothing but a login helps. */
  onSignedOut?(): void;
  fetch?: typeof fetch;
  WebSocket?: typeof WebSocket;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
  headers?: { [name: string]: string };
  /** Of a change: what this client read, or its ETag. If it has been changed since, the answer is 412. */
  ifMatch?: object | string | undefined;
  /** Of an upload. */
  onProgress?(progress: { loaded: number; total: number }): void;
}

interface Call {
  query?: object;
  body?: unknown;
  form?: object;
  answer?: "json" | "text" | "blob";
  /** What the call does to the session; "login" sends no token. */
  session?: "login" | "logout";
  options?: RequestOptions | undefined;
}

/** How the requests of a client are sent. */
export class Connection {
  /** The route that renews tokens; "" for none. */
  private readonly renewal: string;
  private readonly options: ClientOptions;
  private readonly store: TokenStore;
  private readonly tags = new WeakMap<object, string>();
  private renewing: Promise<boolean> | undefined;

  constructor(options: ClientOptions, renewal: string) {
    this.options = options;
    this.renewal = renewal;
    let tokens: Tokens | undefined;
    this.store = options.tokens ?? { load: () => tokens, save: (made) => void (tokens = made) };
  }

  /** Whether there is an access token, or there was one that can be renewed. */
  async signedIn(): Promise<boolean> {
    return (await this.store.load()) !== undefined;
  }

  /** Goes on with the session of an earlier page by its cookie, or by the store's refresh token, and reports whether there is one. */
  async restore(): Promise<boolean> {
    const tokens = await this.store.load();
    return tokens !== undefined && !stale(tokens) ? true : this.renew();
  }

  /** The ETag of something that a method returned, if the server gave it one. */
  etag(answer: object): string | undefined {
    return this.tags.get(answer);
  }

  /** The URL of a path with its query. */
  url(path: string, query: object = {}): string {
    const words = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null) words.append(name, String(value));
    }
    const text = words.toString();
    return (this.options.baseUrl ?? "").replace(/\/+$/, "") + path + (text && "?" + text);
  }

  /** Sends a request: again after a pause where that does no harm, and with a new token when the old one has expired. */
  async call<T>(method: string, path: string, call: Call = {}): Promise<T> {
    const repeatable = method !== "POST" && method !== "PATCH";
    const retries = this.options.retries ?? 3;
    let renewed = false;
    for (let attempt = 0; ; ) {
      let tokens = call.session === "login" ? undefined : await this.store.load();
      if (tokens && stale(tokens) && !renewed && call.session !== "logout") {
        renewed = true;
        if (await this.renew()) tokens = await this.store.load();
      }
      let response: Response;
      try {
        response = await this.send(method, path, call, tokens);
      } catch (error) {
        if (call.options?.signal?.aborted || !repeatable || attempt >= retries) throw error;
        await pause(backoff(attempt++), call.options?.signal);
        continue;
      }
      if (response.ok) {
        if (call.session === "logout") await this.store.save(undefined);
        const answer = await read(response, call.answer);
        const tag = response.headers.get("ETag");
        if (tag && typeof answer === "object" && answer) this.tags.set(answer, tag);
        if (call.session === "login") await this.keep(answer);
        return answer as T;
      }
      const error = await failure(response);
      if (response.status === 401 && tokens && !renewed && call.session !== "logout") {
        renewed = true;
        const now = await this.store.load(); // another request may have renewed it
        if (now?.accessToken !== tokens.accessToken ? now : await this.renew()) continue;
      }
      const wait = error.retryAfter === undefined ? backoff(attempt) : error.retryAfter * 1000;
      const passing = response.status === 429 || (repeatable && [502, 503, 504].includes(response.status));
      if (!passing || attempt >= retries || wait > (this.options.maxWait ?? 30_000)) throw error;
      attempt++;
      await pause(wait, call.options?.signal);
    }
  }

  /** Joins a room over WebSocket; see Room. */
  join<Received, Sent>(path: string, options: RoomOptions<Received>): Room<Received, Sent> {
    return new Room<Received, Sent>({
      open: async () => {
        const tokens = await this.store.load();
        if (tokens && stale(tokens)) await this.renew();
        const token = (await this.store.load())?.accessToken;
        const url = new URL(this.url(path), globalThis.location?.href);
        url.protocol = url.protocol.replace("http", "ws");
        // A browser cannot set headers here: the token is the first subprotocol.
        return new (this.options.WebSocket ?? globalThis.WebSocket)(url, token ? ["bearer." + token, "json"] : []);
      },
      // A browser does not say why a handshake was refused. Asked without one, the server does.
      refused: () =>
        this.call("GET", path).then(
          () => undefined,
          (error: unknown) => (error instanceof ApiError && error.status < 500 && error.status !== 426 && error.status !== 429 ? error : undefined),
        ),
    }, options);
  }

  private async keep(answer: unknown): Promise<void> {
    const made = answer as { access_token: string; expires_in: number; refresh_token?: string };
    await this.store.save({ accessToken: made.access_token, refreshToken: made.refresh_token, expiresAt: Date.now() + made.expires_in * 1000 });
  }

  /** Gets a new token, once for all requests that wait for it, and reports whether there is one. */
  private renew(): Promise<boolean> {
    this.renewing ??= this.renewNow().finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  private async renewNow(): Promise<boolean> {
    if (!this.renewal) return false;
    const before = await this.store.load();
    const body = before?.refreshToken && { refresh_token: before.refreshToken };
    try {
      await this.call("POST", this.renewal, { body, answer: "json", session: "login" });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status >= 500 || error.status === 429) throw error;
      await this.store.save(undefined);
      if (before) this.options.onSignedOut?.();
      return false;
    }
  }

  private async send(method: string, path: string, call: Call, tokens?: Tokens): Promise<Response> {
    const { signal, onProgress, ifMatch } = call.options ?? {};
    const url = this.url(path, call.query);
    const headers = new Headers({ ...this.options.headers, ...call.options?.headers });
    if (tokens) headers.set("Authorization", "Bearer " + tokens.accessToken);
    if (ifMatch !== undefined) {
      const tag = typeof ifMatch === "string" ? ifMatch : this.etag(ifMatch);
      if (!tag) throw new TypeError("ifMatch: this was not read by this client, or has no ETag");
      headers.set("If-Match", tag);
    }
    if (this.options.apiKey) headers.set("X-API-Key", this.options.apiKey);
    const credentials = this.options.credentials ?? "same-origin";
    let body: BodyInit | null = null;
    if (call.body !== undefined) {
      headers.set("Content-Type", "application/json");
      body = JSON.stringify(call.body);
    }
    if (call.form) {
      const form = new FormData();
      for (const [name, value] of Object.entries(call.form)) {
        for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) form.append(name, one);
      }
      body = form;
      if (onProgress) {
        if (globalThis.XMLHttpRequest) return upload(method, url, headers, form, onProgress, credentials === "include", signal);
        return this.fetch(url, { method, credentials, signal, ...counted(form, headers, onProgress) } as RequestInit);
      }
    }
    return this.fetch(url, { method, headers, body, credentials, signal: signal ?? null });
  }

  private fetch(url: string, request: RequestInit): Promise<Response> {
    return (this.options.fetch ?? globalThis.fetch)(url, request);
  }
}

/** Whether a token expires before an answer can be expected. */
function stale(tokens: Tokens): boolean {
  return tokens.expiresAt - Date.now() < 5_000;
}

async function read(response: Response, as: Call["answer"]): Promise<unknown> {
  switch (as) {
    case "json": return response.json();
    case "text": return response.text();
    case "blob": return response.blob();
  }
  await response.body?.cancel();
  return undefined;
}

async function failure(response: Response): Promise<ApiError> {
  const said: { error?: unknown; details?: FieldError[]; request_id?: string } = await response.json().catch(() => undefined) ?? {};
  const message = typeof said.error === "string" ? said.error : response.statusText || "Status " + response.status;
  const id = said.request_id ?? response.headers.get("X-Request-ID") ?? undefined;
  const after = response.headers.get("Retry-After");
  let seconds: number | undefined;
  if (after) seconds = /^\d+$/.test(after) ? Number(after) : Math.max(0, (Date.parse(after) - Date.now()) / 1000) || undefined;
  return new ApiError(response.status, message, said.details ?? [], id, seconds);
}

/** Half a second, then twice as long each time, more or less. */
function backoff(attempt: number): number {
  return Math.min(500 * 2 ** attempt, 30_000) * (0.75 + Math.random() / 2);
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Sends a form as browsers can tell the progress of. */
function upload(method: string, url: string, headers: Headers, form: FormData, onProgress: NonNullable<RequestOptions["onProgress"]>, include: boolean, signal?: AbortSignal): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.withCredentials = include;
    request.responseType = "blob";
    headers.forEach((value, name) => request.setRequestHeader(name, value));
    request.upload.onprogress = ({ loaded, total }) => onProgress({ loaded, total });
    request.onload = () => {
      const got = new Headers();
      for (const line of request.getAllResponseHeaders().trim().split("\r\n")) {
        const colon = line.indexOf(":");
        if (colon > 0) got.append(line.slice(0, colon), line.slice(colon + 1).trim());
      }
      const empty = request.status === 204 || request.status === 304;
      resolve(new Response(empty ? null : request.response, { status: request.status, statusText: request.statusText, headers: got }));
    };
    request.onerror = () => reject(new TypeError("network error"));
    request.onabort = () => reject(signal?.reason);
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/** A form whose bytes are counted as they go, where there is no XMLHttpRequest. */
function counted(form: FormData, headers: Headers, onProgress: NonNullable<RequestOptions["onProgress"]>): object {
  let total = 0;
  form.forEach((value) => (total += typeof value === "string" ? value.length : value.size));
  let loaded = 0;
  const encoded = new Response(form);
  headers.set("Content-Type", encoded.headers.get("Content-Type") ?? "");
  const body = encoded.body?.pipeThrough(new TransformStream({
    transform(chunk: Uint8Array, controller) {
      loaded += chunk.byteLength;
      controller.enqueue(chunk);
      onProgress({ loaded: Math.min(loaded, total), total });
    },
  }));
  return { headers, body, duplex: "half" };
}

export interface RoomOptions<Received> {
  /** A message: what its JSON says, or else its text. */
  onMessage?(message: Received): void;
  /** "closed" comes once and is the end; error says why, unless `close` was called. */
  onState?(state: "open" | "waiting" | "closed", error?: ApiError): void;
}

interface RoomServer {
  open(): Promise<WebSocket>;
  /** Why it takes no WebSocket, if it takes none. */
  refused(): Promise<ApiError | undefined>;
}

/** A WebSocket that connects again, however often it is cut, until it is closed or refused. What is sent meanwhile is sent then. */
export class Room<Received, Sent> {
  private readonly server: RoomServer;
  private readonly options: RoomOptions<Received>;
  private socket?: WebSocket;
  private unsent: string[] = [];
  private ended = false;
  private attempt = 0;
  private timer?: ReturnType<typeof setTimeout>;

  constructor(server: RoomServer, options: RoomOptions<Received>) {
    this.server = server;
    this.options = options;
    void this.connect();
  }

  /** Sends a message: a string as it is, anything else as JSON. */
  send(message: Sent): void {
    if (this.ended) throw new Error("the room is closed");
    const text = typeof message === "string" ? message : JSON.stringify(message);
    if (this.socket?.readyState === 1) this.socket.send(text);
    else this.unsent.push(text);
  }

  close(): void {
    this.end();
    this.socket?.close(1000);
  }

  private end(error?: ApiError): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    this.options.onState?.("closed", error);
  }

  private async connect(): Promise<void> {
    let socket: WebSocket;
    try {
      socket = await this.server.open();
    } catch {
      return this.again();
    }
    if (this.ended) return socket.close(1000);
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.attempt = 0;
      this.options.onState?.("open");
      for (const text of this.unsent.splice(0)) socket.send(text);
    };
    socket.onmessage = (event) => this.options.onMessage?.(parsed(event.data) as Received);
    let over = false;
    socket.onclose = socket.onerror = async () => {
      if (over) return; // some report a refused handshake as an error alone
      over = true;
      const error = opened || this.ended ? undefined : await this.server.refused();
      if (error) this.end(error);
      else this.again();
    };
  }

  private again(): void {
    if (this.ended) return;
    this.options.onState?.("waiting");
    this.timer = setTimeout(() => void this.connect(), backoff(this.attempt++));
  }
}

function parsed(text: unknown): unknown {
  try {
    return JSON.parse(text as string);
  } catch {
    return text;
  }
}

/** The items of a list, page after page by cursor. */
async function* pages<Item>(list: (cursor: string) => Promise<{ items: Item[]; next_cursor?: string | null }>): AsyncGenerator<Item, void, undefined> {
  for (let cursor: string | null | undefined = ""; cursor !== null && cursor !== undefined; ) {
    const page: { items: Item[]; next_cursor?: string | null } = await list(cursor);
    yield* page.items;
    cursor = page.next_cursor;
  }
}
