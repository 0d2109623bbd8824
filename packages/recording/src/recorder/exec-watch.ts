// SPDX-License-Identifier: MIT
import { readFileSync, readlinkSync } from 'node:fs';
import type { ExecImage } from './image.js';
import type { TraceInstance } from './tracefs.js';

const POLL_MS = 2;
const EXEC = /sched_process_exec: .* pid=(\d+) old_pid=/g;
/** Field numbers of /proc/PID/stat after the name: state is 0, start_brk 44. */
const START_BRK = 44;

/** Reads the memory map of each process right after its exec, while strace holds it. */
export class ExecWatch {
  readonly images: Map<number, ExecImage[]> = new Map();
  readonly #instance: TraceInstance;
  #timer: NodeJS.Timeout | null = null;
  #rest = '';
  /** Processes whose exec has been seen and whose map has not been read. */
  readonly #arriving = new Set<number>();

  constructor(instance: TraceInstance) {
    this.#instance = instance;
  }

  start(): void {
    this.#timer = setInterval(() => this.poll(), POLL_MS);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  poll(): void {
    const text = this.#rest + this.#instance.poll();
    const end = text.lastIndexOf('\n') + 1;
    this.#rest = text.slice(end);
    for (const [, pid] of text.slice(0, end).matchAll(EXEC)) this.#arriving.add(Number(pid));
    for (const pid of this.#arriving) this.#visit(pid);
  }

  #visit(pid: number): void {
    const state = execState(pid);
    if (state === 'running') return;
    this.#arriving.delete(pid);
    const image = state === 'held' ? readImage(pid) : null;
    if (!image) return;
    const images = this.images.get(pid);
    if (images) images.push(image);
    else this.images.set(pid, [image]);
  }
}

/** null unless the process stood still in its exec all the while. */
function readImage(pid: number): ExecImage | null {
  try {
    const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
    const program = readlinkSync(`/proc/${pid}/exe`);
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const brk = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_BRK]);
    return execState(pid) === 'held' ? { maps, program, brk } : null;
  } catch {
    return null;
  }
}

/** Whether a process still runs towards the end of its exec, is held there, or is gone from there. */
function execState(pid: number): 'running' | 'held' | 'gone' {
  try {
    const call = readFileSync(`/proc/${pid}/syscall`, 'utf8').trim();
    if (call === 'running') return 'running';
    return /^(?:59|322) /.test(call) ? 'held' : 'gone';
  } catch {
    return 'gone';
  }
}
