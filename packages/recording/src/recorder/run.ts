// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RecorderError } from '../error.js';
import { Assembly } from './assembly.js';
import { ExecWatch } from './exec-watch.js';
import { FileTable } from './files.js';
import type { Assembled } from './finish.js';
import { finishAssembly } from './finish.js';
import type { Ended, LaunchOptions } from './launch.js';
import { inheritedFiles, Launched } from './launch.js';
import { snapshotFiles } from './residency.js';
import type { StraceLog } from './strace-log.js';
import { StraceParser } from './strace-log.js';
import { parseTraceLine } from './trace-events.js';
import type { Tracefs } from './tracefs.js';
import { TraceInstance } from './tracefs.js';

export interface RunOptions extends Omit<LaunchOptions, 'log'> {
  tracefs: Tracefs;
  /** Files to look at before the program starts. */
  before: Iterable<string>;
  dropCaches: boolean;
  bufferMb: number;
  signal: AbortSignal;
}

export interface RunResult {
  assembled: Assembled;
  files: FileTable;
  ended: Ended;
}

/** Runs the program once under tracefs and strace, and assembles what they saw. */
export async function runOnce(options: RunOptions): Promise<RunResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'lockless-record-'));
  const instances: TraceInstance[] = [];
  const cleanUp = (): void => {
    for (const instance of instances.splice(0)) instance.remove();
    rmSync(scratch, { recursive: true, force: true });
  };
  // Also when the process is made to exit from elsewhere.
  process.on('exit', cleanUp);
  try {
    const events = new TraceInstance(options.tracefs, 'events');
    instances.push(events);
    const execs = new TraceInstance(options.tracefs, 'execs');
    instances.push(execs);
    events.configure(Math.ceil(options.bufferMb * 1024));
    execs.configure(256, [{ path: 'sched/sched_process_exec' }]);
    return await traced(options, { events, execs, log: join(scratch, 'strace') });
  } finally {
    process.off('exit', cleanUp);
    cleanUp();
  }
}

interface Tracing {
  events: TraceInstance;
  execs: TraceInstance;
  log: string;
}

async function traced(options: RunOptions, { events, execs, log }: Tracing): Promise<RunResult> {
  const { signal } = options;
  checkInterrupted(signal);
  const launched = new Launched({ ...options, log });
  const watch = new ExecWatch(execs);
  let pid = 0;
  const stop = (): void => launched.kill(pid === 0 ? [] : [pid, ...events.pids()]);
  signal.addEventListener('abort', stop);
  try {
    pid = await launched.pid();
    checkInterrupted(signal);
    if (options.dropCaches) dropCaches();
    const before = snapshotFiles(options.before);
    const inherited = inheritedFiles(pid);
    checkInterrupted(signal);
    const runStart = Date.now();
    events.start(pid);
    execs.start(pid);
    watch.start();
    launched.go();
    const ended = await launched.ended;
    events.stop();
    watch.stop();
    checkInterrupted(signal);
    checkLost(events, options.bufferMb);
    const strace = await readStrace(log, pid);
    const files = new FileTable(before, runStart);
    const assembly = new Assembly({ rootTid: pid, cwd: options.cwd, files, strace, images: watch.images, inherited });
    await readTrace(events, assembly);
    const assembled = finishAssembly(assembly, files, strace);
    if (assembled.records.length === 0) throw new RecorderError('failed', 'the program could not be started');
    return { assembled, files, ended };
  } finally {
    watch.stop();
    stop();
    signal.removeEventListener('abort', stop);
  }
}

/** Clean pages only leave the cache: so write the dirty ones first. */
function dropCaches(): void {
  try {
    execFileSync('sync');
    writeFileSync('/proc/sys/vm/drop_caches', '3');
  } catch (error) {
    throw new RecorderError('failed', `the page cache cannot be dropped: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function checkInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw new RecorderError('interrupted', 'the recording was interrupted');
}

function checkLost(events: TraceInstance, bufferMb: number): void {
  const lost = events.lost();
  if (lost === 0) return;
  const advice = `record with a larger bufferMb (it is ${bufferMb} per CPU)`;
  throw new RecorderError('lost-events', `${lost} events did not fit the trace buffer; ${advice}`);
}

async function readStrace(path: string, root: number): Promise<StraceLog> {
  const parser = new StraceParser();
  for await (const line of linesOf(path)) parser.push(line);
  const log = parser.finish();
  // Before the program's exec come the launcher's own exec and calls.
  const calls = log.calls.get(root) ?? [];
  const launcher = calls.findIndex((call) => call.name === 'execve');
  const program = calls.findIndex((call, i) => i > launcher && call.name === 'execve');
  log.calls.set(root, program < 0 ? [] : calls.slice(program));
  return log;
}

async function readTrace(events: TraceInstance, assembly: Assembly): Promise<void> {
  let time = 0;
  for await (const line of linesOf(events.traceFile)) {
    const event = parseTraceLine(line);
    if (!event) continue;
    if (event.time < time)
      throw new RecorderError('trace-mismatch', `tracefs gives events out of order at ${event.time} µs`);
    time = event.time;
    assembly.push(event);
  }
}

/** The lines of a file. The file is closed when the loop over them ends, however it ends: an instance in use cannot be removed. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const input = createReadStream(path);
  try {
    yield* createInterface({ input });
  } finally {
    input.destroy();
    if (!input.closed) await once(input, 'close');
  }
}
