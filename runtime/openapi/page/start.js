"use strict";

// Keep the token in session storage: it survives a reload, but other tabs and
// later visitors cannot read it.
const kept = "docs token";
const $ = (selector) => document.querySelector(selector);

// Links inside buttons confuse screen readers; the button already opens the
// operation and sets its address.
const plainLinks = ({ React }) => ({
  wrapComponents: {
    DeepLink: () => ({ text }) => React.createElement("span", { className: "nostyle" }, text),
  },
});

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  filter: true,
  displayOperationId: false,
  persistAuthorization: false,
  tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [plainLinks],
  onComplete: () => account(ui.specSelectors.specJson().toJS()),
});

// Fix missing accessible names and keyboard access in Swagger UI.
new MutationObserver(() => {
  $("#servers")?.setAttribute("aria-label", "Server");
  for (const text of document.querySelectorAll("textarea:not([aria-label])")) text.setAttribute("aria-label", "Request body");
  for (const button of document.querySelectorAll(".copy-to-clipboard > button:not([aria-label])")) button.setAttribute("aria-label", "Copy");
  for (const block of document.querySelectorAll(".curl:not([tabindex]), .microlight:not([tabindex])")) block.tabIndex = 0;
}).observe($("#reference"), { childList: true, subtree: true });

// account shows the login form if the document has a login that returns a
// token.
function account(spec) {
  const find = (id) => Object.entries(spec.paths ?? {}).find(([, item]) => item.post?.operationId === id)?.[0];
  const login = find("login"), refresh = find("refreshToken"), logout = find("logout");
  if (!login || !spec.components?.securitySchemes?.bearerAuth) return;
  $("#account").hidden = false;

  const post = (path, body, token) => fetch(new URL(path.slice(1), document.baseURI), {
    method: "POST",
    headers: {
      ...(body && { "Content-Type": "application/json" }),
      ...(token && { Authorization: "Bearer " + token }),
    },
    body: body && JSON.stringify(body),
  });

  const use = (token, name) => {
    ui.preauthorizeApiKey("bearerAuth", token);
    sessionStorage.setItem(kept, JSON.stringify({ token, name }));
    $("#login").hidden = true;
    $("#who").hidden = false;
    $("#who span").textContent = "Logged in as " + name;
    $("#problem").textContent = "";
  };
  const drop = () => {
    ui.authActions.logout(["bearerAuth"]);
    sessionStorage.removeItem(kept);
    $("#login").hidden = false;
    $("#who").hidden = true;
  };

  $("#login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target, body = { username: form.username.value, password: form.password.value };
    if (form.code.value) body.code = form.code.value;
    try {
      const response = await post(login, body), answer = await response.json();
      if (response.ok) {
        form.reset();
        $("#code").hidden = true;
        return use(answer.access_token, body.username);
      }
      if (answer.details?.some((detail) => detail.field === "code")) $("#code").hidden = false;
      $("#problem").textContent = answer.details?.map((detail) => detail.message).join(". ") || answer.error;
    } catch (problem) {
      $("#problem").textContent = "The server did not answer: " + problem.message;
    }
  });
  $("#logout").addEventListener("click", async () => {
    const { token } = JSON.parse(sessionStorage.getItem(kept) ?? "{}");
    drop();
    if (logout) await post(logout, undefined, token).catch(() => {});
  });

  const last = JSON.parse(sessionStorage.getItem(kept) ?? "null");
  if (!last) return;
  const left = JSON.parse(atob(last.token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).exp * 1000 - Date.now();
  if (left > 60_000 || !refresh) return left > 0 ? use(last.token, last.name) : drop();
  post(refresh).then(async (response) => response.ok ? use((await response.json()).access_token, last.name) : drop(), drop);
}
