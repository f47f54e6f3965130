// Drives a language server with the protocol library of Visual Studio Code: node client.mjs COMMAND ARGUMENT…
// Prints, as one JSON object, what an author sees of a rule with a misspelt field, and then of the mended one.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
const lsp = createRequire(process.cwd() + "/")("vscode-languageserver-protocol/node");

const [command, ...args] = process.argv.slice(2);
const server = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
const connection = lsp.createProtocolConnection(new lsp.StreamMessageReader(server.stdout), new lsp.StreamMessageWriter(server.stdin));
const waiting = [];
connection.onNotification(lsp.PublishDiagnosticsNotification.type, (p) => waiting.shift()?.(p.diagnostics));
const problems = () => new Promise((resolve) => waiting.push(resolve));
connection.listen();

const uri = "file:///nowhere/rule.yaml";
const text = (field) => `id: x-1
version: 1
title: X
status: shadow
match:
  event:
    id: seen
    class: robot_state
    where: ${field} == "Success"
`;
const at = { textDocument: { uri }, position: { line: 8, character: 14 } };
const out = {};
const hello = await connection.sendRequest(lsp.InitializeRequest.type, { processId: process.pid, rootUri: null, capabilities: {} });
out.server = hello.serverInfo.name;
await connection.sendNotification(lsp.InitializedNotification.type, {});
let told = problems();
await connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, { textDocument: lsp.TextDocumentItem.create(uri, "yaml", 1, text("stauts")) });
out.problems = await told;
told = problems();
await connection.sendNotification(lsp.DidChangeTextDocumentNotification.type, { textDocument: { uri, version: 2 }, contentChanges: [{ text: text("status") }] });
out.mended = await told;
out.completion = (await connection.sendRequest(lsp.CompletionRequest.type, at)).items.map((i) => i.label);
out.hover = (await connection.sendRequest(lsp.HoverRequest.type, at)).contents;
out.outline = (await connection.sendRequest(lsp.DocumentSymbolRequest.type, { textDocument: { uri } })).map((s) => s.name);
out.edits = await connection.sendRequest(lsp.DocumentFormattingRequest.type, { textDocument: { uri }, options: { tabSize: 2, insertSpaces: true } });
const ended = new Promise((resolve) => server.on("exit", resolve));
await connection.sendRequest(lsp.ShutdownRequest.type);
await connection.sendNotification(lsp.ExitNotification.type);
out.exit = await ended;
console.log(JSON.stringify(out));
process.exit(0);
