// SPDX-License-Identifier: MIT
// @ts-check
// Ends a thread of a file cache at the n-th store of a sequence of operations, and looks at everything after the repair.
import { Worker } from 'node:worker_threads';
import { Disk, FAR_BYTES } from './deaths-disk.mjs';
import { Notes, PAGE, PIECE, piecesOf, versionsIn } from './deaths-pieces.mjs';
import { inTime, Problem, wrong } from './deaths-problems.mjs';
import { FAR_SIZES, farProblem, LOOKED_AT, MAX_DIRTY, PAGES, PIECES_A_PAGE, SEQUENCES } from './deaths-sequences.mjs';

const PIECES = PAGES * PIECES_A_PAGE;
/** Frames: the fewest that a cache may have. Fewer than the file has pages. */
const FRAMES = 64;
/** Pieces that are looked at. */
const LOOKED = LOOKED_AT.flatMap(([first, end]) =>
  Array.from({ length: (end - first) * PIECES_A_PAGE }, (_, i) => first * PIECES_A_PAGE + i),
);
/** More than there are records. */
const FILES = 3;
/** The thread that goes on writes here. No sequence does. */
const OTHERS = 40 * PIECES_A_PAGE;

/** @typedef {import('@lockless/file-cache').FileCache} FileCache */
/** @typedef {import('@lockless/file-cache').CachedFile} CachedFile */

/** Where a thread stopped, or that it did not. @typedef {{ stopped: boolean, passed: number, stack: readonly string[], problems: readonly string[] }} Death */

/** The versions of the pieces of a file that are looked at; undefined: beyond its end. @param {Uint8Array} bytes */
function versionsOf(bytes) {
  /** @type {(number | undefined)[]} */
  const found = [];
  for (const [first, end] of LOOKED_AT) {
    const versions = versionsIn(bytes.subarray(first * PAGE, end * PAGE), first * PIECES_A_PAGE);
    for (const [piece, version] of versions.entries()) found[first * PIECES_A_PAGE + piece] = version;
  }
  return found;
}

/** A thread of the run, that has loaded everything when it is ready. @typedef {{ worker: Worker, control: Int32Array, ready: Promise<unknown> }} Thread */

/** Threads that die one after the other in one cache; the next one has the number of the one before, and goes on with what is per CPU. */
export class Killer {
  /** Guards that the thread is to do without; for this one they are left out before `module` is loaded. `rcu`: of the machine. @param {{ module: string, workerModule: string, without?: readonly string[], rcu?: 'mb' | 'qsbr', shared?: boolean }} where */
  constructor({ module, workerModule, without = [], rcu = 'mb', shared = false }) {
    this.shared = shared;
    this.module = module;
    this.workerModule = workerModule;
    this.without = without;
    this.rcu = rcu;
    this.disk = Disk.create(FILES + 1, PAGES * PAGE);
    this.notes = Notes.create(PIECES);
    /** @type {FileCache | undefined} */
    this.cache = undefined;
    /** @type {CachedFile | undefined} */
    this.file = undefined;
    /** @type {Thread | undefined} */
    this.next = undefined;
    this.round = 0;
  }

  /** Makes files and cache. */
  async begin() {
    for (let file = 0; file < FILES; file++)
      this.disk.replace(file, file === 0 ? piecesOf(0, PIECES, 1) : new Uint8Array(PAGE).fill(file));
    this.disk.replace(FILES, new Uint8Array(FAR_SIZES[0] - FAR_BYTES));
    for (let piece = 0; piece < PIECES; piece++) this.notes.settle(piece, 1);
    const { FileCache } = await import(this.module);
    this.cache = FileCache.create({
      budget: FRAMES * PAGE,
      threads: 3,
      maxFiles: FILES - 1,
      maxViews: 64,
      readAhead: 2 * PAGE,
      maxDirty: MAX_DIRTY * PAGE,
      rcu: this.rcu,
      storage: this.disk.storage(() => undefined, false),
    });
    this.file = undefined;
    await this.sayShared(this.shared);
  }

  /** Whether the cache takes it that its machine has other users. @param {boolean} shared */
  async sayShared(shared) {
    const { machineIsShared } = await import(new URL('shared-words.js', this.module).href);
    /** @type {any} */ (this.open()).machine.words[machineIsShared] = shared ? 1 : 0;
  }

