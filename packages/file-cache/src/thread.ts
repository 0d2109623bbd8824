// SPDX-License-Identifier: GPL-2.0-only
import { enterIdle, finishWait, type Ptr, schedule } from '@lockless/cpu/native';
import { type Page, PG_LOCKED, PG_WRITEBACK } from '@lockless/mm-types/native';
import type { AsyncTask, NativeMachine } from '@lockless/native';
import { lruAddDrain, pageWaitqueue, prepareToWaitOnPageBit } from '@lockless/page/native';
import { Device, type OpenStorageFiles } from './device.js';
import { FileCacheError } from './errors.js';
import { transferrer } from './frames.js';
import { enterKernel, enterKernelBlocking, leaveKernel, tryEnterKernel } from './kernel-section.js';
import { reclaimNodes } from './memory.js';
import type { Steps, Wait } from './waiting.js';
import { sleepBlocking, waitOnPageFor, waitWhile, waitWhileBlocking } from './word-waiting.js';

/** A page that stays locked so long is an error. */
const STUCK_MS = 60_000;

/** Requests after which the nodes that were freed meanwhile are reclaimed. */
const RECLAIM_AFTER = 256;

/** One thread's way to run operations. */
export class Runner {
  readonly device: Device;
  private readonly machine: NativeMachine;
  private readonly mayBlock: boolean;
  /** Asynchronous operations that are going on. */
  private running = 0;

  constructor(files: OpenStorageFiles, machine: NativeMachine, mayBlock: boolean) {
    this.machine = machine;
    this.mayBlock = mayBlock;
    this.device = new Device(files);
  }

  /** Runs an operation; the event loop goes on while it waits. */
  async run<T>(steps: Steps<T>): Promise<T> {
    let input: unknown;
    let failure: { readonly error: unknown } | undefined;
    this.running++;
    try {
      for (;;) {
        if (!tryEnterKernel()) await enterKernel();
        const step = this.stepAsync(steps, input, failure);
        if (step.done) return step.value;
        failure = undefined;
        try {
          input = await this.wait(step.value);
        } catch (error) {
          failure = { error };
        }
      }
    } finally {
      this.running--;
    }
  }

  /** Up to the next wait. *Context*: inside kernel code, which it leaves. */
  private stepAsync<T>(
    steps: Steps<T>,
    input: unknown,
    failure: { readonly error: unknown } | undefined,
  ): IteratorResult<Wait, T> {
    try {
      const step = failure === undefined ? steps.next(input) : steps.throw(failure.error);
      this.settle();
      return step;
    } catch (error) {
      return this.recover(error);
    } finally {
      leaveKernel();
      this.device.unplug();
    }
  }

  /** Runs an operation to its end; the thread sleeps while it waits. */
  runBlocking<T>(steps: Steps<T>): T {
    if (!this.mayBlock)
      throw new FileCacheError(
        'ERR_FILE_CACHE_MAY_NOT_BLOCK',
        'this thread serves an event loop that others wait for: use the asynchronous form, or attach with mayBlock: true',
      );
    let input: unknown;
    let failure: { readonly error: unknown } | undefined;
    for (;;) {
      enterKernelBlocking();
      let step: IteratorResult<Wait, T>;
      try {
        step = failure === undefined ? steps.next(input) : steps.throw(failure.error);
        this.device.unplugBlocking();
        this.settle();
      } catch (error) {
        this.recover(error);
      } finally {
        leaveKernel();
      }
      if (step.done) return step.value;
      failure = undefined;
      try {
        input = this.waitBlocking(step.value);
      } catch (error) {
        failure = { error };
      }
    }
  }

  /** An error may come from the middle of kernel code: no lock is left held, and the thread may sleep again. */
  private recover(error: unknown): never {
    return this.machine.run(() => {
      throw error;
    });
  }

  /**
   * Pages that came into the cache go to the lists, which other threads look at, and not only when this one has 14 of them. And they push others out, and these nodes of
   * trees. *Context*: inside kernel code.
   */
  private settle(): void {
    if (this.device.fresh) {
      this.device.fresh = false;
      lruAddDrain();
    }
    if (this.device.submitted < RECLAIM_AFTER) return;
    this.device.submitted = 0;
    reclaimNodes();
  }

