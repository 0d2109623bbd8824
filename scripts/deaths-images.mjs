// SPDX-License-Identifier: MIT
// @ts-check
// All stores of a sequence in one run of it: at each the thread stands still, everything that it shares with others is copied, it is declared dead, the cache repairs itself
// and is checked; then memory and disk are made what they were, and the thread goes on. To the others that is a death as any other, without a thread to start for each.
import { inTime, Problem, wrong } from './deaths-problems.mjs';
import { Killer } from './deaths-run.mjs';

/** Of the thread: the first one that takes part beside this one. */
const CPU = 1;

/** @param {SharedArrayBuffer} buffer */
const bytesOf = (buffer) => new Uint8Array(buffer);

export class ImageKiller extends Killer {
  /**
   * Lets a sequence die at every `stride`th store from `first` on. *Returns* how many stores it has, and at which what was wrong; after that it is not looked further.
   * @param {string} name @param {number} first @param {number} stride
   * @returns {Promise<{ stores: number, deaths: number, problems: { at: number, what: string }[] }>}
   */
  async killAll(name, first, stride) {
    const problems = [];
    let at = 0;
    let deaths = 0;
    let stores = 0;
    try {
      if (this.cache === undefined) await this.begin();
      await inTime(this.prepare(name), 'preparation');
      const thread = this.next ?? this.spawn();
      const [answer] = await this.start(thread, name, first, stride);
      const buffers = this.buffers();
      for (let turn = 0; at >= 0; turn++) {
        if (Atomics.wait(thread.control, 0, at, 20_000) === 'timed-out')
          throw new Problem('the sequence does not go on');
        at = Atomics.load(thread.control, 0);
        const image = buffers.map((buffer) => bytesOf(buffer).slice());
        const file = this.file;
        const seen = this.peek(name);
        this.open().threadDied(CPU);
        await this.check(name, seen);
        deaths++;
        if (file === undefined) await this.closeFile();
        for (const [i, buffer] of buffers.entries()) bytesOf(buffer).set(image[i]);
        // The number of the size is one that it has seen, maybe of another size.
        if (file !== undefined) /** @type {any} */ (file).seenSize.seen = -1;
        Atomics.store(thread.control, 1, turn + 1);
        Atomics.notify(thread.control, 1);
      }
      stores = (await answer).passed;
      this.next = this.spawn();
      await thread.worker.terminate();
      await this.check(name, new Map());
    } catch (error) {
      problems.push({ at, what: wrong(error) });
    }
    return { stores, deaths, problems };
  }

  async closeFile() {
    const { file } = this;
    this.file = undefined;
    await file?.close();
  }

  /** What threads share. */
  buffers() {
    const { machine, frames } = this.open().share();
    const notes = /** @type {SharedArrayBuffer} */ (this.notes.words.buffer);
    return [machine.buffer, frames, this.disk.buffer, notes];
  }
}
