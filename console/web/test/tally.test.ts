import assert from "node:assert/strict";
import test from "node:test";
import { quiet, subject, Tally } from "../src/tally.ts";

test("a thing counts once however often it changes", () => {
  const t = new Tally();
  assert.ok(t.empty);
  for (const id of ["inc_a", "inc_b", "inc_a"]) t.add(id);
  assert.equal(t.text("new"), "2 new, show");
});

test("when the server has dropped changes the number is a lower bound", () => {
  const t = new Tally();
  t.reset();
  assert.ok(!t.empty);
  assert.equal(t.text("new"), "more new, show");
  t.add("inc_a");
  assert.equal(t.text("new"), "more than 1 new, show");
});

test("a screen reader is told at most once in ten seconds", () => {
  const t = new Tally();
  assert.equal(t.wait(1000), 0);
  t.told(1000);
  assert.equal(t.wait(1000), quiet);
  assert.equal(t.wait(4000), quiet - 3000);
  assert.equal(t.wait(1000 + quiet), 0);
});

test("the subject of a message is its incident, whatever it is wrapped in", () => {
  assert.equal(subject('{"incident":{"id":"inc_1"}}', "9"), "inc_1");
  assert.equal(subject('{"data":{"incident":{"id":"inc_2"}},"id":"dlv_1"}', "9"), "inc_2");
  assert.equal(subject('{"id":"inc_3"}', ""), "inc_3");
  assert.equal(subject('{"finding_info":{"uid":"inc_4"}}', ""), "inc_4");
  assert.equal(subject("hello", "9"), "9");
  assert.equal(subject("hello", ""), "hello");
});
