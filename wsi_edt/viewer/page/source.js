// Where what the page shows comes from: the server, or, in a folder made by --export, script files beside the page.
//
// A browser that opened the page from a disk (file://) fetches nothing, but loads scripts: `slide/0/info.json.js` says
// `wsiEdtFile("slide/0/info.json", {...})`, and cells.bin comes as base64.

export const SILENT = "wsi-edt view doesn't answer any more. Start it again, and open the address that it prints.";
export const readOnly = "exported" in document.documentElement.dataset;

const waiting = new Map(); // by address: { coming, take }
if (readOnly) window.wsiEdtFile = (address, content) => waiting.get(address)?.take(content);

// What an address answers; an error says why it doesn't.
export async function json(address) {
  if (readOnly) return fromScript(address);
  const answer = await asked(address);
  const fields = await answer.json();
  if (!answer.ok) throw new Error(fields.error);
  return fields;
}

// The same as an ArrayBuffer.
export async function bytes(address) {
  if (readOnly) return unpacked(await fromScript(address));
  const answer = await asked(address);
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer.arrayBuffer();
}

async function asked(address) {
  try {
    return await fetch(address);
  } catch {
    throw new Error(SILENT);
  }
}

function fromScript(address) {
  if (waiting.has(address)) return waiting.get(address).coming;
  const script = document.createElement("script");
  const asked = {};
  asked.coming = new Promise((resolve, reject) => {
    asked.take = resolve;
    script.onload = () => reject(new Error(`${address}.js isn't whole`)); // no effect once it has called
    script.onerror = () => reject(new Error(`${address}.js is missing`));
    script.src = `${address}.js`;
  }).finally(() => {
    waiting.delete(address);
    script.remove();
  });
  waiting.set(address, asked);
  document.head.append(script);
  return asked.coming;
}

function unpacked(base64) {
  const text = atob(base64);
  const values = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) values[i] = text.charCodeAt(i);
  return values.buffer;
}
