// SPDX-License-Identifier: GPL-2.0-only
import type { Control } from './rendezvous.js';

export interface WatchOptions {
  /** A run ends behind the batch in which its time is over. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
  /**
   * Seconds without a sign of life after which threads are stuck. Default: 15, as loops that relax are given up one by one before that, and any
   * thread gets a processor within it.
   */
  readonly patience?: number;
  /** Called a few times a second with the batches done so far. */
  readonly onProgress?: (batches: number) => void;
}

const PATIENCE = 15;
/** Loading and booting may take as many times as long, and show nothing. */
const LOADING = 4;
/** Seconds that whoever has asked for the end waits for threads that are perhaps stuck. */
const GRACE = 1;
/** Milliseconds between looks. */
const INTERVAL = 20;
/** A late look counts as so many milliseconds: when this process was stopped, so were the threads. */
const LONGEST = 5 * INTERVAL;

/** Looks after the threads of a run from outside. */
export class Watch {
  /** Resolves when the threads get nowhere, and will not end by themselves. */
  readonly overdue: Promise<'overdue'>;
  private readonly control: Control;
  private readonly options: WatchOptions;
  private readonly timer: NodeJS.Timeout;
  private giveUp: () => void = () => {};
  private readonly stop = (): void => this.control.stop();
  private started: number = performance.now();
  private begun = false;
  private signOfLife = '';
  private looked: number = this.started;
  private still = 0;

  constructor(control: Control, options: WatchOptions) {
    this.control = control;
    this.options = options;
    this.overdue = new Promise((resolve) => {
      this.giveUp = () => resolve('overdue');
    });
    options.signal?.addEventListener('abort', this.stop);
    if (options.signal?.aborted) this.stop();
    this.timer = setInterval(() => this.look(), INTERVAL);
  }

  /** Since the threads began: what it takes to load and boot is not counted. */
  get seconds(): number {
    return (performance.now() - this.started) / 1000;
  }

  end(): void {
    clearInterval(this.timer);
    this.options.signal?.removeEventListener('abort', this.stop);
  }

  private look(): void {
    const { control } = this;
    const { seconds = Number.POSITIVE_INFINITY, onProgress } = this.options;
    if (!this.begun && control.begun) {
      this.begun = true;
      this.started = performance.now();
    }
    if (this.begun && this.seconds >= seconds) this.stop();
    if (this.stuck()) this.giveUp();
    onProgress?.(control.batches);
  }

  private stuck(): boolean {
    const { signOfLife } = this.control;
    const now = performance.now();
    this.still = signOfLife === this.signOfLife ? this.still + Math.min(now - this.looked, LONGEST) : 0;
    this.signOfLife = signOfLife;
    this.looked = now;
    const { signal, patience = PATIENCE } = this.options;
    const limit = this.begun ? patience : LOADING * patience;
    return this.still / 1000 >= (signal?.aborted ? Math.min(GRACE, limit) : limit);
  }
}
