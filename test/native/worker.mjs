// SPDX-License-Identifier: MIT
// @ts-check
import { parentPort, workerData } from 'node:worker_threads';

/**
 * The native side of the comparison, in a thread of its own, where Node loads the packages as users' threads do. Runs a stripped program
 * step by step and tells what it did: every primitive with its operands, every result, and all words in the end.
 */

/** More than any program of the tests needs. */
const MOST = 4_000_000;
/** @type {(string | number)[]} Four entries a primitive. */
let trace = [];
const surroundings = /** @type {Record<string, unknown>} */ (globalThis);
surroundings.locklessOnPrimitive = (/** @type {string} */ name, /** @type {number[]} */ ...operands) => {
  trace.push(name, ...operands);
  if (trace.length > MOST) throw new Error(`${MOST / 4} primitives, and no end`);
};
const { functionName, installEngine, kmemCacheOf, SEGMENT_IDS, SEGMENTS, STATIC_WORDS, staticSymbols, TaskStruct } =
  await import('@lockless/cpu/native');
const program = await import(workerData.program);

const LINE = 16;
/** Free objects go round as in cpu's Heap, so that both sides have every object at the same address. */
class OneThread {
  words = new Int32Array(workerData.words);
  quietRcu = workerData.quietRcu;
  top = STATIC_WORDS;
  /** @type {Map<number, number[]>} */
  free = new Map();

  reserve(/** @type {number} */ size, align = LINE) {
    const base = Math.ceil(this.top / align) * align;
    this.top = base + Math.ceil(size / LINE) * LINE;
    return base;
  }

  allocate(/** @type {number} */ id) {
    const { type, align, typesafeByRcu } = /** @type {import('@lockless/cpu').KmemCache<unknown>} */ (kmemCacheOf(id));
    const used = this.free.get(id)?.shift();
    const base = used ?? this.reserve(type.$size, align);
    if (used === undefined || !typesafeByRcu) this.words.fill(0, base, base + type.$size);
    return base;
  }

  release(/** @type {number} */ id, /** @type {number} */ object) {
    if (!this.free.has(id)) this.free.set(id, []);
    this.free.get(id)?.push(object);
  }

  exitIdle() {}

  submitIo(/** @type {number} */ request) {
    program.serve(request);
  }
}

/** @param {string} name */
const alone = (name) => () => {
  throw new Error(`${name}: waits, and nobody else runs`);
};

function start() {
  const engine = new OneThread();
  const own = engine.words.length - 256;
  const current = workerData.task;
  engine.words[TaskStruct.pid(current)] = 1;
  engine.words[TaskStruct.tgid(current)] = 1;
  const cpu = {
    id: 0,
    preemptCount: 0,
    irqsDisabled: false,
    rcuReaders: 0,
    current,
    fence: own,
    held: own + LINE,
    heldDepth: 0,
  };
  const waiting = new Proxy(engine, {
    get: (target, name) => {
      const found = Reflect.get(target, name);
      if (name === 'schedule') return () => target.words[TaskStruct.state(current)] === 0 || alone('schedule')();
      if (name === 'wake') return () => false;
      return typeof found === 'function' ? found.bind(target) : (found ?? alone(String(name)));
    },
  });
  installEngine(/** @type {any} */ (waiting), cpu);
  return engine;
}

parentPort?.on('message', (/** @type {(readonly [number, number, number])[]} */ steps) => {
  trace = [];
  const results = [];
  const engine = start();
  let error = null;
  try {
    program.boot();
    for (const step of steps) results.push(program.step(step));
  } catch (thrown) {
    error = /** @type {Error} */ (thrown).stack;
  }
  const { words, top } = engine;
  installEngine(null);
  parentPort?.postMessage({ trace, results, error, top, words }, [words.buffer]);
});

const numbers = Array.from({ length: SEGMENTS * SEGMENT_IDS }, (_, id) => id);
parentPort?.postMessage({
  staticWords: STATIC_WORDS,
  symbols: staticSymbols().map(({ name, address, size }) => ({ name, address, size })),
  functions: numbers.flatMap((id) => (functionName(id) === `function#${id}` ? [] : [[functionName(id), id]])),
  caches: numbers.flatMap((id) => {
    const cache = kmemCacheOf(id);
    return cache === undefined ? [] : [[cache.type.$name, id]];
  }),
});
