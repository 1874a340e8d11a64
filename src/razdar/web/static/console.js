// SPDX-License-Identifier: AGPL-3.0-or-later
// The only script of these pages: the passkey ceremony (WebAuthn), which browsers offer to scripts alone. Buttons appear only if it can run.
"use strict";
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const ask = async (path, content) => {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) });
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
};
const listed = (credentials) => (credentials || []).map((each) => ({ ...each, id: bytes(each.id) }));
const spelled = (made, response) => ({ id: made.id, rawId: text(made.rawId), type: made.type, clientExtensionResults: {}, response });
const add = async (form) => {
  const asked = await ask("/console/passkey/add", { form });
  const publicKey = { ...asked, challenge: bytes(asked.challenge), user: { ...asked.user, id: bytes(asked.user.id) } };
  publicKey.excludeCredentials = listed(asked.excludeCredentials);
  const made = await navigator.credentials.create({ publicKey });
  const { clientDataJSON, attestationObject } = made.response;
  const response = { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject) };
  await ask("/console/passkey/added", { form, response: spelled(made, response) });
};
const enter = async () => {
  const asked = await ask("/console/passkey/ask", {});
  const publicKey = { ...asked, challenge: bytes(asked.challenge), allowCredentials: listed(asked.allowCredentials) };
  const made = await navigator.credentials.get({ publicKey });
  const { clientDataJSON, authenticatorData, signature } = made.response;
  const response = { clientDataJSON: text(clientDataJSON), authenticatorData: text(authenticatorData), signature: text(signature) };
  await ask("/console/passkey/answer", { response: spelled(made, response) });
};
for (const button of window.PublicKeyCredential ? document.querySelectorAll("[data-passkey]") : []) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const failed = document.querySelector("[data-passkey-failed]");
    failed.hidden = true;
    try {
      await (button.dataset.passkey === "add" ? add(button.dataset.form) : enter());
      location.assign(button.dataset.next);
    } catch (error) {
      failed.hidden = false;
    }
  });
}
