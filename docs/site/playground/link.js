// A link that holds a program: its UTF-8 in the letters of base64url, behind the `#` that no server is told.
const LIMIT = 100000;  // characters of a program that a link may hold

// The address; null where the program is too long.
export function linked(text, address) {
  if (text.length > LIMIT) return null;
  const bytes = new TextEncoder().encode(text);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  const made = new URL(address);
  made.hash = `program=${btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
  return made.href;
}

// {text} of a fragment, {fault} where it holds none that can be read, {} where it says nothing of a program.
export function program(hash) {
  const found = /^#program=([^&]*)$/.exec(hash);
  if (!found) return {};
  if (found[1].length > 6 * LIMIT) return {fault: "The program in this link is longer than the playground takes."};
  try {
    const binary = atob(found[1].replaceAll("-", "+").replaceAll("_", "/"));
    return {text: new TextDecoder("utf-8", {fatal: true}).decode(Uint8Array.from(binary, each => each.charCodeAt(0)))};
  } catch {
    return {fault: "The program in this link cannot be read: the link may be cut off."};
  }
}
