// @ts-check
/**
 * Passkeys: takes the challenge from the server, asks the browser, posts the answer in the form.
 * Forms stay hidden where the browser has no passkeys, so that nobody sees a button without effect.
 */

/** @param {string} text @returns {ArrayBuffer} */
function octets(text) {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  const binary = atob(base64.padEnd(Math.ceil(base64.length / 4) * 4, "="));
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0)).buffer;
}

/** @param {ArrayBuffer} buffer @returns {string} */
function text(buffer) {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {any} options */
function readable(options) {
  const key = options.publicKey;
  key.challenge = octets(key.challenge);
  if (key.user) key.user.id = octets(key.user.id);
  for (const list of [key.allowCredentials, key.excludeCredentials]) {
    for (const one of list ?? []) one.id = octets(one.id);
  }
  return options;
}

/** @param {any} credential */
function written(credential) {
  const answer = credential.response;
  /** @type {Record<string, unknown>} */
  const response = { clientDataJSON: text(answer.clientDataJSON) };
  if (answer.attestationObject) {
    response.attestationObject = text(answer.attestationObject);
    response.transports = answer.getTransports?.() ?? [];
  } else {
    response.authenticatorData = text(answer.authenticatorData);
    response.signature = text(answer.signature);
    response.userHandle = answer.userHandle ? text(answer.userHandle) : null;
  }
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? null,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  });
}

/** @param {HTMLFormElement} form */
async function ask(form) {
  const adding = form.dataset.passkey === "add";
  const answer = await fetch(adding ? form.dataset.options ?? "" : form.action, {
    headers: { Accept: "application/json" },
  });
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  const options = readable((await answer.json()).options);
  const credential = adding
    ? await navigator.credentials.create(options)
    : await navigator.credentials.get(options);
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("credential"));
  field.value = written(credential);
  form.submit();
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!(form instanceof HTMLFormElement) || !window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const status = form.querySelector("[data-passkey-status]");
    if (status instanceof HTMLElement) status.textContent = "";
    ask(form).catch(() => {
      if (status instanceof HTMLElement) status.textContent = status.dataset.failed ?? "";
    });
  });
}
