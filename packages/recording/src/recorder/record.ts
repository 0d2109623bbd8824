// SPDX-License-Identifier: MIT
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { RecorderError, RecordingError } from '../error.js';
import type { Recording } from '../format.js';
import { FORMAT_NAME, FORMAT_VERSION } from '../format.js';
import { readRecording } from '../reader.js';
import { formatRecording, writeRecording } from '../writer.js';
import type { FileTable } from './files.js';
import { machineFacts } from './machine.js';
import { checkMachine, checkOutput, findProgram } from './preflight.js';
import type { RunResult } from './run.js';
import { runOnce } from './run.js';
import { Tracefs } from './tracefs.js';

export interface RecordOptions {
  /** The program and its arguments. */
  command: string[];
  /** Where to write the recording; without it the recording is only returned. */
  output?: string;
  /** The program's directory; the current one by default. */
  cwd?: string;
  /** The program's environment; this process's by default. None of it gets into the recording. */
  env?: NodeJS.ProcessEnv;
  /** Empty the page cache before the run, so that the recording shows files being read. True by default. */
  dropCaches?: boolean;
  /** A command to run before each of the two runs, to put files back as they were. */
  prepare?: string[];
  /** What the program's standard input and outputs are: ours, nothing, or all output to our standard error. */
  stdio?: 'inherit' | 'ignore' | 'stderr';
  /** MiB of trace buffer per CPU. 64 by default. */
  bufferMb?: number;
  /** Milliseconds to hold each process after an exec, while its memory map is read. 50 by default; more if that was too short. */
  execDelay?: number;
  /** Stops the recording: the program is killed, and `record` rejects. */
  signal?: AbortSignal;
  /** Told what is being done. By default it is written to standard error if that is a terminal. */
  onProgress?: (text: string) => void;
}

export interface Recorded {
  recording: Recording;
  /** How the program ended. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * Runs a program twice, the first time to learn which files it uses, and records the second run.
 *
 * Nothing of the machine's tracing settings is changed; SIGINT and SIGTERM stop the recording while it runs.
 *
 * @throws RecorderError with what was missing or went wrong
 */
export async function record(options: RecordOptions): Promise<Recorded> {
  const { command, output, cwd = process.cwd(), env = process.env, dropCaches = true } = options;
  const progress = options.onProgress ?? terminalProgress;
  if (command.length === 0) throw new RecorderError('command-not-found', 'no command to record');
  if (output !== undefined) checkOutput(output);
  checkMachine();
  const program = [findProgram(command[0], env.PATH ?? '', cwd), ...command.slice(1)];
  const interrupt = interruption(options.signal);
  const tracefs = Tracefs.open();
  try {
    tracefs.sweep();
    const { bufferMb = 64, execDelay = 50, stdio = 'inherit' } = options;
    const settings = { tracefs, command: program, cwd, env, stdio, dropCaches, bufferMb, signal: interrupt.signal };
    const run = (before: Iterable<string>): Promise<RunResult> =>
      patiently(execDelay, (delay) => {
        if (options.prepare) prepare(options.prepare, cwd, env);
        return runOnce({ ...settings, before, execDelay: delay });
      });
    progress('first run: learning which files the program uses');
    const dry = await run([]);
    progress('second run: recording');
    const real = await run(pathsOf(dry.files));
    progress('writing');
    const recording = checked({ ...compose(real, command, dropCaches) });
    if (output !== undefined) write(output, recording);
    return { recording, code: real.ended.code, signal: real.ended.signal };
  } finally {
    interrupt.dispose();
    tracefs.close();
    progress('');
  }
}

function prepare([program, ...args]: string[], cwd: string, env: NodeJS.ProcessEnv): void {
  try {
    execFileSync(program, args, { cwd, env, stdio: 'ignore' });
  } catch (error) {
    throw new RecorderError('failed', `the command that prepares the run failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

const PATIENCE = 3;

/** On a busy machine a process may run on before its memory map was read: then once more, with longer to do it. */
async function patiently(delay: number, run: (delay: number) => Promise<RunResult>): Promise<RunResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run(delay);
    } catch (error) {
      const missed = error instanceof RecorderError && error.failure === 'missed-exec';
      if (!missed || attempt === PATIENCE) throw error;
      delay = (delay + 10) * 4;
    }
  }
}

function compose({ assembled }: RunResult, command: string[], droppedCaches: boolean): Recording {
  const { files, records, threads, spaces, duration, warnings } = assembled;
  const machine = machineFacts(files.map((file) => file.device));
  return {
    header: {
      format: FORMAT_NAME,
      version: FORMAT_VERSION,
      command,
      machine,
      droppedCaches,
      duration,
      threads,
      spaces,
      warnings,
    },
    files,
    records,
  };
}

/** Reads the recording back: one that our own reader does not take is not to be written. */
function checked(recording: Recording): Recording {
  try {
    return readRecording(Buffer.from(formatRecording(recording)), 'new recording');
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    throw new RecorderError('trace-mismatch', `the trace makes no consistent recording: ${error.message}`, {
      cause: error,
    });
  }
}

function pathsOf(files: FileTable): Set<string> {
  return new Set(files.all.flatMap((file) => [file.firstPath, ...file.names]).filter((path) => path !== ''));
}

function write(output: string, recording: Recording): void {
  try {
    writeRecording(output, recording);
  } catch (error) {
    throw new RecorderError('cannot-write', `${output} cannot be written: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function terminalProgress(text: string): void {
  if (!process.stderr.isTTY) return;
  writeFileSync(process.stderr.fd, text === '' ? '\r\x1b[K' : `\r\x1b[Klockless record: ${text}`);
}

/** One signal for the caller's abort, Ctrl-C and SIGTERM. */
function interruption(outer: AbortSignal | undefined): { signal: AbortSignal; dispose: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, abort);
  outer?.addEventListener('abort', abort);
  if (outer?.aborted) abort();
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of signals) process.off(name, abort);
      outer?.removeEventListener('abort', abort);
    },
  };
}
