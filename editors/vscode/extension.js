// The client of `ogive lsp`, and a preview of the circuit of the block under the cursor.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;
let panel;
let waiting;

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("ogive.preview", () => preview(context)),
    vscode.commands.registerCommand("ogive.restart", restart),
    vscode.window.onDidChangeTextEditorSelection((event) => follow(event.textEditor)),
    vscode.workspace.onDidChangeTextDocument((event) => {
      const editor = vscode.window.activeTextEditor;
      if (editor && editor.document === event.document) follow(editor);
    })
  );
  await start();
}

async function start() {
  const command = vscode.workspace.getConfiguration("ogive").get("command");
  const server = { command, args: ["lsp"] };
  client = new LanguageClient("ogive", "Ogive", server, { documentSelector: [{ language: "ogive" }] });
  try {
    await client.start();
  } catch (error) {
    vscode.window.showErrorMessage(
      `Ogive: \`${command} lsp\` does not start: pip install 'ogive[lsp]', or set ogive.command. ${error}`
    );
  }
}

async function restart() {
  if (client) await client.stop();
  await start();
}

function preview(context) {
  if (!panel) {
    panel = vscode.window.createWebviewPanel("ogive.preview", "Ogive", vscode.ViewColumn.Beside, {
      enableScripts: false,
    });
    panel.onDidDispose(() => (panel = undefined), null, context.subscriptions);
  }
  const editor = vscode.window.activeTextEditor;
  if (editor) follow(editor);
}

// While keys come, only the last place is drawn.
function follow(editor) {
  if (!panel || editor.document.languageId !== "ogive") return;
  clearTimeout(waiting);
  waiting = setTimeout(() => draw(editor), 150);
}

async function draw(editor) {
  const place = editor.selection.active;
  const uri = editor.document.uri.toString();
  const theme = vscode.window.activeColorTheme.kind === vscode.ColorThemeKind.Dark ? "dark" : "light";
  const depth = vscode.workspace.getConfiguration("ogive").get("preview.depth");
  const where = { line: place.line, character: place.character };
  try {
    const found = await client.sendRequest("workspace/executeCommand", {
      command: "ogive.drawing",
      arguments: [uri, where, { depth, theme }],
    });
    if (panel && found) {
      panel.title = found.name;
      panel.webview.html = page(found.svg);
    }
  } catch (error) {
    // The text has changed since: the next key asks again.
  }
}

function page(svg) {
  const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
  const data = Buffer.from(svg, "utf8").toString("base64");
  return `<!DOCTYPE html><html><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<style>body{padding:1em}img{max-width:100%}</style></head>
<body><img alt="" src="data:image/svg+xml;base64,${data}"></body></html>`;
}

async function deactivate() {
  if (client) await client.stop();
}

module.exports = { activate, deactivate, page };
