import assert from "node:assert/strict";
import test from "node:test";
import { Chords, nameOf, patience, spelled } from "../src/chord.ts";

const press = (key: string, more = {}) => ({ key, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...more });

test("a press has one name however the page spells it", () => {
  assert.equal(nameOf(press("a")), "a");
  assert.equal(nameOf(press("X", { shiftKey: true })), "Shift+x");
  assert.equal(nameOf(press("?", { shiftKey: true })), "?");
  assert.equal(nameOf(press("Enter", { shiftKey: true })), "Shift+Enter");
  assert.equal(spelled("F"), "Shift+f");
  assert.equal(spelled("Shift+F"), "Shift+f");
  assert.equal(spelled(" g   q "), "g q");
});

test("the browser's own keys are left to it", () => {
  for (const m of [{ ctrlKey: true }, { altKey: true }, { metaKey: true }]) assert.equal(nameOf(press("a", m)), "");
  for (const key of ["Shift", "Control", "Alt", "Dead"]) assert.equal(nameOf(press(key)), "");
});

test("keys run when they are whole, and a beginning waits for the rest", () => {
  const c = new Chords();
  const bound = ["a", "g q", "g f", "?"];
  assert.deepEqual(c.press("a", 0, bound), { run: "a" });
  assert.equal(c.press("g", 1, bound), "more");
  assert.deepEqual(c.press("q", 2, bound), { run: "g q" });
  assert.equal(c.press("q", 3, bound), "none");
});

test("a beginning that is not continued is forgotten, and the key after it counts for itself", () => {
  const c = new Chords();
  const bound = ["a", "g q"];
  assert.equal(c.press("g", 0, bound), "more");
  assert.deepEqual(c.press("a", 1, bound), { run: "a" });
  assert.equal(c.press("g", 10, bound), "more");
  assert.equal(c.press("q", 11 + patience, bound), "none");
});
