import assert from "node:assert/strict";
import test from "node:test";
import { moved, neighbour, range } from "../src/pick.ts";

test("moving begins at an end and stays in the list", () => {
  assert.equal(moved(-1, 1, 3), 0);
  assert.equal(moved(-1, -1, 3), 2);
  assert.equal(moved(2, 1, 3), 2);
  assert.equal(moved(0, -1, 3), 0);
  assert.equal(moved(-1, 1, 0), -1);
});

test("a range goes both ways", () => {
  assert.deepEqual(range(1, 3), [1, 2, 3]);
  assert.deepEqual(range(3, 1), [1, 2, 3]);
  assert.deepEqual(range(2, 2), [2]);
});

test("the ends of a list have one neighbour, and strangers none", () => {
  const list = ["/a", "/b", "/c"];
  assert.equal(neighbour(list, "/b", 1), "/c");
  assert.equal(neighbour(list, "/b", -1), "/a");
  assert.equal(neighbour(list, "/c", 1), undefined);
  assert.equal(neighbour(list, "/a", -1), undefined);
  assert.equal(neighbour(list, "/z", 1), undefined);
});
