import assert from "node:assert/strict";
import test from "node:test";
import { after, distance, shape, shown, zone } from "../src/dial.ts";

process.env["TZ"] = "Europe/Berlin";

test("the dial turns from UTC over local to relative and back", () => {
  assert.equal(after("utc"), "local");
  assert.equal(after("local"), "relative");
  assert.equal(after("relative"), "utc");
});

test("local times keep the shape that the server wrote", () => {
  const iso = "2026-11-21T23:30:05.25Z";
  assert.equal(shown("local", iso, "2026-11-21 23:30:05", 0), "2026-11-22 00:30:05");
  assert.equal(shown("local", iso, "23:30:05", 0), "00:30:05");
  assert.equal(shown("local", iso, "2026-11-21 23:30:05.250", 0), "2026-11-22 00:30:05.250");
  assert.equal(shown("utc", iso, "23:30:05", 0), "23:30:05");
});

test("what is no time stays, and so does a time that cannot be read", () => {
  assert.equal(shape("5 min ago"), "other");
  assert.equal(shown("relative", "2026-11-21T02:00:00Z", "–", 0), "–");
  assert.equal(shown("local", "yesterday", "02:00:00", 0), "02:00:00");
});

test("a distance is told in the one unit that says most", () => {
  const now = Date.UTC(2026, 10, 21);
  for (const [seconds, text] of [[2, "just now"], [59, "59 s ago"], [60, "1 min ago"], [7199, "119 min ago"], [7200, "2 h ago"], [172800, "2 d ago"], [-90, "in 1 min"]] as const) {
    assert.equal(distance(now - seconds * 1000, now), text);
  }
});

test("the page says which clock it shows", () => {
  assert.equal(zone("utc", -120), "UTC");
  assert.equal(zone("local", -120), "UTC+02:00");
  assert.equal(zone("local", 210), "UTC−03:30");
  assert.equal(zone("relative", 0), "ago");
});