  async end() {
    const spare = this.next;
    this.next = undefined;
    await spare?.worker.terminate();
    if (this.cache !== undefined) await inTime(this.cache.close(), 'close of the cache');
    this.cache = undefined;
  }

  /** @returns {Thread} */
  spawn() {
    const control = new SharedArrayBuffer(8);
    const workerData = { module: this.workerModule, without: this.without, control };
    const worker = new Worker(new URL('./deaths-worker.mjs', import.meta.url), { workerData, execArgv: [] });
    return {
      worker,
      control: new Int32Array(control),
      ready: new Promise((resolve) => worker.once('message', resolve)),
    };
  }

  /** Runs a sequence in a thread of its own until its `stopAt`th store (0: to its end), ends the thread and checks. @param {string} name @param {number} stopAt @returns {Promise<Death>} */
  async kill(name, stopAt) {
    if (this.cache === undefined) await this.begin();
    /** @type {Death} */
    let death = { stopped: false, passed: 0, stack: [], problems: [] };
    try {
      await inTime(this.prepare(name), 'preparation');
      const thread = this.next ?? this.spawn();
      const { kind, passed, stack } = await inTime((await this.start(thread, name, stopAt, 0))[0], 'the sequence');
      death = { ...death, stopped: kind === 'stopped', passed, stack };
      const seen = this.peek(name);
      this.next = this.spawn();
      await thread.worker.terminate();
      await this.check(name, seen);
      return death;
    } catch (error) {
      return { ...death, problems: [wrong(error)] };
    }
  }