  private async wait(wait: Wait): Promise<unknown> {
    switch (wait.kind) {
      case 'storage':
        return await wait.later();
      case 'transfer':
        return await wait.transfer.over;
      case 'pause':
        return await new Promise((resolve) => setTimeout(resolve, wait.milliseconds));
      case 'page':
        return await this.waitOnPage(wait.page, wait.bit);
      case 'word':
        return await waitWhile(this.machine, wait);
      case 'form':
        return false;
    }
  }

  /** As wait_on_page_bit(), asleep in a promise, and maybe woken for nothing. */
  private async waitOnPage(page: Ptr<Page>, bit: number): Promise<void> {
    const own = this.device.transferOf(page);
    if (own !== undefined) return await own.over;
    const task = this.machine.task();
    try {
      for (;;) {
        if (!tryEnterKernel()) await enterKernel();
        if (!prepareOrFinish(task, page, bit)) break;
        await unlessStuck(page, task.schedule());
      }
    } finally {
      await this.endTask(task, page);
    }
  }

  /** A task that gave up is on the queue still. */
  private async endTask(task: AsyncTask, page: Ptr<Page>): Promise<void> {
    if (!tryEnterKernel()) await enterKernel();
    this.leaveQueue(task, page);
  }

  /** Ends what {@link tryEnterKernel} began, too. */
  private leaveQueue(task: AsyncTask, page: Ptr<Page>): void {
    try {
      task.run(() => finishWait(pageWaitqueue(page)));
      task.end();
    } finally {
      leaveKernel();
    }
  }

  private waitBlocking(wait: Wait): unknown {
    switch (wait.kind) {
      case 'storage':
        // It blocks this thread, as long as it takes.
        enterIdle();
        return wait.now();
      case 'pause':
        return sleepBlocking(wait.milliseconds);
      case 'transfer':
        return this.refuseOwnTransfer(wait.transfer.page, PG_LOCKED);
      case 'page':
        return this.waitOnPageBlocking(wait.page, wait.bit);
      case 'word':
        return waitWhileBlocking(wait, this.isBusy);
      case 'form':
        return true;
    }
  }

  /** Whether this thread is at something asynchronously, for which others may wait. */
  private get isBusy(): boolean {
    return this.running > 0 || this.device.isBusy;
  }

  private refuseOwnTransfer(page: Ptr<Page>, bit: number): void {
    // A page that we write may be locked by another, for a moment.
    if (this.device.transferOf(page)?.write !== (bit === PG_WRITEBACK)) return;
    throw new FileCacheError(
      'EDEADLK',
      'a blocking operation needs a page that this thread itself transfers asynchronously, which could end only after it',
    );
  }

  /** As wait_on_page_bit(), asleep outside kernel code, so that a repair need not wait for us. */
  private waitOnPageBlocking(page: Ptr<Page>, bit: number): void {
    this.refuseOwnTransfer(page, bit);
    if (this.isBusy) return waitOnPageFor(page, bit);
    const task = this.machine.task();
    try {
      for (;;) {
        enterKernelBlocking();
        if (!prepareOrFinish(task, page, bit)) break;
        task.run(() => schedule());
      }
    } finally {
      enterKernelBlocking();
      this.leaveQueue(task, page);
    }
  }
}

/** Puts the task on the page's queue; or, when the bit is clear, off it. *Context*: inside kernel code, which it leaves. *Returns* whether the task is to sleep. */
function prepareOrFinish(task: AsyncTask, page: Ptr<Page>, bit: number): boolean {
  try {
    return task.run(() => {
      if (prepareToWaitOnPageBit(page, bit)) return true;
      finishWait(pageWaitqueue(page));
      return false;
    });
  } finally {
    leaveKernel();
  }
}

/** The wake-up, or an error when it does not come for very long. */
async function unlessStuck(page: Ptr<Page>, woken: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stuck = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(stuckError(page)), STUCK_MS);
  });
  try {
    await Promise.race([woken, stuck]);
  } finally {
    clearTimeout(timer);
  }
}

function stuckError(page: Ptr<Page>): FileCacheError {
  const who = transferrer(page) === 0 ? 'nobody says who' : `CPU ${transferrer(page) - 1}`;
  return new FileCacheError(
    'ERR_FILE_CACHE_STUCK',
    `a page is locked or under writeback for ${STUCK_MS / 1000} seconds (by ${who}): the thread is stuck, or died where nobody watched it`,
  );
}
