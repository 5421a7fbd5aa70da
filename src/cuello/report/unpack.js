// What the page carries compressed: base64 of gzip, in script elements that do not run.

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const signs = atob(text), bytes = new Uint8Array(signs.length);
  for (let i = 0; i < signs.length; i++) bytes[i] = signs.charCodeAt(i);
  return bytes;
}

function unpack(id) {
  const stream = new Blob([bytesOf($(id).textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream);
}

function runScript(text, type) {
  const script = document.createElement("script");
  if (type) script.type = type;
  script.textContent = text;
  document.head.append(script);
}