  /** Has a thread begin. What it says at last is in the promise, which is wrapped so that it is not waited for here. @param {Thread} thread @param {string} name @param {number} first @param {number} stride */
  async start({ worker, ready }, name, first, stride) {
    await ready;
    /** @type {Promise<{ kind: string, passed: number, stack: readonly string[] }>} */
    const answer = new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (error) =>
        reject(new Problem(`the thread itself failed: ${/** @type {Error} */ (error).stack}`)),
      );
      worker.once('exit', () => reject(new Problem('the thread ended by itself')));
    });
    answer.catch(() => undefined);
    const { buffer, files, bytes } = this.disk;
    worker.postMessage({
      ...{ name, first, stride, files: FILES, disk: { buffer, files, bytes } },
      ...{ shared: this.open().share(), notes: this.notes.words },
    });
    return [answer];
  }

  open() {
    if (this.cache === undefined) throw new Error('no cache');
    return this.cache;
  }

  /** Where every thread begins. @param {string} name */
  async prepare(name) {
    const cache = this.open();
    const { cached = [] } = SEQUENCES[name];
    this.file ??= await cache.open('0', 'r+');
    const { file, notes } = this;
    if (file.size !== PAGES * PAGE) await file.truncate(PAGES * PAGE);
    const versions = await this.versions();
    for (const piece of LOOKED) {
      if (versions[piece] !== 0) continue;
      await file.write(notes.begin(piece, 1), 0, PIECE, piece * PIECE);
      notes.end(piece, 1);
    }
    await file.fsync();
    this.reclaimAll();
    for (const [first, pages] of cached)
      for (let uses = 0; uses < 3; uses++) await file.read(new Uint8Array(pages * PAGE), 0, pages * PAGE, first * PAGE);
    // Every second time nobody else has the file open.
    if (this.round++ % 2 === 0) return;
    this.file = undefined;
    await file.close();
  }

  reclaimAll() {
    while (this.open().reclaim(FRAMES * PAGE) > 0);
  }

  /** What hot pages show while the thread stands still: that is not to be lost. @param {string} name */
  peek(name) {
    /** @type {Map<number, number>} */
    const seen = new Map();
    if (this.file === undefined || !SEQUENCES[name].peeks) return seen;
    const bytes = new Uint8Array(PAGE);
    for (let page = 0; page < PAGES; page++) {
      if (this.file.tryRead(bytes, 0, PAGE, page * PAGE) !== PAGE) continue;
      for (const [piece, version] of versionsIn(bytes, page * PIECES_A_PAGE).entries())
        seen.set(page * PIECES_A_PAGE + piece, version);
    }
    return seen;
  }

  /** The versions of the pieces, through the cache; undefined: beyond the end. */
  async versions() {
    const all = new Uint8Array(PAGES * PAGE);
    let end = 0;
    for (const [first, last] of LOOKED_AT) {
      const length = (last - first) * PAGE;
      const { bytesRead } = await /** @type {CachedFile} */ (this.file).read(all, first * PAGE, length, first * PAGE);
      end = first * PAGE + bytesRead;
    }
    return versionsOf(all.subarray(0, end));
  }

  /** @param {string} name @param {ReadonlyMap<number, number>} seen */
  async check(name, seen) {
    const cache = this.open();
    await inTime(cache.settled(), 'repair');
    await this.verify('after the repair');
    this.file ??= await inTime(cache.open('0', 'r+'), 'open');
    const found = await inTime(this.versions(), 'read');
    this.checkVersions(name, found, seen);
    const far = await inTime(farProblem(cache, name), 'the far file');
    if (far !== undefined) throw new Problem(far);
    await inTime(this.goOn(), 'the next operations');
    const mine = LOOKED.filter((piece) => piece < OTHERS || piece >= OTHERS + PIECES_A_PAGE);
    const stays = (/** @type {string} */ when, /** @type {readonly (number | undefined)[]} */ versions) => {
      for (const piece of mine)
        if (versions[piece] !== found[piece])
          throw new Problem(`piece ${piece}: version ${found[piece]} was read, and ${when} version ${versions[piece]}`);
    };
    await inTime(this.file.fsync(), 'fsync');
    stays('on the disk', versionsOf(this.disk.contents(0)));
    this.reclaimAll();
    const { cached, free, frames, dirty } = await this.verify('after reclaim');
    if (cached !== 0 || dirty !== 0 || free !== frames)
      throw new Problem(`after reclaim ${cached} pages are cached, ${dirty} dirty, ${free} of ${frames} frames free`);
    stays('after reclaim', await inTime(this.versions(), 'read'));
    await this.verify('in the end');
    for (const piece of mine) if (found[piece]) this.notes.settle(piece, found[piece]);
  }

  /** @param {string} name @param {readonly (number | undefined)[]} found @param {ReadonlyMap<number, number>} seen */
  checkVersions(name, found, seen) {
    const { cuts = PIECES } = SEQUENCES[name];
    const { notes } = this;
    for (const piece of LOOKED) {
      const version = found[piece];
      if (piece >= cuts && (version === undefined || version === 0)) continue;
      const [begun, ended] = [notes.begun(piece), notes.ended(piece)];
      if (version !== begun && version !== ended)
        throw new Problem(`piece ${piece}: version ${version}, of ${ended} or ${begun}`);
      const before = seen.get(piece);
      if (before !== undefined && before !== version && before !== ended)
        throw new Problem(`piece ${piece}: version ${before} was seen, then ${version}`);
      const other = piece % PIECES_A_PAGE === 0 ? -1 : piece - 1;
      if (begun !== ended && other >= 0 && notes.begun(other) === begun && notes.ended(other) !== begun)
        if ((found[other] === begun) !== (version === begun))
          throw new Problem(`pieces ${other} and ${piece} are of one write: versions ${found[other]} and ${version}`);
    }
  }

  /** Another thread does everything. */
  async goOn() {
    const file = /** @type {CachedFile} */ (this.file);
    const bytes = this.notes.begin(OTHERS, PIECES_A_PAGE);
    await file.write(bytes, 0, bytes.length, OTHERS * PIECE);
    this.notes.end(OTHERS, PIECES_A_PAGE);
    const view = await file.view(0, 3 * PAGE);
    view.release();
    await file.truncate(file.size);
    const other = await this.open().open('1', 'r+');
    await other.read(new Uint8Array(PAGE), 0, PAGE, 0);
    await other.close();
  }

  /** @param {string} when */
  async verify(when) {
    // All nodes can be counted; the repair, which was before, did not know that.
    await this.sayShared(false);
    const found = await inTime(this.open().verify(), 'verify');
    await this.sayShared(this.shared);
    const { bio, file } = found.objects;
    const problems = [...found.problems];
    if (found.pins > 0) problems.push(`${found.pins} pages are pinned`);
    if (bio > 0) problems.push(`${bio} requests are left`);
    if (file !== (this.file === undefined ? 0 : 1)) problems.push(`${file} files are open`);
    if (this.open().statistics().threads !== 1) problems.push('the thread takes part still');
    if (problems.length > 0) throw new Problem(`${when}: ${problems.join('; ')}`);
    return found;
  }
}
