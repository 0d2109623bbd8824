// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { RecorderError } from '../error.js';
import { EVENTS } from './trace-events.js';

const USUAL = '/sys/kernel/tracing';
const PREFIX = 'lockless-';

/**
 * The tracing filesystem: found, or mounted for as long as the recorder needs it. The recorder works in instances of its own
 * (directories under instances/), so no setting of anybody else's tracing is ever changed.
 */
export class Tracefs {
  readonly root: string;
  readonly #mounted: boolean;

  private constructor(root: string, mounted: boolean) {
    this.root = root;
    this.#mounted = mounted;
  }

  static open(): Tracefs {
    const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
    const found = mounts.map((line) => line.split(' ')).find(([, , type]) => type === 'tracefs');
    if (found) return new Tracefs(found[1], false);
    try {
      execFileSync('mount', ['-t', 'tracefs', 'nodev', USUAL], { stdio: ['ignore', 'ignore', 'pipe'] });
    } catch (error) {
      throw new RecorderError('no-tracefs', `tracefs is not mounted and cannot be mounted at ${USUAL}`, {
        cause: error,
      });
    }
    return new Tracefs(USUAL, true);
  }

  /** Removes instances that recorders left behind which were killed. */
  sweep(): void {
    for (const name of readdirSync(join(this.root, 'instances'))) {
      const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN;
      if (Number.isNaN(pid) || existsSync(`/proc/${pid}`)) continue;
      try {
        rmdirSync(join(this.root, 'instances', name));
      } catch {
        // Somebody reads it: it can wait for the next recorder.
      }
    }
  }

  close(): void {
    if (this.#mounted) execFileSync('umount', [this.root], { stdio: 'ignore' });
  }
}

/** Instances made by this process: it may record several programs at once. */
let made = 0;

/** One tracing instance: its own buffer, events and process filter. */
export class TraceInstance {
  readonly #path: string;
  #pipe: number | null = null;

  constructor(tracefs: Tracefs, purpose: string) {
    this.#path = join(tracefs.root, 'instances', `${PREFIX}${process.pid}-${purpose}-${++made}`);
    try {
      mkdirSync(this.#path);
    } catch (error) {
      throw new RecorderError('no-tracefs', `cannot make a tracing instance: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Stops tracing, sizes the buffer, and enables events for the children of the processes it will be told of. */
  configure(bufferKb: number, events: readonly { path: string; filter?: string; optional?: boolean }[] = EVENTS): void {
    this.#write('tracing_on', '0');
    this.#write('trace_clock', 'mono');
    this.#write('options/event-fork', '1');
    // A full buffer keeps the oldest events and counts the others as dropped, so that a loss is known.
    this.#write('options/overwrite', '0');
    this.#write('buffer_size_kb', String(bufferKb));
    for (const { path, filter, optional } of events) {
      if (!existsSync(join(this.#path, 'events', path))) {
        if (optional) continue;
        throw new RecorderError('unsupported-machine', `this kernel has no event ${path}`);
      }
      if (filter) this.#write(`events/${path}/filter`, filter);
      this.#write(`events/${path}/enable`, '1');
    }
  }

  start(pid: number): void {
    this.#write('set_event_pid', String(pid));
    this.#write('tracing_on', '1');
  }

  stop(): void {
    this.#write('tracing_on', '0');
  }

  /** The processes that are traced now. */
  pids(): number[] {
    const text = readFileSync(join(this.#path, 'set_event_pid'), 'utf8');
    return text
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
  }

  get traceFile(): string {
    return join(this.#path, 'trace');
  }

  /** Events that did not fit the buffer. */
  lost(): number {
    const perCpu = join(this.#path, 'per_cpu');
    let lost = 0;
    for (const cpu of readdirSync(perCpu)) {
      const stats = readFileSync(join(perCpu, cpu, 'stats'), 'utf8');
      for (const [, count] of stats.matchAll(/^(?:overrun|commit overrun|dropped events): (\d+)$/gm))
        lost += Number(count);
    }
    return lost;
  }

  /** What has been traced since the last call, as text; never waits. */
  poll(): string {
    this.#pipe ??= openSync(join(this.#path, 'trace_pipe'), constants.O_RDONLY | constants.O_NONBLOCK);
    const chunk = Buffer.alloc(4096);
    let text = '';
    try {
      for (;;) {
        const size = readSync(this.#pipe, chunk);
        if (size === 0) return text;
        text += chunk.toString('latin1', 0, size);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return text;
      throw error;
    }
  }

  remove(): void {
    if (this.#pipe !== null) closeSync(this.#pipe);
    this.#pipe = null;
    if (existsSync(this.#path)) rmdirSync(this.#path);
  }

  #write(file: string, value: string): void {
    try {
      writeFileSync(join(this.#path, file), value);
    } catch (error) {
      throw new RecorderError('no-tracefs', `cannot set ${file} to ${value}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}
