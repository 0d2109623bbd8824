// SPDX-License-Identifier: MIT
// Measures the shapes that `Op` could have had: node packages/cpu/bench/op-shape.mjs. The figures are in docs/op-shape.md.
const memory = new Int32Array(1 << 16);
const DONE = { done: true, value: 0 };
const SUSPENDED = { done: false, value: undefined };
let budget = 0;
let resuming = false;
let accesses = 0;

/** The shape that cpu has: one shared access object whose iterator performs the access on the spot. */
class Access {
  constructor() {
    this.code = 0;
    this.address = 0;
    this.operand = 0;
  }
  [Symbol.iterator]() {
    return this;
  }
  next() {
    return engine.step(this);
  }
}

class Engine {
  constructor() {
    this.pendingCode = 0;
    this.pendingAddress = 0;
    this.pendingOperand = 0;
  }
  step(access) {
    if (resuming) {
      resuming = false;
      access.code = this.pendingCode;
      access.address = this.pendingAddress;
      access.operand = this.pendingOperand;
    } else if (--budget < 0) {
      this.pendingCode = access.code;
      this.pendingAddress = access.address;
      this.pendingOperand = access.operand;
      return SUSPENDED;
    }
    DONE.value = this.perform(access);
    return DONE;
  }
  perform(access) {
    accesses += 1;
    switch (access.code) {
      case 0:
        return memory[access.address];
      case 1:
        memory[access.address] = access.operand;
        return 0;
      default:
        memory[access.address] += access.operand;
        return memory[access.address];
    }
  }
}
const engine = new Engine();
const shared = new Access();
function fill(code, address, operand = 0) {
  shared.code = code;
  shared.address = address;
  shared.operand = operand;
  return shared;
}

function* leaf(i) {
  let sum = yield* fill(0, i & 1023);
  sum += yield* fill(0, (i + 1) & 1023);
  yield* fill(1, i & 1023, sum & 7);
  return sum + (yield* fill(2, 5, 1));
}
/** The same code for a driver that performs every access outside: the access is yielded up the whole stack. */
function* leafYielding(i) {
  let sum = yield fill(0, i & 1023);
  sum += yield fill(0, (i + 1) & 1023);
  yield fill(1, i & 1023, sum & 7);
  return sum + (yield fill(2, 5, 1));
}
function* nested(body, depth, i) {
  return depth === 0 ? yield* body(i) : yield* nested(body, depth - 1, i);
}
function* loop(body, depth, turns) {
  for (let i = 0; i < turns; i++) yield* nested(body, depth, i);
}

function timePerAccess(run) {
  accesses = 0;
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / accesses;
}
function inline(depth, runLength) {
  return timePerAccess(() => {
    const op = loop(leaf, depth, 1e6 / (depth + 1));
    budget = runLength;
    while (!op.next().done) {
      resuming = true;
      budget = runLength;
    }
  });
}
function yielded(depth) {
  return timePerAccess(() => {
    const op = loop(leafYielding, depth, 1e6 / (depth + 1));
    let step = op.next();
    while (!step.done) step = op.next(engine.perform(step.value));
  });
}
const best = (measure) => Math.min(...Array.from({ length: 5 }, measure));

console.log('ns per access, 4 accesses per call of the innermost function');
for (const depth of [0, 4, 10]) {
  const row = [Infinity, 20, 5, 1].map(
    (runLength) => `every ${runLength}: ${best(() => inline(depth, runLength)).toFixed(0)}`,
  );
  console.log(
    `depth ${depth}: performed on the spot, suspended ${row.join(', ')}; always yielded to a driver: ${best(() => yielded(depth)).toFixed(0)}`,
  );
}
